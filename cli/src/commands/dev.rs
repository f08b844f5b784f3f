//! `dev`: everything in one process, with state that survives a restart.

use std::collections::BTreeSet;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clap::Args;
use millrace_domain::PoolName;
use millrace_producer::Access;
use millrace_runtime::Shutdown;
use millrace_runtime::config::Settings;
use nix::fcntl::{Flock, FlockArg};
use serde_json::Value;

use crate::client::Client;
use crate::commands::{apply, validate};
use crate::embedded::Embedded;
use crate::error::CliError;
use crate::options::{Common, ExecutionArgs, PoolArgs, Servers};
use crate::output;

/// The most workflows that are named of those that were stored before.
const NAMED: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// Workflow files to store at the start
    files: Vec<PathBuf>,
    /// Where the state is kept
    #[arg(long, env = "MILLRACE_DATA", value_name = "DIR", default_value = ".millrace")]
    data: PathBuf,
    /// Where to serve the API
    #[arg(long, env = "MILLRACE_LISTEN", value_name = "ADDRESS")]
    listen: Option<String>,
    /// Names with dots by which it is reached, comma separated (default: none)
    #[arg(long, env = "MILLRACE_ALLOWED_HOSTS", value_name = "HOSTS")]
    allowed_hosts: Option<String>,
    #[command(flatten)]
    pools: PoolArgs,
    #[command(flatten)]
    execution: ExecutionArgs,
}

/// Serves until Ctrl-C.
pub(crate) async fn run(common: &Common, args: DevArgs) -> Result<(), CliError> {
    let shutdown = Shutdown::new();
    shutdown.on_signals()?;
    let pools = pools_to_serve(&args)?;
    let settings = common.settings(&Servers::default())?;
    let settings = Settings {
        listen: args.listen.clone().or(settings.listen),
        allowed_hosts: args.allowed_hosts.clone().or(settings.allowed_hosts),
        ..settings
    };
    let config = settings.api()?;
    let access = Access { token: config.token, hosts: config.allowed_hosts.into() };
    let listener = millrace_producer::bind(config.listen).await?;
    let address = listener.local_addr()?;
    let _lock = lock(&args.data)?;
    let database = args.data.join("state.db");
    let embedded =
        Embedded::start(Some(&database), access, &args.execution, pools, true, shutdown.clone()).await?;
    let front = millrace_producer::api::Front::default();
    front.open(embedded.producer.router());
    let serving = tokio::spawn(millrace_producer::api::serve(listener, front, shutdown.clone()));
    let applied = apply::store(&embedded.client(), &args.files).await;
    match &applied {
        Ok(applied) => {
            output::note(&format!("millrace dev: http://{address}, state in {}", args.data.display()));
            for row in applied {
                let (name, change) =
                    (row["name"].as_str().unwrap_or_default(), row["change"].as_str().unwrap_or_default());
                output::note(&format!("  workflow {name}, version {} ({change})", row["version"]));
            }
            also_stored(&embedded.client(), applied).await;
            output::note("  try: millrace submit --follow -- echo hello");
            embedded.wait().await;
        }
        Err(_) => {
            shutdown.begin();
            embedded.finish().await;
        }
    }
    let _ = serving.await;
    CliError::of_end(&shutdown)?;
    applied.map(drop)
}

/// The pool `default`, those that were asked for, and those of the files.
fn pools_to_serve(args: &DevArgs) -> Result<Vec<PoolName>, CliError> {
    let mut pools = BTreeSet::from([PoolName::default()]);
    pools.extend(args.pools.named()?);
    for file in &args.files {
        pools.extend(validate::pools(&validate::load(file)?));
    }
    Ok(pools.into_iter().collect())
}

/// Tells what is stored beside what was just applied: it goes on firing.
async fn also_stored(client: &Client, applied: &[Value]) {
    // A list that cannot be had is no reason not to serve.
    let answer = client.get("/api/v1/workflows").await.unwrap_or_default();
    let stored = answer["workflows"].as_array().map_or(&[] as &[Value], Vec::as_slice);
    let others: Vec<&Value> =
        stored.iter().filter(|other| !applied.iter().any(|row| row["name"] == other["name"])).collect();
    for other in others.iter().take(NAMED) {
        let name = other["name"].as_str().unwrap_or_default();
        let fires = match (other["paused"].as_bool(), other["next_fire"].as_str()) {
            (Some(true), _) => ", paused".to_owned(),
            (_, Some(next)) => format!(", fires next at {next}"),
            (_, None) => String::new(),
        };
        output::note(&format!("  also stored: {name}, version {}{fires}", other["version"]));
    }
    if others.len() > NAMED {
        output::note(&format!("  and {} more: millrace workflows list", others.len() - NAMED));
    }
}

/// Makes the data directory, for its owner alone, and holds it: two processes on one state would spoil it.
fn lock(data: &Path) -> Result<Flock<std::fs::File>, CliError> {
    let failed = |e: std::io::Error| {
        CliError::Failed(format!(
            "the state cannot be kept in {}: {e}; keep it elsewhere with --data DIR",
            data.display()
        ))
    };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(failed)?;
    let file = std::fs::File::create(data.join("lock")).map_err(failed)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| {
        CliError::Failed(format!(
            "{} is in use by another millrace dev; stop it, or keep the state elsewhere with --data DIR",
            data.display()
        ))
    })
}
