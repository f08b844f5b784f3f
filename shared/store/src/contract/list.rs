//! Lists of runs, the newest first.

use millrace_domain::{RunId, Timestamp, WorkflowId};

/// A query for runs: which of them to list.
#[derive(Debug, Clone, Default)]
pub struct RunQuery {
    /// The number of partitions of the cluster.
    pub partitions: u16,
    /// The greatest number of runs that are listed.
    pub limit: usize,
    /// The workflow whose runs alone are listed.
    pub workflow: Option<WorkflowId>,
    /// The run after which the list goes on: (created at, run).
    pub after: Option<(Timestamp, RunId)>,
}

/// A run as it is listed.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummary {
    /// The id of the run.
    pub run: RunId,
    /// When the run was created.
    pub created_at: Timestamp,
    /// The name of its workflow.
    pub workflow: WorkflowId,
    /// The head of the run.
    pub head: String,
}
