//! The verdict on a run that nobody stops: it ends as the first of its steps did that failed, unless that is excused. Where all
//! went well and its outputs cannot be made, it fails for that.

use super::{Ended, Run, StepState};
use crate::Outcome;
use crate::definition::Step;

/// Whether a step that ended so decides how its run ends. One that was skipped does not: whatever it waited for does. Nor
/// does one whose failure is excused.
pub(super) fn decides(step: &Step, outcome: Outcome) -> bool {
    match outcome {
        _ if step.continue_on_error => false,
        Outcome::Failed | Outcome::TimedOut | Outcome::Cancelled => true,
        // No step is lost, only its attempts are.
        Outcome::Succeeded | Outcome::Skipped | Outcome::Lost => false,
    }
}

/// The reason why a run did not succeed, of which this step decided.
pub(super) fn reason(step: &Step, end: &Ended) -> String {
    format!("step {}: {}", step.name, end.reason.as_deref().unwrap_or(end.outcome.as_str()))
}

impl Run {
    /// The outcome with which the run ends, and why, as far as its steps tell by now; `None` while none of them decides.
    /// It costs O(steps), and is asked for once, at the end.
    ///
    /// The first step is the one with the lowest number of its advance, and among those that one advance ended, the one that
    /// it ended first. An end that version 0.1 wrote has no number:
    /// then the note in the head holds, which each version makes when the first such step ends, and none changes.
    pub fn verdict(&self) -> Option<(Outcome, String)> {
        self.verdict_of(|_| true)
    }

    /// The same as far as the steps tell that are no hooks of the run.
    pub(super) fn verdict_before_hooks(&self) -> Option<(Outcome, String)> {
        self.verdict_of(|step| !step.is_run_hook())
    }

    fn verdict_of(&self, counts: impl Fn(&Step) -> bool) -> Option<(Outcome, String)> {
        // They are made when nothing has failed, and before the hooks of the run.
        if let Some(why) = &self.head.outputs_missing {
            return Some((Outcome::Failed, why.clone()));
        }
        let counted = self.steps.iter().zip(&self.workflow.steps).filter(|(_, step)| counts(step));
        let decisive = counted.filter_map(|(state, step)| match state {
            StepState::Ended(end) if decides(step, end.outcome) => Some((step, end)),
            StepState::Waiting
            | StepState::Dispatched(_)
            | StepState::Backoff { .. }
            | StepState::Asking { .. }
            | StepState::Locking { .. }
            | StepState::Child { .. }
            | StepState::Fanned(_)
            | StepState::Ended(_) => None,
        });
        let (step, end) = decisive.min_by_key(|(_, end)| (end.advance, end.order))?;
        match (self.head.verdict, &self.head.reason) {
            (Some(outcome), Some(reason)) if end.advance == 0 => Some((outcome, reason.clone())),
            _ => Some((end.outcome, reason(step, end))),
        }
    }
}
