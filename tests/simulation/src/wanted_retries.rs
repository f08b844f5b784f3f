//! The retries that are wanted of runs.

use millrace_domain::RunId;

/// The retries that are wanted of a run.
#[derive(Debug, Clone)]
pub(crate) struct WantedRetries {
    pub(crate) run: RunId,
    pub(crate) who: u64,
    /// The time before each of them, how often it is asked for, and whether it is one of the last retry rather than of the
    /// run itself.
    pub(crate) each: Vec<(u64, u64, bool)>,
}
