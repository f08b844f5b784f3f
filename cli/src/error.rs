//! What can end a command before it is done, and with which exit code.

use millrace_runtime::Shutdown;

use crate::exit_code::ExitCode;

/// A failure, as the user sees it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Any other failure.
    #[error("{0}")]
    Failed(String),
    /// The command line or a file is wrong.
    #[error("{0}")]
    Usage(String),
    /// A run failed, timed out or was cancelled. What happened was shown already.
    #[error("")]
    RunFailed,
    /// The token is missing or wrong.
    #[error("{0}")]
    Unauthorized(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The wait for a run took longer than was asked for.
    #[error("{0}")]
    TimedOut(String),
    /// Ctrl-C or SIGTERM came.
    #[error("{0}")]
    Interrupted(String),
}

impl CliError {
    /// The exit code of the process.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Failed(_) => ExitCode::Failed,
            Self::Usage(_) => ExitCode::Usage,
            Self::RunFailed => ExitCode::RunFailed,
            Self::Unauthorized(_) => ExitCode::Unauthorized,
            Self::NotFound(_) => ExitCode::NotFound,
            Self::TimedOut(_) => ExitCode::TimedOut,
            Self::Interrupted(_) => ExitCode::Interrupted,
        }
    }

    /// The result of a process that has ended: an error when a part of it broke, or it could not do its work.
    pub(crate) fn of_end(shutdown: &Shutdown) -> Result<(), Self> {
        if let Some(why) = shutdown.why_failed() {
            return Err(Self::failed(why));
        }
        match shutdown.is_broken() {
            true => Err(Self::failed("a part of this process has broken, which is a bug: see the log above")),
            false => Ok(()),
        }
    }

    /// A failure from anything that says what is wrong.
    pub(crate) fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error)
    }
}

impl From<millrace_runtime::config::ConfigError> for CliError {
    fn from(error: millrace_runtime::config::ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<millrace_producer::Error> for CliError {
    fn from(error: millrace_producer::Error) -> Self {
        Self::failed(error)
    }
}

impl From<millrace_store::StoreError> for CliError {
    fn from(error: millrace_store::StoreError) -> Self {
        Self::failed(error)
    }
}

impl From<millrace_broker::BrokerError> for CliError {
    fn from(error: millrace_broker::BrokerError) -> Self {
        Self::failed(error)
    }
}
