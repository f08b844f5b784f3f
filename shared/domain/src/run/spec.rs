//! What a run was asked to do. Written once, when the run is created.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::params::Params;
use crate::submission::Submission;
use crate::{Priority, Timestamp, WorkflowId};

/// The specification of a run: which definition it runs, and with what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The version of this record.
    pub v: u8,
    /// Where the definition of the run is.
    pub source: Source,
    /// The values of the run's params, checked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: Params,
    /// The instant the run stands for: its fire, or its creation.
    pub scheduled_at: Timestamp,
    /// The priority with which its tasks are queued.
    pub priority: Priority,
    /// What started the run.
    pub trigger: Trigger,
    /// The W3C trace context of the submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The directory of the definition's file, when the run is embedded: where its shell steps start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_dir: Option<String>,
}

impl Spec {
    /// The version of specifications that this code writes.
    pub const VERSION: u8 = 1;
}

/// The source of a run's definition. A run keeps it to the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A version of a stored workflow.
    Stored {
        /// The name of the workflow.
        workflow: WorkflowId,
        /// The version that the run executes.
        version: u32,
    },
    /// An ad-hoc task: the submission is the definition.
    Adhoc(Box<Submission>),
    /// A definition given with the run, and stored nowhere else.
    Inline(String),
}

/// The trigger of a run: what started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A schedule fired.
    Schedule,
    /// A request to the REST API, or a command.
    Api,
    /// A message on the `submit` queue.
    Message,
    /// A step of another run.
    Workflow,
}
