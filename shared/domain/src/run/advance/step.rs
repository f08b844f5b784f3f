//! Steps: dispatching their attempts, and ending them with all that follows. Each may lead to the other: a step that
//! succeeds has its dependents dispatched, and one whose input cannot be rendered ends.

use std::sync::Arc;

use super::ending::{ended, mark_ended};
use crate::run::dispatch::task;
use crate::run::{Action, Advanced, Attempts, Ended, Run, StepState};
use crate::{Outcome, StepIndex, Timestamp};

/// Dispatches the attempt after `so_far` to the fleet. A step whose input cannot be rendered fails without one.
pub(super) fn dispatch(run: &mut Run, step: StepIndex, so_far: Attempts, now: Timestamp, out: &mut Advanced) {
    // A first attempt has no record that could keep the number.
    let advance = if so_far.attempt == 0 { 0 } else { run.this_advance() };
    let attempts = Attempts { attempt: so_far.attempt + 1, dispatched_at: now, advance, ..so_far };
    match task(run, step, attempts.attempt, now) {
        Ok(task) => {
            run.steps[step.at()] = StepState::Dispatched(attempts);
            out.steps.push(step);
            out.actions.push(Action::Dispatch(Box::new(task)));
        }
        Err(problem) => {
            let end = ended(run, Outcome::Failed, so_far, now, Some(problem));
            end_step(run, step, end, now, out);
        }
    }
}

/// Ends a step, and with it dispatches what can now start and skips what never will.
pub(super) fn end_step(run: &mut Run, step: StepIndex, end: Ended, now: Timestamp, out: &mut Advanced) {
    let workflow = Arc::clone(&run.workflow);
    let mut ready = Vec::new();
    mark_ended(run, step, end, out);
    let mut pending = vec![step];
    while let Some(step) = pending.pop() {
        let succeeded =
            matches!(&run.steps[step.at()], StepState::Ended(end) if end.outcome == Outcome::Succeeded);
        for &dependent in workflow.graph.dependents(step) {
            // Counted even where it no longer matters, so that the count is the one that a reload makes.
            let unmet = &mut run.unmet[dependent.at()];
            *unmet = unmet.saturating_sub(u32::from(succeeded));
            let unmet = *unmet;
            if run.steps[dependent.at()] != StepState::Waiting {
                continue;
            }
            if !succeeded {
                let reason = Some(format!("step {} did not succeed", workflow.steps[step.at()].name));
                let end = ended(run, Outcome::Skipped, Attempts::default(), now, reason);
                mark_ended(run, dependent, end, out);
                pending.push(dependent);
                continue;
            }
            if unmet == 0 {
                ready.push(dependent);
            }
        }
    }
    for step in ready {
        // An earlier one of these may have failed to render and skipped a later one.
        if run.head.stopping.is_none() && run.steps[step.at()] == StepState::Waiting {
            dispatch(run, step, Attempts::default(), now, out);
        }
    }
}
