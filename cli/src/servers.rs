//! The servers of a fleet, as they are configured: its store and its broker.

use std::sync::Arc;

use millrace_broker::rabbitmq::{QueueType, RabbitMqBroker};
use millrace_runtime::Shutdown;
use millrace_runtime::config::{BrokerConfig, StoreConfig};
use millrace_runtime::secret::mask_url;
use millrace_store::Store;
use millrace_store::redis::RedisStore;

use crate::error::CliError;

/// Connects to the store and the broker; `None` when the shutdown comes first.
pub(crate) async fn connect(
    store_config: &StoreConfig,
    broker_config: &BrokerConfig,
    role: &str,
    shutdown: &Shutdown,
) -> Result<Option<(Arc<dyn Store>, Arc<RabbitMqBroker>)>, CliError> {
    let connecting = async {
        let store = store(store_config).await?;
        Ok((store, Arc::new(broker(broker_config, role)?)))
    };
    let (broker, store) = (mask_url(&broker_config.url), mask_url(&store_config.url));
    tracing::info!(broker, store, "connecting");
    tokio::select! {
        connected = connecting => connected.map(Some),
        () = shutdown.begun() => Ok(None),
    }
}

/// Does the work of a role. A broker that does not let us in ends it, as such a store does: what was typed is wrong,
/// and waiting does not help. One that has let us in once is waited for.
pub(crate) async fn unless_refused(
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

/// The store as it is configured. It connects again after every loss, and in the background when nobody is there.
pub(crate) async fn store(config: &StoreConfig) -> Result<Arc<dyn Store>, CliError> {
    let store = RedisStore::connect(millrace_store::redis::Options {
        prefix: config.prefix.clone(),
        allow_unsafe: config.allow_unsafe,
        wait_replicas: config.wait_replicas,
        ..millrace_store::redis::Options::new(config.url.clone())
    });
    Ok(Arc::new(store.await?))
}

/// The broker as it is configured. It connects in the background, and again after every loss.
pub(crate) fn broker(config: &BrokerConfig, role: &str) -> Result<RabbitMqBroker, CliError> {
    let broker = RabbitMqBroker::connect(millrace_broker::rabbitmq::Options {
        name: format!("millrace {role}"),
        queue_type: match config.has_quorum_queues {
            true => QueueType::Quorum,
            false => QueueType::Classic,
        },
        ..millrace_broker::rabbitmq::Options::new(config.url.clone(), config.prefix.clone())
    })?;
    Ok(broker)
}
