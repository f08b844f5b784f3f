//! Stopping a run: by hand, by its timeout, or because it cannot go on. It looks at all steps.

use std::time::Duration;

use super::child;
use super::ending::{ended, mark_ended};
use super::fan::{self, LOOK_AGAIN, given_up};
use super::pause;
use crate::run::{Action, Advanced, Attempts, Refusal, Run, RunState, RunTimer, StepState};
use crate::{Outcome, StepIndex, Timestamp};

/// The grace of workers: claimed attempts of a stopped run are taken back by force after this long.
const FORCE: Duration = Duration::from_secs(30);

/// Stops a run: what has not started never will, and what runs is told to end. The steps of one that is skipped are skipped.
pub(super) fn stop(
    run: &mut Run,
    outcome: Outcome,
    reason: &str,
    now: Timestamp,
    out: &mut Advanced,
) -> Result<(), Refusal> {
    if run.head.is_stopping() {
        return Err(Refusal::RunNotWaiting);
    }
    pause::lift(run, out);
    if run.head.state == RunState::Waiting {
        out.actions.push(Action::Clear(RunTimer::Start));
        run.head.state = RunState::Running;
    }
    // A run that was stopped before ends as it was to, though its hooks are stopped now.
    if run.head.stopping.is_none() {
        run.head.stopping = Some(outcome);
        run.head.reason = Some(reason.to_owned());
    }
    run.head.hooks_stopped = run.head.hooks_since.is_some();
    run.head.stopping_since = Some(now);
    out.head = true;
    let of_steps = if outcome == Outcome::Skipped { Outcome::Skipped } else { Outcome::Cancelled };
    for index in 0..run.steps.len() {
        if run.is_held_back(index.into()) {
            continue;
        }
        let attempts = match &run.steps[index] {
            StepState::Waiting => Attempts::default(),
            StepState::Backoff { attempts, .. } | StepState::Locking { attempts, .. } => {
                out.actions.push(Action::Clear(RunTimer::Retry(StepIndex::from(index).into())));
                *attempts
            }
            StepState::Asking { end, .. } => {
                out.actions.push(Action::Clear(RunTimer::Retry(StepIndex::from(index).into())));
                end.attempts
            }
            StepState::Fanned(_) => {
                fan::stop(run, index.into(), reason, now, out);
                continue;
            }
            // It is told below, and waited for.
            StepState::Child { .. } => {
                out.actions.push(Action::Clear(RunTimer::Retry(StepIndex::from(index).into())));
                continue;
            }
            StepState::Dispatched(_) | StepState::Ended(_) => continue,
        };
        let end = ended(run, of_steps, attempts, now, Some(reason.to_owned()));
        mark_ended(run, index.into(), end, out);
    }
    run.judge_all();
    tell(run, false, now, out);
    Ok(())
}

/// Cancels a run once more that is being stopped. Children may have their hooks under way, which nothing but a second stop
/// ends.
pub(super) fn again(run: &Run, reason: &str, out: &mut Advanced) -> Result<(), Refusal> {
    let children = run.children().map(|(unit, ..)| unit);
    if !child::stop(run, children, reason, true, out) {
        return Err(Refusal::RunNotWaiting);
    }
    // Nothing of the run changes by it, and its history tells who it was.
    out.head = true;
    Ok(())
}

/// Looks at a run that is being stopped, or at the items that are given up: their workers are told again, and in the end
/// not asked any more.
pub(super) fn look(run: &mut Run, now: Timestamp, out: &mut Advanced) -> Result<(), Refusal> {
    if !run.head.is_stopping() {
        let (are_items, is_paused) = (look_at_items(run, now, out), pause::look(run, now, out));
        return if are_items || is_paused { Ok(()) } else { Err(Refusal::RunNotWaiting) };
    }
    let mut since = run.head.stopping_since.ok_or(Refusal::RunNotWaiting)?;
    if since > now {
        // It was stopped by a clock that was ahead: the grace of its workers begins now.
        since = now;
        run.head.stopping_since = Some(now);
        out.head = true;
    }
    tell(run, now.since(since) >= FORCE, now, out);
    Ok(())
}

/// Looks at the items that are given up in a run which nobody stops. `false` when there are none.
fn look_at_items(run: &Run, now: Timestamp, out: &mut Advanced) -> bool {
    let mut is_any = false;
    for (step, since) in given_up(run) {
        is_any = true;
        let StepState::Fanned(fan) = &run.steps[step.at()] else { continue };
        let tasks: Vec<_> = fan.dispatched(step).map(|(unit, attempts)| (unit, attempts.attempt)).collect();
        child::stop(run, fan.open_units(step), fan::TOO_MANY, false, out);
        // One that lies ahead was noted by a clock that was ahead.
        let by_force = now.since(since) >= FORCE || since > now;
        if !tasks.is_empty() {
            out.actions.push(Action::Stop { tasks, by_force });
        }
    }
    if is_any {
        out.actions.push(Action::Set(now + LOOK_AGAIN, RunTimer::CancelCheck));
    }
    is_any
}

/// Asks for the end of what is still with the fleet, and of the children, and sets the timer of the next look.
fn tell(run: &Run, by_force: bool, now: Timestamp, out: &mut Advanced) {
    let tasks: Vec<_> = run.dispatched().map(|(unit, attempts)| (unit, attempts.attempt)).collect();
    let mut is_any = !tasks.is_empty();
    if is_any {
        out.actions.push(Action::Stop { tasks, by_force });
    }
    let reason = run.head.reason.as_deref().unwrap_or_default();
    is_any |= child::stop(run, run.children().map(|(unit, ..)| unit), reason, false, out);
    if is_any {
        out.actions.push(Action::Set(now + LOOK_AGAIN, RunTimer::CancelCheck));
    }
}

/// The reason that is noted for a run which took longer than its timeout.
pub(super) fn timeout_reason(run: &Run) -> String {
    let timeout = run.workflow.timeout.unwrap_or_default();
    format!("the run took longer than its timeout of {}", crate::quantity::format_duration(timeout))
}
