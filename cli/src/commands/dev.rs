//! `dev`: everything in one process, with state that survives a restart.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use millrace_producer::Access;
use millrace_runtime::Shutdown;
use millrace_runtime::config::Settings;
use nix::fcntl::{Flock, FlockArg};

use crate::args::{Common, DevArgs, Servers};
use crate::commands::apply;
use crate::embedded::Embedded;
use crate::error::CliError;
use crate::output;

/// Serves until Ctrl-C.
pub(crate) async fn run(common: Common, args: DevArgs) -> Result<(), CliError> {
    let settings = common.settings(&Servers::default())?;
    let settings = Settings { listen: args.listen.clone().or(settings.listen), ..settings };
    let listener = millrace_producer::bind(settings.listen()?).await?;
    let address = listener.local_addr()?;
    let _lock = lock(&args.data)?;
    let shutdown = Shutdown::new();
    shutdown.on_signals()?;
    let access = Access { token: settings.token.clone() };
    let database = args.data.join("state.db");
    let embedded = Embedded::start(Some(&database), access, &args.execution, shutdown.clone()).await?;
    let front = millrace_producer::api::Front::default();
    front.open(embedded.producer.router());
    let serving = tokio::spawn(millrace_producer::api::serve(listener, front, shutdown.clone()));
    let applied = apply::apply(&embedded.client(), &args.files).await;
    match &applied {
        Ok(applied) => {
            output::note(&format!("millrace dev: http://{address}, state in {}", args.data.display()));
            for row in applied {
                let (name, change) =
                    (row["name"].as_str().unwrap_or_default(), row["change"].as_str().unwrap_or_default());
                output::note(&format!("  workflow {name}, version {} ({change})", row["version"]));
            }
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

/// Makes the data directory, for its owner alone, and holds it: two processes on one state would spoil it.
fn lock(data: &Path) -> Result<Flock<std::fs::File>, CliError> {
    let failed = |e: std::io::Error| CliError::Failed(format!("{}: {e}", data.display()));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(failed)?;
    let file = std::fs::File::create(data.join("lock")).map_err(failed)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| {
        CliError::Failed(format!(
            "{} is in use by another millrace dev; stop it, or keep the state elsewhere with --data DIR",
            data.display()
        ))
    })
}
