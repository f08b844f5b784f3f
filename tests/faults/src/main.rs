//! `millrace-faults`: runs the fault suite, and ends with 1 when an invariant was broken.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use millrace_faults::kind::Kind;
use millrace_faults::stage::Cast;
use millrace_faults::suite::{self, Faults, Setup};
use millrace_faults::workload::Load;

/// Random faults on a real fleet, and an auditor that judges it from outside.
#[derive(Debug, Parser)]
#[command(name = "millrace-faults")]
struct Arguments {
    /// How long faults are injected
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// Tasks a second
    #[arg(long, default_value_t = 200)]
    rate: usize,
    /// Of a hundred tasks, how many start a shell and leave marks; the rest are judged by the API alone
    #[arg(long, default_value_t = 100)]
    marked: usize,
    #[arg(long, default_value_t = 3)]
    producers: usize,
    #[arg(long, default_value_t = 4)]
    workers: usize,
    /// Slots of each worker
    #[arg(long, default_value_t = 8)]
    slots: usize,
    /// Workflows that fire every second
    #[arg(long, default_value_t = 5)]
    schedules: usize,
    /// The same seed gives the same faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only these kinds: kill-worker,partition
    #[arg(long, value_delimiter = ',')]
    only: Vec<Kind>,
    /// Three RabbitMQ nodes with quorum queues, and Redis under Sentinel
    #[arg(long)]
    cluster: bool,
    /// A variable for every process: NAME=VALUE
    #[arg(long)]
    env: Vec<String>,
    /// Where the report goes as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut variables: Vec<(String, String)> = arguments
        .env
        .iter()
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    if arguments.cluster {
        variables.push(("MILLRACE_QUEUE_TYPE".to_owned(), "quorum".to_owned()));
    }
    let kinds = if arguments.only.is_empty() { Kind::ALL.to_vec() } else { arguments.only };
    let setup = Setup {
        seed: arguments.seed,
        lasts: Duration::from_secs_f64(arguments.minutes * 60.0),
        cast: Cast {
            producers: arguments.producers,
            workers: arguments.workers,
            slots: arguments.slots,
            is_clustered: arguments.cluster,
            variables,
        },
        load: Load {
            rate: arguments.rate,
            marked: arguments.marked,
            long: 2,
            schedules: arguments.schedules,
        },
        faults: Faults::Random(kinds),
        patience: suite::PATIENCE,
    };
    let report = suite::run(setup).await;
    println!("{}", report.table());
    if let Some(path) = arguments.json
        && let Err(error) = std::fs::write(&path, format!("{:#}\n", report.json()))
    {
        eprintln!("the report cannot be written to {}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
