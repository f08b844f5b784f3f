//! Lists of runs, the newest first.

use millrace_domain::{RunId, Timestamp, WorkflowName};

/// Which runs to list.
#[derive(Debug, Clone, Default)]
pub struct RunQuery {
    /// How many partitions the cluster has.
    pub partitions: u16,
    /// At most so many.
    pub limit: usize,
    /// Only runs of this workflow.
    pub workflow: Option<WorkflowName>,
    /// Only runs that come after this one in the list: (created at, run).
    pub after: Option<(Timestamp, RunId)>,
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummary {
    /// Which run.
    pub run: RunId,
    /// When it was created.
    pub created_at: Timestamp,
    /// Which workflow.
    pub workflow: WorkflowName,
    /// Its head.
    pub head: String,
}
