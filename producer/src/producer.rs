//! A producer, put together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use millrace_broker::Broker;
use millrace_domain::{ClusterId, Epoch, ProducerId};
use millrace_runtime::{Attendance, Backoff, Shutdown, StoreClock, telemetry};
use millrace_store::{Cluster, FORMAT, FORMAT_MINOR, Membership, Store, StoreError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::api::{self, Access};
use crate::backpressure::Backpressure;
use crate::clock;
use crate::condition::Condition;
use crate::confirmed::Confirmed;
use crate::context::{Context, Options, OwnedSet};
use crate::definitions::Definitions;
use crate::intake::amqp;
use crate::intake::gateway::Gateway;
use crate::intake::inbox::Inboxes;
use crate::intake::parked;
use crate::maintenance::{fullness, retention};
use crate::ownership::Ownership;
use crate::partition::actor::Actor;
use crate::partition::dispatch::published::Published;

/// Entries of the mailbox, at most: past it, whoever brings something waits.
const MAILBOX: usize = 8_192;

/// Why a producer cannot start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store cannot be used: it would lose data, or its cluster is another than the one that was asked for.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {why}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The answer of the system, and what to do.
        why: String,
    },
}

/// A running producer.
pub struct Producer {
    context: Arc<Context>,
    router: axum::Router,
    tasks: JoinSet<()>,
}

impl Producer {
    /// Starts a producer. It works as soon as the store answers; until then it keeps trying, and is not ready.
    /// `prefix` is the one of the broker. `explicit` says that the number of partitions was asked for by name.
    ///
    /// # Errors
    /// When the store would lose data, or the cluster has other partitions, queues or another format than were asked
    /// for.
    pub async fn start(
        store: Arc<dyn Store>,
        broker: Arc<dyn Broker>,
        options: Options,
        explicit: bool,
        prefix: &str,
        access: Access,
        shutdown: Shutdown,
    ) -> Result<Self, Error> {
        // What happens before the first scrape counts as well.
        let _ = telemetry::metrics_handle();
        let wanted = Cluster {
            id: ClusterId(options.ambient.random_id()),
            partitions: options.partitions,
            queues: broker.queue_kind().to_owned(),
            format: FORMAT,
            minor: FORMAT_MINOR,
            since: Epoch::default(),
        };
        let mut membership = Membership::new(broker.queue_kind());
        let cluster = found(&mut membership, &*store, &wanted, explicit, &shutdown).await?;
        tracing::debug!(cluster = %cluster.id, partitions = cluster.partitions, queues = wanted.queues, "joined");
        let (told, owned) = watch::channel(Arc::new(OwnedSet::new()));
        let (stepped_down, stepping_down) = mpsc::unbounded_channel();
        let context = Arc::new(Context {
            id: ProducerId(options.ambient.random_id()),
            store,
            broker,
            partitions: cluster.partitions,
            clock: StoreClock::new(options.ambient.clone()),
            options,
            definitions: Definitions::default(),
            owned,
            open: AtomicBool::new(false),
            condition: Condition::default(),
            confirmed: Confirmed::default(),
            published: Published::default(),
            attendance: Attendance::default(),
            backpressure: Backpressure::new(),
            stepped_down,
            shutdown,
        });
        let (mailbox, inputs) = mpsc::channel(MAILBOX);
        let gateway = Gateway::new(Arc::clone(&context), mailbox.clone(), prefix);
        let inboxes = Inboxes::new(Arc::clone(&context), mailbox.clone());
        let mut tasks = JoinSet::new();
        let shutdown = &context.shutdown;
        let ownership =
            Ownership::new(Arc::clone(&context), membership, mailbox, inboxes, told, stepping_down);
        let intake = amqp::run(Arc::clone(&context), Arc::clone(&gateway));
        tasks.spawn(shutdown.vital("loop", Actor::new(Arc::clone(&context), inputs).run()));
        tasks.spawn(shutdown.vital("clock", clock::run(Arc::clone(&context))));
        tasks.spawn(shutdown.vital("ownership", ownership.run()));
        tasks.spawn(shutdown.vital("replies", Arc::clone(&gateway).receive()));
        tasks.spawn(shutdown.vital("intake", intake));
        tasks.spawn(shutdown.vital("parked", parked::run(Arc::clone(&context))));
        tasks.spawn(shutdown.vital("retention", retention::run(Arc::clone(&context))));
        tasks.spawn(shutdown.vital("fullness", fullness::run(Arc::clone(&context))));
        let router = api::router(Arc::clone(&context), gateway, access);
        Ok(Self { context, router, tasks })
    }

    /// The API, to be served, or called in the same process.
    pub fn router(&self) -> axum::Router {
        self.router.clone()
    }

    /// Waits until it owns something: then it is at work.
    pub async fn ready(&self) {
        let mut owned = self.context.owned.clone();
        let _ = owned.wait_for(|owned| !owned.is_empty()).await;
    }

    /// Waits for the shutdown and for the drain after it: partitions are given back, batches under way end.
    pub async fn finish(mut self) {
        self.context.shutdown.begun().await;
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(Duration::from_secs(10), drained).await.is_err() {
            tracing::warn!("the drain took too long; ending anyway (nothing is lost)");
        }
    }
}

/// Binds the listen address, or says what to do.
///
/// # Errors
/// When the address is taken or not ours.
pub async fn bind(address: SocketAddr) -> Result<tokio::net::TcpListener, Error> {
    tokio::net::TcpListener::bind(address).await.map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "the port is in use; stop what uses it, or choose another with --listen or MILLRACE_LISTEN"
                    .to_owned()
            }
            _ => error.to_string(),
        };
        Error::Listen { address, why }
    })
}

/// Founds or joins the cluster, waiting for the store as long as it takes.
async fn found(
    membership: &mut Membership,
    store: &dyn Store,
    wanted: &Cluster,
    explicit: bool,
    shutdown: &Shutdown,
) -> Result<Cluster, Error> {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
    loop {
        match membership.found(store, wanted, explicit).await {
            Ok(cluster) => return Ok(cluster),
            Err(error @ (StoreError::Unsafe(_) | StoreError::Configuration(_))) => return Err(error.into()),
            Err(error) => {
                tracing::warn!(%error, "waiting for the store");
                if shutdown.has_begun() {
                    return Err(error.into());
                }
            }
        }
        tokio::select! {
            biased;
            () = shutdown.begun() => {}
            () = backoff.wait() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use millrace_domain::PartitionId;
    use millrace_runtime::config::Settings;

    #[test]
    fn a_cluster_can_have_as_many_partitions_as_the_id_of_a_run_has_room_for_and_no_more() {
        let with = |partitions| Settings { partitions: Some(partitions), ..Settings::default() }.producer();
        assert_eq!(with(PartitionId::MOST).map(|config| config.partitions), Ok(PartitionId::MOST));
        let error = with(PartitionId::MOST + 1).unwrap_err().to_string();
        assert!(error.contains("expected 1 to 1024"), "{error}");
    }
}
