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
#[command(name = "millrace-faults", args_override_self = true)]
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
    #[arg(long, default_value_t = 24)]
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
    /// The program of an older version: the fleet is upgraded from it, and back, again and again
    #[arg(long)]
    old: Option<PathBuf>,
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
        variables.push(("MILLRACE_WAIT_REPLICAS".to_owned(), "1".to_owned()));
    }
    let faults = match (arguments.only.is_empty(), &arguments.old) {
        (true, Some(_)) => Faults::Upgrade,
        (true, None) => Faults::Random(Kind::ALL.to_vec()),
        (false, _) => Faults::Random(arguments.only),
    };
    let rules = arguments.old.is_none();
    let setup = Setup {
        seed: arguments.seed,
        lasts: Duration::from_secs_f64(arguments.minutes * 60.0),
        cast: Cast {
            producers: arguments.producers,
            workers: arguments.workers,
            slots: arguments.slots,
            is_clustered: arguments.cluster,
            variables,
            old: arguments.old,
        },
        load: Load {
            rate: arguments.rate,
            marked: arguments.marked,
            long: 2,
            schedules: arguments.schedules,
            rules,
        },
        faults,
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
