//! A run that is a step of another: what its parent asks for, and what it is told of the end.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Attempts, Head, Run, RunState, StepState};
use crate::child::{Call, MAX_DEPTH};
use crate::params::Params;
use crate::run::dispatch::child_input;
use crate::task::TaskResult;
use crate::{Outcome, Priority, RunId, StepName, TaskId, Timestamp, Unit, WorkflowId};

/// The most bytes of a reason that a parent is told.
const MAX_REASON_BYTES: usize = 2 * 1024;

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
}

/// The start of a child, as its parent asks for it. The id of the child follows from the attempt
/// ([`RunId::of_child`]), so that the same start, asked for again, is the same run.
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
    /// The number of runs above the child that are of its own workflow.
    pub fn recursions(&self) -> usize {
        self.parent.ancestors.iter().filter(|above| above.workflow == self.workflow).count()
    }
}

impl Run {
    /// The children that are under way: each unit that is one, with its attempts and the workflow that it runs.
    pub fn children(&self) -> impl Iterator<Item = (Unit, Attempts, &WorkflowId)> {
        self.open_units().filter_map(|(unit, state)| match state {
            StepState::Child { attempts, workflow, .. } => Some((unit, *attempts, workflow)),
            _ => None,
        })
    }

    /// The start of the child that is `attempts` of a unit.
    ///
    /// # Errors
    /// A text that says which expression could not be rendered, and why; or that runs are nested too deep.
    pub(super) fn child_start(&self, unit: Unit, attempts: &Attempts) -> Result<ChildStart, String> {
        let Call { workflow, params, waits } = Call::read(&child_input(self, unit)?)?;
        let start = self.child_of(unit, attempts, workflow, waits);
        let depth = start.parent.ancestors.len();
        if depth > MAX_DEPTH {
            return Err(format!("runs are nested too deep: expected at most {MAX_DEPTH} above a run"));
        }
        Ok(ChildStart { params, ..start })
    }

    /// The same for a child that is to be stopped: without its params.
    pub(super) fn child_of(
        &self,
        unit: Unit,
        attempts: &Attempts,
        workflow: WorkflowId,
        waits: bool,
    ) -> ChildStart {
        let above = self.head.parent.as_ref().map(|parent| parent.ancestors.as_slice());
        let own = Ancestor { run: self.id, workflow: self.head.workflow.clone() };
        let ancestors = above.unwrap_or_default().iter().cloned().chain([own]).collect();
        ChildStart {
            parent: Parent {
                attempt: TaskId { run: self.id, unit, attempt: attempts.attempt },
                name: self.workflow.steps[unit.step.at()].name.clone(),
                waits,
                ancestors,
            },
            workflow,
            params: Params::new(),
            scheduled_at: self.spec.scheduled_at,
            priority: self.spec.priority,
            traceparent: self.spec.traceparent.clone(),
            began_at: attempts.dispatched_at,
        }
    }
}

impl Head {
    /// What the parent of a run that has ended is told of it; `None` where nobody waits for it.
    pub fn told_parent(&self) -> Option<TaskResult> {
        let parent = self.parent.as_ref().filter(|parent| parent.waits)?;
        let (outcome, how) = match self.state {
            RunState::Waiting | RunState::Running => return None,
            RunState::Succeeded => (Outcome::Succeeded, "succeeded"),
            RunState::Failed => (Outcome::Failed, "failed"),
            RunState::TimedOut => (Outcome::TimedOut, "timed out"),
            RunState::Cancelled => (Outcome::Cancelled, "was cancelled"),
            RunState::Skipped => (Outcome::Skipped, "was skipped"),
        };
        let mut reason = format!("workflow {} {how}", self.workflow);
        if let Some(why) = &self.reason {
            reason.push_str(&format!(": {why}"));
            reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
        }
        Some(TaskResult {
            started_at: self.started_at.unwrap_or(self.created_at),
            ended_at: self.ended_at.unwrap_or(self.created_at),
            reason: (outcome != Outcome::Succeeded).then_some(reason),
            outputs: self.outputs.clone().unwrap_or_default(),
            ..parent.told(outcome)
        })
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
            is_typed: true,
            worker: String::new(),
        }
    }
}
