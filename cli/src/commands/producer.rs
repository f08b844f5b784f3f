//! `producer`: triggers, DAGs, dispatch, and the API of a fleet.

use std::path::PathBuf;

use clap::Args;
use millrace_broker::Broker;
use millrace_producer::{Access, Producer};
use millrace_runtime::config::Settings;
use millrace_runtime::{Shutdown, http};

use crate::error::CliError;
use crate::options::{Common, Servers};
use crate::{servers, token};

#[derive(Debug, Args)]
pub(crate) struct ProducerArgs {
    #[command(flatten)]
    servers: Servers,
    /// Where to serve the API, health and metrics (default: 127.0.0.1:7070)
    #[arg(long, env = "MILLRACE_LISTEN", value_name = "ADDRESS")]
    listen: Option<String>,
    /// Names with dots by which it is reached, comma separated (default: none)
    #[arg(long, env = "MILLRACE_ALLOWED_HOSTS", value_name = "HOSTS")]
    allowed_hosts: Option<String>,
    /// How many partitions a new cluster gets (default: 64)
    #[arg(long, env = "MILLRACE_PARTITIONS")]
    partitions: Option<u16>,
    /// Where a token is made and kept when none is set
    #[arg(long, env = "MILLRACE_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Runs a producer until SIGTERM.
pub(crate) async fn run(common: &Common, args: ProducerArgs) -> Result<(), CliError> {
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
    let config = settings.producer()?;
    // A producer starts no processes, so that none inherits it.
    http::descriptors::raise();
    // Whoever ends before anything is connected has nothing to close.
    let listener = millrace_producer::bind(config.api.listen).await?;
    let address = listener.local_addr()?;
    let Some((store, broker)) =
        servers::connect(&config.store, &config.broker, "producer", &shutdown).await?
    else {
        return Ok(());
    };
    let front = millrace_producer::api::Front::default();
    let serving = tokio::spawn(millrace_producer::api::serve(listener, front.clone(), shutdown.clone()));
    let prefix = config.store.prefix;
    tracing::info!(%address, prefix, "producer");
    let options =
        millrace_producer::Options { partitions: config.partitions, ..millrace_producer::Options::default() };
    let explicit = config.explicit_partitions;
    let access = Access { token: config.api.token, hosts: config.api.allowed_hosts.into() };
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
    let worked = servers::unless_refused(&broker, &shutdown, producing).await;
    broker.close().await;
    worked?;
    tracing::info!("the producer has ended");
    CliError::of_end(&shutdown)
}
