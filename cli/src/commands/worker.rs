//! `worker`: executes the tasks of its pools.

use millrace_broker::Broker;
use millrace_domain::PoolName;
use millrace_runtime::Shutdown;
use millrace_runtime::config::Settings;
use millrace_worker::Worker;

use crate::args::{Common, WorkerArgs};
use crate::embedded::worker_options;
use crate::error::CliError;
use crate::servers;

/// Runs a worker until SIGTERM.
pub(crate) async fn run(common: Common, args: WorkerArgs) -> Result<(), CliError> {
    let shutdown = Shutdown::new();
    shutdown.on_signals()?;
    let settings = common.settings(&args.servers)?;
    let settings = Settings { worker_listen: args.listen.or(settings.worker_listen), ..settings };
    let pools: Result<Vec<PoolName>, _> = args.pools.iter().map(|name| name.parse()).collect();
    let pools = pools.map_err(|e| CliError::Usage(format!("--pool: {e}")))?;
    let options = worker_options(&args.execution, pools)?;
    let options = millrace_worker::Options {
        labels: args.labels,
        grace: args.grace,
        listen: settings.worker_listen()?,
        ..options
    };
    let Some((store, broker)) = servers::connect(&settings, "worker", &shutdown).await? else {
        return Ok(());
    };
    let pools = args.pools.join(",");
    tracing::info!(pools, slots = options.slots, prefix = settings.prefix()?, "worker");
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
