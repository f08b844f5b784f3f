//! What becomes of a step when its attempt is over: it ends, waits for the next attempt, or gets one at once.

use super::ending::ended;
use super::step::{dispatch, end_step};
use crate::run::{Action, Advanced, Attempts, Ended, Refusal, Run, RunTimer, StepState};
use crate::task::TaskResult;
use crate::{Outcome, StepIndex, Timestamp, Unit, retry};

/// The step that is the unit as a whole, and its attempts, when `attempt` is the one that is with the fleet.
pub(super) fn current(run: &Run, unit: Unit, attempt: u32) -> Result<(StepIndex, Attempts), Refusal> {
    let step = unit.whole_step().ok_or(Refusal::NoSuchUnit(unit))?;
    match run.steps.get(step.at()) {
        None => Err(Refusal::NoSuchUnit(unit)),
        Some(StepState::Dispatched(attempts)) if attempts.attempt == attempt => Ok((step, *attempts)),
        Some(_) => Err(Refusal::StaleAttempt { unit, attempt }),
    }
}

/// The result with an outcome that an attempt can have. A worker's word that it has skipped what it had started is not
/// believed: what depends on the step would be skipped too, and since a skipped step decides nothing, the run would end
/// well without it. Only a worker's attempt is judged so. A run that is a step of another can be skipped, and its end
/// must not come through here.
pub(super) fn plausible(result: TaskResult) -> TaskResult {
    match result.outcome {
        Outcome::Skipped => {
            let reason = Some("its worker reported skipped, which no attempt can be".to_owned());
            TaskResult { outcome: Outcome::Failed, reason, ..result }
        }
        _ => result,
    }
}

/// Has the claim of an attempt forgotten, now that the attempt is over.
pub(super) fn retire(out: &mut Advanced, step: StepIndex, attempt: u32, outcome: Outcome) {
    out.actions.push(Action::Retire { step, attempt, outcome });
}

/// Applies the outcome of an attempt: the step ends, or waits for its next attempt.
pub(super) fn ended_attempt(
    run: &mut Run,
    attempts: Attempts,
    result: TaskResult,
    now: Timestamp,
    out: &mut Advanced,
) {
    let step = result.step;
    // A worker that had to give a task up without an outcome of its own has lost it.
    if result.outcome == Outcome::Lost {
        let reason = result.reason.unwrap_or_else(|| "its worker gave it up".to_owned());
        return lost_attempt(run, step, attempts, reason, now, out);
    }
    let policy = &run.workflow.steps[step.at()].retry;
    let draw = retry::draw(run.id, step.into(), attempts.attempt);
    let wait = policy.wait_after(result.outcome, attempts.retries, draw);
    if let (Some(wait), None) = (wait, run.head.stopping) {
        let attempts = Attempts { retries: attempts.retries + 1, advance: run.this_advance(), ..attempts };
        let until = now + wait;
        run.steps[step.at()] = StepState::Backoff { attempts, until, reason: result.reason };
        out.steps.push(step);
        out.actions.push(Action::Set(until, RunTimer::Retry(step)));
        return;
    }
    let ended = Ended {
        outcome: result.outcome,
        attempts,
        started_at: Some(result.started_at),
        ended_at: result.ended_at,
        advance: run.this_advance(),
        order: 0,
        applied_at: Some(now),
        code: result.code,
        reason: result.reason,
        after_failure: false,
        outputs: result.outputs,
        worker: result.worker,
    };
    end_step(run, step, ended, now, out);
}

/// Applies the loss of an attempt: the step gets a new one at once, or fails when too many were lost.
pub(super) fn lost_attempt(
    run: &mut Run,
    step: StepIndex,
    attempts: Attempts,
    reason: String,
    now: Timestamp,
    out: &mut Advanced,
) {
    let attempts = Attempts { lost: attempts.lost + 1, ..attempts };
    if run.head.stopping.is_some() {
        let end = ended(run, Outcome::Cancelled, attempts, now, Some(reason));
        return end_step(run, step, end, now, out);
    }
    let limit = run.workflow.steps[step.at()].lost_limit();
    if attempts.lost > limit {
        let reason = match limit {
            0 => format!("lost, and at_most_once forbids another attempt: {reason}"),
            _ => format!("lost {} times; the last time: {reason}", attempts.lost),
        };
        let end = ended(run, Outcome::Failed, attempts, now, Some(reason));
        return end_step(run, step, end, now, out);
    }
    dispatch(run, step, attempts, now, out);
}
