//! `producer` and `worker`: the two roles of a fleet.

use std::sync::Arc;

use millrace_broker::Broker;
use millrace_broker::rabbitmq::{QueueType, RabbitMqBroker};
use millrace_domain::PoolName;
use millrace_producer::{Access, Producer};
use millrace_runtime::Shutdown;
use millrace_runtime::config::Settings;
use millrace_runtime::secret::mask_url;
use millrace_store::Store;
use millrace_store::redis::RedisStore;
use millrace_worker::Worker;

use crate::args::{Common, ProducerArgs, WorkerArgs};
use crate::commands::token;
use crate::embedded::worker_options;
use crate::error::CliError;

/// Runs a producer until SIGTERM.
pub(crate) async fn producer(common: Common, args: ProducerArgs) -> Result<(), CliError> {
    let settings = common.settings(&args.servers)?;
    let mut settings = Settings {
        listen: args.listen.or(settings.listen),
        partitions: args.partitions.or(settings.partitions),
        ..settings
    };
    if let (None, Some(data)) = (&settings.token, &args.data) {
        settings.token = Some(token::keep(data)?);
        tracing::info!("no MILLRACE_TOKEN is set: `millrace token show` prints the one made here");
    }
    let (address, prefix, partitions) = (settings.listen()?, settings.prefix()?, settings.partitions()?);
    let (store, broker) = servers(&settings, "producer").await?;
    let listener = millrace_producer::bind(address).await?;
    let address = listener.local_addr()?;
    let shutdown = Shutdown::new();
    shutdown.on_signals()?;
    let front = millrace_producer::api::Front::default();
    let serving = tokio::spawn(millrace_producer::api::serve(listener, front.clone(), shutdown.clone()));
    tracing::info!(%address, prefix, "producer");
    let options = millrace_producer::Options { partitions, ..millrace_producer::Options::default() };
    let explicit = settings.partitions.is_some();
    let access = Access { token: settings.token.clone() };
    let started =
        Producer::start(store, Arc::clone(&broker), options, explicit, &prefix, access, shutdown.clone())
            .await;
    let producer = match started {
        Ok(producer) => producer,
        Err(_) if shutdown.has_begun() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    front.open(producer.router());
    producer.finish().await;
    let _ = serving.await;
    broker.close().await;
    tracing::info!("the producer has ended");
    CliError::of_end(&shutdown)
}

/// Runs a worker until SIGTERM.
pub(crate) async fn worker(common: Common, args: WorkerArgs) -> Result<(), CliError> {
    let settings = common.settings(&args.servers)?;
    let settings = Settings { worker_listen: args.listen.or(settings.worker_listen), ..settings };
    let pools: Result<Vec<PoolName>, _> = args.pools.iter().map(|name| name.parse()).collect();
    let pools = pools.map_err(|e| CliError::Usage(format!("--pool: {e}")))?;
    let (store, broker) = servers(&settings, "worker").await?;
    let options = worker_options(&args.execution, pools)?;
    let options = millrace_worker::Options {
        labels: args.labels,
        grace: args.grace,
        listen: settings.worker_listen()?,
        ..options
    };
    let shutdown = Shutdown::new();
    shutdown.on_signals()?;
    let pools = args.pools.join(",");
    tracing::info!(pools, slots = options.slots, prefix = settings.prefix()?, "worker");
    let worker = Worker::start(store, Arc::clone(&broker), options, shutdown.clone());
    worker.finish().await;
    broker.close().await;
    tracing::info!("the worker has ended");
    CliError::of_end(&shutdown)
}

/// The store and the broker of the settings. Both connect in the background, and again after every loss.
pub(crate) async fn servers(
    settings: &Settings,
    role: &str,
) -> Result<(Arc<dyn Store>, Arc<dyn Broker>), CliError> {
    let (amqp_url, redis_url, prefix) = (settings.amqp_url()?, settings.redis_url()?, settings.prefix()?);
    tracing::info!(broker = mask_url(&amqp_url), store = mask_url(&redis_url), "connecting");
    let store = RedisStore::connect(millrace_store::redis::Options {
        prefix: prefix.clone(),
        allow_unsafe: settings.allow_unsafe_store.unwrap_or(false),
        wait_replicas: settings.wait_replicas()?,
        ..millrace_store::redis::Options::new(redis_url)
    })
    .await?;
    let broker = RabbitMqBroker::connect(millrace_broker::rabbitmq::Options {
        name: format!("millrace {role}"),
        queue_type: match settings.has_quorum_queues()? {
            true => QueueType::Quorum,
            false => QueueType::Classic,
        },
        ..millrace_broker::rabbitmq::Options::new(amqp_url, prefix)
    })?;
    Ok((Arc::new(store), Arc::new(broker)))
}
