//! The children of a run: which are under way, how each is asked for; and what a run that is one tells its parent.

use super::dispatch::unit_input;
use super::{Ancestor, Attempts, ChildStart, Head, Parent, Run, RunState, StepState};
use crate::child::{Call, MAX_DEPTH};
use crate::params::Params;
use crate::task::TaskResult;
use crate::{Outcome, TaskId, Unit, WorkflowId};

/// The most bytes of a reason that a parent is told.
const MAX_REASON_BYTES: usize = 2 * 1024;

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
        let Call { workflow, params, waits } = Call::read(&unit_input(self, unit)?)?;
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
        let own = Ancestor { run: self.id, workflow: self.head.workflow.clone(), unit: Some(unit), waits };
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
            priority: self.priority(),
            traceparent: self.spec.traceparent.clone(),
            began_at: attempts.dispatched_at,
        }
    }
}

/// Shortens a reason in its middle: the workflow stands at its beginning, and what all came from at its end.
fn shorten(reason: &mut String) {
    if reason.len() > MAX_REASON_BYTES {
        let from = reason.floor_char_boundary(MAX_REASON_BYTES / 2);
        let to = reason.ceil_char_boundary(reason.len() - MAX_REASON_BYTES / 2);
        reason.replace_range(from..to, " … ");
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
            shorten(&mut reason);
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
