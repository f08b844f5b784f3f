//! What a run was asked to do. Written once, when the run is created.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::params::Params;
use crate::submission::Submission;
use crate::{Priority, Timestamp, WorkflowName};

/// What a run runs, and with what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// The version of this record.
    pub v: u8,
    /// Where the definition is.
    pub source: Source,
    /// The values of its params, checked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: Params,
    /// The instant the run stands for: its fire, or its creation.
    pub scheduled_at: Timestamp,
    /// What its tasks are queued with.
    pub priority: Priority,
    /// What started it.
    pub trigger: Trigger,
    /// W3C trace context of the submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The directory of the definition's file, when the run is embedded: where its shell steps start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_dir: Option<String>,
}

/// Where a run's definition is. A run keeps it to the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A version of a stored workflow.
    Stored {
        /// Its name.
        workflow: WorkflowName,
        /// Its version.
        version: u32,
    },
    /// An ad-hoc task: the submission is the definition.
    Adhoc(Box<Submission>),
    /// A definition given with the run, and stored nowhere else.
    Inline(String),
}

/// What started a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// A schedule fired.
    Schedule,
    /// The REST API or the command line.
    Api,
    /// A message on the `submit` queue.
    Message,
}
