//! The end of a step as it is written down, and the end of a run whose steps have all ended.

use super::hooks;
use crate::definition::Step;
use crate::run::verdict::{decides, reason};
use crate::run::{Action, Advanced, Attempts, Ended, Run, RunTimer, StepState};
use crate::{Outcome, StepIndex, Timestamp};

/// The end of a step that no worker reported.
pub(super) fn ended(
    run: &Run,
    outcome: Outcome,
    attempts: Attempts,
    now: Timestamp,
    reason: Option<String>,
) -> Ended {
    Ended {
        outcome,
        attempts,
        started_at: None,
        ended_at: now,
        advance: run.this_advance(),
        order: 0,
        applied_at: Some(now),
        code: None,
        reason,
        after_failure: false,
        outputs: serde_json::Map::new(),
        worker: String::new(),
        items: None,
    }
}

/// Marks a step as ended. The first that decides how the run ends is noted in the head at once: lists show it, and a
/// process of version 0.1 that goes on with the run ends it so. We do not go by the note, but see [`Run::verdict`].
pub(super) fn mark_ended(run: &mut Run, step: StepIndex, mut end: Ended, out: &mut Advanced) {
    let definition = &run.workflow.steps[step.at()];
    let decides = decides(definition, end.outcome);
    if decides {
        end.order = out.failed;
        out.failed += 1;
    }
    if decides && run.head.verdict.is_none() {
        run.head.verdict = Some(end.outcome);
        if run.head.reason.is_none() {
            run.head.reason = Some(reason(definition, &end));
        }
        out.head = true;
    }
    run.elsewhere += u32::from(end.items.is_some());
    run.steps[step.at()] = StepState::Ended(Box::new(end));
    run.open -= 1;
    out.units.push(step.into());
}

/// Ends the run when all its steps have: as whoever stops it wants, or by its verdict.
pub(super) fn end_if_done(run: &mut Run, now: Timestamp, out: &mut Advanced) {
    if run.head.state.is_terminal() {
        return;
    }
    hooks::begin(run, now, out);
    if run.open > 0 {
        return;
    }
    let outcome = match run.head.stopping {
        Some(outcome) => outcome,
        None => {
            (run.head.verdict, run.head.reason) = run.verdict().unzip();
            run.head.verdict.unwrap_or(Outcome::Succeeded)
        }
    };
    run.head.state = outcome.into();
    run.head.ended_at = Some(now);
    out.head = true;
    if run.workflow.timeout.is_some() && run.head.hooks_since.is_none() {
        out.actions.push(Action::Clear(RunTimer::Timeout));
    }
    let gives_items_up = |step: &Step| step.fan.as_ref().is_some_and(|fan| fan.fail_fast);
    if run.head.stopping.is_some() || run.workflow.steps.iter().any(gives_items_up) {
        out.actions.push(Action::Clear(RunTimer::CancelCheck));
    }
    out.actions.push(Action::End);
}

/// Gives an advance its number, when it has changed the run.
pub(super) fn number(run: &mut Run, out: &Advanced) {
    if out.head || !out.units.is_empty() {
        run.advance += 1;
    }
    if out.head {
        run.head.advance = run.advance;
    }
}
