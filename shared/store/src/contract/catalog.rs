//! Stored definitions. Immutable per version; the head says which version is current.

use millrace_domain::WorkflowName;

/// A change to a workflow.
#[derive(Debug, Clone)]
pub enum WorkflowDelta {
    /// A new version.
    Put {
        /// Which workflow.
        workflow: WorkflowName,
        /// From 1.
        version: u32,
        /// The definition as its author wrote it.
        source: String,
        /// The new head (JSON).
        head: String,
    },
    /// Another head.
    Head {
        /// Which workflow.
        workflow: WorkflowName,
        /// The new head (JSON).
        head: String,
    },
    /// Off the list. Its head and versions stay readable for the runs that use them.
    Unlist {
        /// Which workflow.
        workflow: WorkflowName,
        /// The new head (JSON).
        head: String,
    },
}

/// A workflow as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredWorkflow {
    /// Its head.
    pub head: String,
    /// The version that was asked for.
    pub version: u32,
    /// Its source.
    pub source: String,
}
