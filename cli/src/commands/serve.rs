//! `producer` and `worker`: the two roles of a fleet.

use std::sync::Arc;

use millrace_broker::Broker;
use millrace_broker::rabbitmq::{QueueType, RabbitMqBroker};
use millrace_domain::PoolName;
use millrace_producer::{Access, Producer};
use millrace_runtime::config::Settings;
use millrace_runtime::secret::mask_url;
use millrace_runtime::{Shutdown, http};
use millrace_store::Store;
use millrace_store::redis::RedisStore;
use millrace_worker::Worker;

use crate::args::{Common, ProducerArgs, WorkerArgs};
use crate::commands::token;
use crate::embedded::worker_options;
use crate::error::CliError;

/// Runs a producer until SIGTERM.
pub(crate) async fn producer(common: Common, args: ProducerArgs) -> Result<(), CliError> {
    let shutdown = Shutdown::new();
    shutdown.on_signals()?;
    let settings = common.settings(&args.servers)?;
    let mut settings = Settings {
        listen: args.listen.or(settings.listen),
        allowed_hosts: args.allowed_hosts.or(settings.allowed_hosts),
        partitions: args.partitions.or(settings.partitions),
        ..settings
    };
    if let (None, Some(data)) = (&settings.token, &args.data) {
        settings.token = Some(token::keep(data)?);
        tracing::info!("no MILLRACE_TOKEN is set: `millrace token show` prints the one made here");
    }
    let (address, prefix, partitions) = (settings.listen()?, settings.prefix()?, settings.partitions()?);
    let hosts = settings.allowed_hosts()?;
    // A producer starts no processes, so that none inherits it.
    http::descriptors::raise();
    // Whoever ends before anything is connected has nothing to close.
    let listener = millrace_producer::bind(address).await?;
    let address = listener.local_addr()?;
    let Some((store, broker)) = connect(&settings, "producer", &shutdown).await? else { return Ok(()) };
    let front = millrace_producer::api::Front::default();
    let serving = tokio::spawn(millrace_producer::api::serve(listener, front.clone(), shutdown.clone()));
    tracing::info!(%address, prefix, "producer");
    let options = millrace_producer::Options { partitions, ..millrace_producer::Options::default() };
    let explicit = settings.partitions.is_some();
    let access = Access { token: settings.token.clone(), hosts: hosts.into() };
    let producing = async {
        let started =
            Producer::start(store, broker.clone(), options, explicit, &prefix, access, shutdown.clone());
        match started.await {
            Ok(producer) => {
                front.open(producer.router());
                producer.finish().await;
                let _ = serving.await;
                Ok(())
            }
            Err(_) if shutdown.has_begun() => Ok(()),
            Err(error) => Err(CliError::from(error)),
        }
    };
    let worked = unless_refused(&broker, &shutdown, producing).await;
    broker.close().await;
    worked?;
    tracing::info!("the producer has ended");
    CliError::of_end(&shutdown)
}

/// Runs a worker until SIGTERM.
pub(crate) async fn worker(common: Common, args: WorkerArgs) -> Result<(), CliError> {
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
    let Some((store, broker)) = connect(&settings, "worker", &shutdown).await? else { return Ok(()) };
    let pools = args.pools.join(",");
    tracing::info!(pools, slots = options.slots, prefix = settings.prefix()?, "worker");
    let worker = Worker::start(store, broker.clone(), options, shutdown.clone());
    let working = async {
        worker.finish().await;
        Ok(())
    };
    let worked = unless_refused(&broker, &shutdown, working).await;
    broker.close().await;
    worked?;
    tracing::info!("the worker has ended");
    CliError::of_end(&shutdown)
}

/// The store and the broker of the settings; nothing when the shutdown comes first.
async fn connect(
    settings: &Settings,
    role: &str,
    shutdown: &Shutdown,
) -> Result<Option<(Arc<dyn Store>, Arc<RabbitMqBroker>)>, CliError> {
    let connecting = async {
        let store = store(settings).await?;
        Ok((store, Arc::new(broker(settings, role)?)))
    };
    // What is wrong with an address is told before anything is waited for.
    let (broker, store) = (mask_url(&settings.amqp_url()?), mask_url(&settings.redis_url()?));
    tracing::info!(broker, store, "connecting");
    tokio::select! {
        connected = connecting => connected.map(Some),
        () = shutdown.begun() => Ok(None),
    }
}

/// Does a role's work. A broker that does not let us in ends it, as such a store does: what was typed is wrong, and
/// waiting does not help. One that has let us in once is waited for.
async fn unless_refused(
    broker: &RabbitMqBroker,
    shutdown: &Shutdown,
    work: impl Future<Output = Result<(), CliError>>,
) -> Result<(), CliError> {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        ended = &mut work => ended,
        Err(refused) = broker.admitted() => {
            shutdown.begin();
            work.await?;
            Err(refused.into())
        }
    }
}

/// The store of the settings. It connects again after every loss, and in the background when nobody is there.
pub(crate) async fn store(settings: &Settings) -> Result<Arc<dyn Store>, CliError> {
    let store = RedisStore::connect(millrace_store::redis::Options {
        prefix: settings.prefix()?,
        allow_unsafe: settings.allow_unsafe_store.unwrap_or(false),
        wait_replicas: settings.wait_replicas()?,
        ..millrace_store::redis::Options::new(settings.redis_url()?)
    });
    Ok(Arc::new(store.await?))
}

/// The broker of the settings. It connects in the background, and again after every loss.
pub(crate) fn broker(settings: &Settings, role: &str) -> Result<RabbitMqBroker, CliError> {
    let broker = RabbitMqBroker::connect(millrace_broker::rabbitmq::Options {
        name: format!("millrace {role}"),
        queue_type: match settings.has_quorum_queues()? {
            true => QueueType::Quorum,
            false => QueueType::Classic,
        },
        ..millrace_broker::rabbitmq::Options::new(settings.amqp_url()?, settings.prefix()?)
    })?;
    Ok(broker)
}
