//! Producer and worker in this process, on the memory broker and SQLite. The same code as a fleet.

use std::path::Path;
use std::sync::Arc;

use millrace_broker::memory::MemoryBroker;
use millrace_domain::{PoolName, SessionId};
use millrace_producer::{Access, Producer};
use millrace_runtime::Shutdown;
use millrace_store::Store;
use millrace_store::sqlite::SqliteStore;
use millrace_worker::Worker;
use uuid::Uuid;

use crate::client::Client;
use crate::error::CliError;
use crate::options::ExecutionArgs;

/// The partitions of an embedded cluster: one process owns them all, so a few are enough.
const PARTITIONS: u16 = 8;

/// The prefix of the queue names of an embedded cluster.
const PREFIX: &str = "millrace";

/// A producer and a worker in this process.
pub(crate) struct Embedded {
    pub(crate) producer: Producer,
    worker: Worker,
    token: Option<String>,
    shutdown: Shutdown,
}

impl Embedded {
    /// Starts producer and worker on the database at `database`, or in memory. The worker serves `pools`. Without
    /// `schedules`, those of workflows that are stored rest.
    pub(crate) async fn start(
        database: Option<&Path>,
        access: Access,
        execution: &ExecutionArgs,
        pools: Vec<PoolName>,
        schedules: bool,
        shutdown: Shutdown,
    ) -> Result<Self, CliError> {
        let store: Arc<dyn Store> = match database {
            Some(path) => Arc::new(SqliteStore::open(path)?),
            None => Arc::new(SqliteStore::memory()?),
        };
        let broker = Arc::new(MemoryBroker::new(PREFIX));
        let token = access.token.clone();
        let options = millrace_producer::Options {
            partitions: PARTITIONS,
            local_files: true,
            schedules,
            ..millrace_producer::Options::default()
        };
        let producer = Producer::start(
            Arc::clone(&store),
            broker.clone(),
            options,
            false,
            PREFIX,
            access,
            shutdown.clone(),
        )
        .await?;
        let options = worker_options(execution, pools)?;
        let worker = Worker::start(store, broker, options, shutdown.clone());
        producer.ready().await;
        Ok(Self { producer, worker, token, shutdown })
    }

    /// A client of the embedded producer.
    pub(crate) fn client(&self) -> Client {
        Client::Local { router: self.producer.router(), token: self.token.clone() }
    }

    /// Ends producer and worker: tasks under way are killed and handed back after their grace.
    pub(crate) async fn finish(self) {
        self.shutdown.begin();
        tokio::join!(self.worker.finish(), self.producer.finish());
    }

    /// Waits for the shutdown, then ends producer and worker.
    pub(crate) async fn wait(self) {
        self.shutdown.begun().await;
        self.finish().await;
    }
}

/// The options of a worker, from what was typed.
pub(crate) fn worker_options(
    execution: &ExecutionArgs,
    pools: Vec<PoolName>,
) -> Result<millrace_worker::Options, CliError> {
    let session = SessionId(Uuid::new_v4());
    let work_dir = match &execution.work_dir {
        Some(dir) => {
            dir.canonicalize().map_err(|e| CliError::Usage(format!("--work-dir: {}: {e}", dir.display())))?
        }
        None => std::env::current_dir()?,
    };
    let mut settings = millrace_worker::settings::Settings::new(work_dir, session);
    settings.pass_env.clone_from(&execution.pass_env);
    // Tasks run as the same user: /proc must not show them this process's environment, with its passwords.
    nix::sys::prctl::set_dumpable(false).map_err(CliError::failed)?;
    let program = std::env::current_exe()?;
    let guardian = millrace_worker::guardian::Guardian::start(program, session)
        .map_err(|e| CliError::Failed(format!("the guardian process cannot be started: {e}")))?;
    settings.guardian = Some(guardian);
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let slots = execution.concurrency.unwrap_or_else(|| u32::try_from(processors * 4).unwrap_or(8).max(8));
    if slots == 0 || slots > 10_000 {
        return Err(CliError::Usage(format!("--concurrency: {slots} is out of range: expected 1 to 10000")));
    }
    Ok(millrace_worker::Options {
        pools,
        slots,
        labels: Vec::new(),
        host: hostname(),
        grace: std::time::Duration::from_secs(2),
        listen: None,
        settings,
    })
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}
