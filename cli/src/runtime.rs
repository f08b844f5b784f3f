//! Runs a command on a runtime of its own, with logs as configured, until it ends or is interrupted.

use std::time::Duration;

use millrace_runtime::telemetry::{self, LogFormat};

use crate::error::CliError;
use crate::interrupt;
use crate::options::{Common, Servers};

/// The log filter of commands that talk to a producer.
pub(crate) const CLIENT_LOG: &str = "warn,lapin=off";

/// Runs a command that asks a producer, and has nothing to put in order when it is interrupted.
pub(crate) fn client_command(
    common: &Common,
    command: impl Future<Output = Result<(), CliError>>,
) -> Result<(), CliError> {
    block_on(common, CLIENT_LOG, until_interrupted(command))
}

/// The time that a command has to say more about its interruption: it may hear of it a moment later.
const HEARD_WITHIN: Duration = Duration::from_millis(100);

/// Runs a command until it ends or is interrupted.
pub(crate) async fn until_interrupted(
    command: impl Future<Output = Result<(), CliError>>,
) -> Result<(), CliError> {
    let mut command = std::pin::pin!(command);
    tokio::select! {
        biased;
        ended = &mut command => return ended,
        () = interrupt::asked() => {}
    }
    let said = tokio::time::timeout(HEARD_WITHIN, command).await;
    said.unwrap_or_else(|_| Err(CliError::Interrupted("interrupted".to_owned())))
}

/// Runs a command on a Tokio runtime of its own, with logs as configured.
pub(crate) fn block_on(
    common: &Common,
    default_log: &str,
    command: impl Future<Output = Result<(), CliError>>,
) -> Result<(), CliError> {
    let settings = common.settings(&Servers::default())?;
    let format = match settings.log_format.as_deref() {
        None | Some("text") => LogFormat::Text,
        Some("json") => LogFormat::Json,
        Some(other) => {
            return Err(CliError::Usage(format!("MILLRACE_LOG_FORMAT: {other:?}: expected text or json")));
        }
    };
    telemetry::init_logs(settings.log.as_deref().unwrap_or(default_log), format).map_err(CliError::Usage)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("millrace").build()?;
    let result = runtime.block_on(command);
    // What is left is cancelled now. A thread of a library that waits for a part of it panics then, after all was said.
    std::panic::set_hook(Box::new(|_| {}));
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    result
}
