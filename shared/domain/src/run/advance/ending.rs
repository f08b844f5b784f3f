//! The end of a step as it is written down, and the end of a run whose steps have all ended.

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
        applied_at: Some(now),
        code: None,
        reason,
        outputs: serde_json::Map::new(),
        worker: String::new(),
    }
}

/// Marks a step as ended, and notes what that means for the run.
pub(super) fn mark_ended(run: &mut Run, step: StepIndex, end: Ended, out: &mut Advanced) {
    let outcome = end.outcome;
    if matches!(outcome, Outcome::Failed | Outcome::TimedOut | Outcome::Cancelled)
        && run.head.verdict.is_none()
    {
        let name = &run.workflow.steps[step.at()].name;
        let why = end.reason.as_deref().unwrap_or(outcome.as_str());
        run.head.verdict = Some(outcome);
        run.head.reason.get_or_insert_with(|| format!("step {name}: {why}"));
        out.head = true;
    }
    run.steps[step.at()] = StepState::Ended(Box::new(end));
    run.open -= 1;
    out.steps.push(step);
}

/// Ends the run when all its steps have.
pub(super) fn end_if_done(run: &mut Run, now: Timestamp, out: &mut Advanced) {
    if run.open > 0 || run.head.state.is_terminal() {
        return;
    }
    let outcome = run.head.stopping.or(run.head.verdict).unwrap_or(Outcome::Succeeded);
    run.head.state = outcome.into();
    run.head.ended_at = Some(now);
    out.head = true;
    if run.workflow.timeout.is_some() {
        out.actions.push(Action::Clear(RunTimer::Timeout));
    }
    if run.head.stopping.is_some() {
        out.actions.push(Action::Clear(RunTimer::CancelCheck));
    }
    out.actions.push(Action::End);
}

/// Gives an advance its number, when it has changed the run.
pub(super) fn number(run: &mut Run, out: &Advanced) {
    if out.head || !out.steps.is_empty() {
        run.advance += 1;
    }
    if out.head {
        run.head.advance = run.advance;
    }
}
