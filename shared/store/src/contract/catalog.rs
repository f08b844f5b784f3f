//! Stored definitions. Immutable per version; the head says which version is current.

use std::sync::Arc;

use millrace_domain::WorkflowId;

/// A change to a workflow.
#[derive(Debug, Clone)]
pub enum WorkflowDelta {
    /// A new version is stored.
    Put {
        /// The name of the workflow.
        workflow: WorkflowId,
        /// The number of the version, from 1.
        version: u32,
        /// The definition as its author wrote it.
        source: Arc<str>,
        /// The new head (JSON).
        head: String,
    },
    /// The head is replaced.
    Head {
        /// The name of the workflow.
        workflow: WorkflowId,
        /// The new head (JSON).
        head: String,
    },
    /// The workflow goes off the list. Its head and versions stay readable for the runs that use them.
    Unlist {
        /// The name of the workflow.
        workflow: WorkflowId,
        /// The new head (JSON).
        head: String,
    },
}

/// A workflow as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredWorkflow {
    /// The head of the workflow.
    pub head: String,
    /// The version that was asked for.
    pub version: u32,
    /// The source of that version.
    pub source: String,
}
