//! What can end a command, and with which status.

use millrace_runtime::Shutdown;

/// A failure, as the user sees it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Anything else.
    #[error("{0}")]
    Failed(String),
    /// The command line or a file is wrong.
    #[error("{0}")]
    Usage(String),
    /// A run ended with another outcome than succeeded. What happened was shown already.
    #[error("")]
    RunFailed,
    /// The token is missing or wrong.
    #[error("{0}")]
    Unauthorized(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// The wait took too long.
    #[error("{0}")]
    TimedOut(String),
    /// Ctrl-C.
    #[error("{0}")]
    Interrupted(String),
}

impl CliError {
    /// The status, as documented in `docs/cli.md`.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::RunFailed => 3,
            Self::Unauthorized(_) => 4,
            Self::NotFound(_) => 5,
            Self::TimedOut(_) => 124,
            Self::Interrupted(_) => 130,
        }
    }

    /// The end of a process: an error when a part of it broke, or it could not do its work.
    pub(crate) fn of_end(shutdown: &Shutdown) -> Result<(), Self> {
        if let Some(why) = shutdown.why_failed() {
            return Err(Self::failed(why));
        }
        match shutdown.is_broken() {
            true => Err(Self::failed("a part of this process has broken, which is a bug: see the log above")),
            false => Ok(()),
        }
    }

    /// From anything that says what is wrong.
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
