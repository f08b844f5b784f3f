//! The servers of a fleet, as the settings name them: its store and its broker.

use std::sync::Arc;

use millrace_broker::rabbitmq::{QueueType, RabbitMqBroker};
use millrace_runtime::Shutdown;
use millrace_runtime::config::Settings;
use millrace_runtime::secret::mask_url;
use millrace_store::Store;
use millrace_store::redis::RedisStore;

use crate::error::CliError;

/// Connects to the store and the broker of the settings; `None` when the shutdown comes first.
pub(crate) async fn connect(
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
