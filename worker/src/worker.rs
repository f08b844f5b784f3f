//! A worker, put together.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use millrace_broker::Broker;
use millrace_domain::PoolName;
use millrace_runtime::{Attendance, Shutdown, telemetry};
use millrace_store::Store;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use crate::claims::{Claims, Owners};
use crate::cluster::{ClusterCheck, Partitions};
use crate::control::Listener;
use crate::delivery::{ConsumerContext, PoolConsumer};
use crate::executors::Registry;
use crate::health::Health;
use crate::log::{BACKLOG_LIMIT_BYTES, LogShipper};
use crate::pipeline::Pipeline;
use crate::running::Running;
use crate::session::{Heartbeat, Identity};
use crate::settings::Settings;
use crate::stop::StopReason;

/// How long killed tasks may take to be handed back. With the default grace of 25 s, a worker ends within 30 s.
const HAND_BACK_LIMIT: Duration = Duration::from_secs(3);

/// How long the worker's background tasks may take to end: the session is over then, and the store hears of it.
const END_LIMIT: Duration = Duration::from_secs(1);

/// The options of a worker.
#[derive(Debug, Clone)]
pub struct Options {
    /// The pools that the worker serves.
    pub pools: Vec<PoolName>,
    /// How many tasks the worker runs at once.
    pub slots: u32,
    /// Labels of the worker, `key=value`, for people.
    pub labels: Vec<String>,
    /// The worker's name, for people.
    pub host: String,
    /// How long tasks may go on after the shutdown began.
    pub grace: Duration,
    /// The address at which health and metrics are served; nowhere when unset.
    pub listen: Option<SocketAddr>,
    /// The settings of its executors.
    pub settings: Settings,
}

/// A running worker.
pub struct Worker {
    running: Arc<Running>,
    tasks: TaskTracker,
    consumers: JoinSet<()>,
    background: JoinSet<()>,
    shutdown: Shutdown,
    ended: Shutdown,
    grace: Duration,
}

impl Worker {
    /// Starts a worker with the standard executors. It works as soon as broker and store answer, and through their
    /// absences.
    pub fn start(
        store: Arc<dyn Store>,
        broker: Arc<dyn Broker>,
        options: Options,
        shutdown: Shutdown,
    ) -> Self {
        let executors = Registry::standard(&options.settings);
        Self::start_with(store, broker, options, executors, shutdown)
    }

    /// Starts a worker with executors of the caller's choice.
    pub fn start_with(
        store: Arc<dyn Store>,
        broker: Arc<dyn Broker>,
        options: Options,
        executors: Registry,
        shutdown: Shutdown,
    ) -> Self {
        let Options { pools, slots, labels, host, grace, listen, settings } = options;
        // What happens before the first scrape counts as well.
        let _ = telemetry::metrics_handle();
        let running = Arc::new(Running::default());
        let ended = Shutdown::new();
        let id = settings.session;
        let identity = Identity {
            id,
            host: host.clone(),
            pools: pools.iter().map(ToString::to_string).collect(),
            slots,
            labels,
            started_at: settings.ambient.wall_millis(),
        };
        let (told_alive, alive) = watch::channel(false);
        let (told_paused, paused) = watch::channel(BTreeSet::new());
        let (told_trouble, trouble) = watch::channel(None);
        let partitions = Partitions::default();
        let mut background = JoinSet::new();
        let cluster =
            ClusterCheck::new(broker.queue_kind(), told_trouble, Arc::clone(&partitions), shutdown.clone());
        let heartbeat = Heartbeat {
            store: Arc::clone(&store),
            cluster,
            identity,
            guardian: settings.guardian.clone(),
            running: Arc::clone(&running),
            alive: told_alive,
            paused: told_paused,
            draining: shutdown.clone(),
        };
        background.spawn(shutdown.vital("session", heartbeat.run(ended.clone())));
        let attendance = Attendance::default();
        let listener = Listener {
            broker: Arc::clone(&broker),
            store: Arc::clone(&store),
            session: id,
            running: Arc::clone(&running),
        };
        background.spawn(shutdown.vital("control", listener.run(attendance.clone(), ended.clone())));
        if let Some(address) = listen {
            let health = Health {
                broker: Arc::clone(&broker),
                alive: alive.clone(),
                trouble,
                attendance: attendance.clone(),
            };
            background.spawn(health.serve(address, ended.clone()));
        }
        let pipeline = Arc::new(Pipeline {
            claims: Claims::start(&store, &shutdown),
            owners: Owners::start(Arc::clone(&broker), partitions, &shutdown),
            executors,
            shipper: LogShipper::start(store, BACKLOG_LIMIT_BYTES),
            settings: Arc::new(settings),
            running: Arc::clone(&running),
            session: id,
            host,
        });
        let tasks = TaskTracker::new();
        let context = ConsumerContext {
            broker,
            pipeline,
            tasks: tasks.clone(),
            alive,
            paused,
            shutdown: shutdown.clone(),
            attendance,
        };
        let mut consumers = JoinSet::new();
        for (pool, slots) in slots_by_pool(&pools, slots) {
            let consumer = PoolConsumer { pool, slots, context: context.clone() };
            consumers.spawn(shutdown.vital("intake", consumer.run()));
        }
        Self { running, tasks, consumers, background, shutdown, ended, grace }
    }

    /// Waits for the shutdown, then drains: nothing new is taken, what runs has its grace, what is left is killed
    /// and handed back without burning an attempt.
    pub async fn finish(mut self) {
        self.shutdown.begun().await;
        while self.consumers.join_next().await.is_some() {}
        self.tasks.close();
        let running = self.running.count();
        // What broke may be what keeps the session, without which no task may go on.
        let grace = if self.shutdown.is_broken() { Duration::ZERO } else { self.grace };
        if running > 0 {
            tracing::info!(running, grace_s = grace.as_secs(), "draining");
        }
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_err() {
            let killed = self.running.stop_all(StopReason::Draining);
            tracing::warn!(killed, "the grace is over: what still runs is killed and handed back");
            let _ = tokio::time::timeout(HAND_BACK_LIMIT, self.tasks.wait()).await;
        }
        self.ended.begin();
        let last = async { while self.background.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(END_LIMIT, last).await;
    }
}

/// Divides the worker's slots between its pools: as evenly as can be, and at least one for each.
fn slots_by_pool(pools: &[PoolName], slots: u32) -> Vec<(PoolName, u32)> {
    let count = u32::try_from(pools.len()).unwrap_or(u32::MAX).max(1);
    let (each, over) = (slots / count, slots % count);
    pools
        .iter()
        .zip(0..)
        .map(|(pool, place)| (pool.clone(), (each + u32::from(place < over)).max(1)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_share_the_slots_and_each_has_at_least_one() {
        let pools: Vec<PoolName> = ["a", "b", "c"].iter().map(|name| name.parse().unwrap()).collect();
        let counts =
            |slots| slots_by_pool(&pools, slots).into_iter().map(|(_, share)| share).collect::<Vec<_>>();
        assert_eq!(counts(8), [3, 3, 2]);
        assert_eq!(counts(1), [1, 1, 1]);
    }
}
