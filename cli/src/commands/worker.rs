//! `worker`: executes the tasks of its pools.

use std::time::Duration;

use clap::Args;
use millrace_broker::Broker;
use millrace_runtime::Shutdown;
use millrace_runtime::config::Settings;
use millrace_worker::Worker;

use crate::embedded::worker_options;
use crate::error::CliError;
use crate::options::{Common, ExecutionArgs, PoolArgs, Servers};
use crate::{duration, servers};

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    #[command(flatten)]
    servers: Servers,
    #[command(flatten)]
    pools: PoolArgs,
    /// Labels, key=value
    #[arg(long = "label", value_name = "KEY=VALUE", value_delimiter = ',', env = "MILLRACE_LABEL", value_parser = label)]
    labels: Vec<String>,
    /// How long running tasks may go on after SIGTERM
    #[arg(long, default_value = "25s", value_parser = duration::parse, env = "MILLRACE_GRACE")]
    grace: Duration,
    /// Where to serve health and metrics (default: nowhere)
    #[arg(long = "listen", env = "MILLRACE_WORKER_LISTEN", value_name = "ADDRESS")]
    listen: Option<String>,
    #[command(flatten)]
    execution: ExecutionArgs,
}

/// Reads a label, and leaves it as it will be shown.
fn label(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, _)) if !key.is_empty() => Ok(text.to_owned()),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// Runs a worker until SIGTERM.
pub(crate) async fn run(common: &Common, args: WorkerArgs) -> Result<(), CliError> {
    let shutdown = Shutdown::new();
    shutdown.on_signals()?;
    let settings = common.settings(&args.servers)?;
    let settings = Settings { worker_listen: args.listen.or(settings.worker_listen), ..settings };
    let config = settings.worker()?;
    let options = worker_options(&args.execution, args.pools.named()?)?;
    let options =
        millrace_worker::Options { labels: args.labels, grace: args.grace, listen: config.listen, ..options };
    let Some((store, broker)) = servers::connect(&config.store, &config.broker, "worker", &shutdown).await?
    else {
        return Ok(());
    };
    let pools = args.pools.pools.join(",");
    tracing::info!(pools, slots = options.slots, prefix = config.store.prefix, "worker");
    let worker = Worker::start(store, broker.clone(), options, shutdown.clone());
    let working = async {
        worker.finish().await;
        Ok(())
    };
    let worked = servers::unless_refused(&broker, &shutdown, working).await;
    broker.close().await;
    worked?;
    tracing::info!("the worker has ended");
    CliError::of_end(&shutdown)
}
