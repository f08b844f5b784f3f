//! A run that is a step of another: what its parent asks for, and what it is told of the end. What a run makes of it is
//! in `children`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::params::Params;
use crate::task::TaskResult;
use crate::{Outcome, Priority, RunId, StepName, TaskId, Timestamp, Unit, WorkflowId};

/// The parent of a run: the attempt of a step of another run which it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The attempt.
    #[serde(flatten)]
    pub attempt: TaskId,
    /// The name of the step.
    pub name: StepName,
    /// Whether the step waits for the end of the run.
    pub waits: bool,
    /// All runs that this one is in, the outermost first; the last is the parent.
    pub ancestors: Vec<Ancestor>,
}

/// A run that another one is in, at any depth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ancestor {
    /// The run.
    pub run: RunId,
    /// The workflow of the run.
    pub workflow: WorkflowId,
    /// The step, or item, of the run that the next one is; unknown where a version has written it that did not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// Whether that step waits for the end of the next run, and not only for its start.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub waits: bool,
}

fn yes() -> bool {
    true
}

fn is_true(value: &bool) -> bool {
    *value
}

/// The start of a child, as its parent asks for it. The id of the child follows from the attempt
/// ([`TaskId::child`]), so that the same start, asked for again, is the same run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildStart {
    /// What is to become its parent.
    pub parent: Parent,
    /// The workflow whose current version is to run.
    pub workflow: WorkflowId,
    /// The params as they are given. None where the child is only to be stopped.
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    pub params: Params,
    /// The instant that the parent stands for: the child stands for the same.
    pub scheduled_at: Timestamp,
    /// The priority of the parent. The child has this one, or that of its workflow, whichever is more urgent.
    pub priority: Priority,
    /// The W3C trace context of the parent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// When the attempt was made.
    pub began_at: Timestamp,
}

impl ChildStart {
    /// The bytes (JSON) of its params.
    pub fn param_bytes(&self) -> usize {
        if self.params.is_empty() { 0 } else { serde_json::to_vec(&self.params).map_or(0, |text| text.len()) }
    }

    /// The number of runs above the child that are of its own workflow.
    pub fn recursions(&self) -> usize {
        self.parent.ancestors.iter().filter(|above| above.workflow == self.workflow).count()
    }
}

/// The attempt in words: `attempt 2 of item 3 of load in run …`.
impl fmt::Display for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TaskId { run, unit, attempt } = self.attempt;
        let item = unit.item.map(|item| format!("item {item} of ")).unwrap_or_default();
        write!(f, "attempt {attempt} of {item}{} in run {run}", self.name)
    }
}

impl Parent {
    /// What the parent is told with this outcome, and nothing else.
    pub fn told(&self, outcome: Outcome) -> TaskResult {
        let TaskId { run, unit, attempt } = self.attempt;
        TaskResult {
            run,
            step: unit.step,
            item: unit.item,
            attempt,
            outcome,
            started_at: Timestamp::default(),
            ended_at: Timestamp::default(),
            code: None,
            reason: None,
            outputs: serde_json::Map::new(),
            retry_after_ms: None,
            is_typed: true,
            worker: String::new(),
        }
    }
}
