//! What becomes of a unit when its attempt is over: it ends, waits for the next attempt, or gets one at once.

use std::sync::Arc;

use super::ask::ask;
use super::ending::ended;
use super::fan::TOO_MANY;
use super::reserve::{give_up_reserve, spend};
use super::step::{dispatch, end_unit};
use super::unit::{clear_retry, hold};
use crate::lock::TOKENS;
use crate::repeat::Repeat;
use crate::run::declared::as_declared;
use crate::run::dispatch::is_repeated_enough;
use crate::run::large::within_bounds;
use crate::run::{Action, Advanced, Asks, Attempts, Ended, Refusal, Run, RunTimer, StepState};
use crate::task::TaskResult;
use crate::{Outcome, Timestamp, Unit, retry};

/// The attempts of a unit, when `attempt` is the one that is with the fleet.
pub(super) fn current(run: &Run, unit: Unit, attempt: u32) -> Result<Attempts, Refusal> {
    match run.state_of(unit) {
        Some(StepState::Dispatched(attempts)) if attempts.attempt == attempt => Ok(*attempts),
        Some(_) => Err(Refusal::StaleAttempt { unit, attempt }),
        None if run.has_begun(unit) => Err(Refusal::StaleAttempt { unit, attempt }),
        None => Err(Refusal::NoSuchUnit(unit)),
    }
}

/// The result with an outcome that an attempt can have. A worker's word that it has skipped what it had started is not
/// believed: what depends on the step would be skipped too, and since a skipped step decides nothing, the run would end
/// well without it. Only a worker's attempt is judged so: a run that is a step of another can be skipped.
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
pub(super) fn retire(out: &mut Advanced, unit: Unit, attempt: u32, outcome: Outcome) {
    out.actions.push(Action::Retire { unit, attempt, outcome });
}

/// Applies the outcome of an attempt: the unit ends, or waits for its next attempt.
pub(super) fn ended_attempt(
    run: &mut Run,
    attempts: Attempts,
    result: TaskResult,
    now: Timestamp,
    out: &mut Advanced,
) {
    let unit = result.id().unit;
    // A worker that had to give a task up without an outcome of its own has lost it.
    if result.outcome == Outcome::Lost {
        let reason = result.reason.unwrap_or_else(|| "its worker gave it up".to_owned());
        return lost_attempt(run, unit, attempts, reason, now, out);
    }
    let workflow = Arc::clone(&run.workflow);
    let definition = &workflow.steps[unit.step.at()];
    let (mut result, mut is_final) = (result, false);
    if let (Outcome::Succeeded, Some(repeat)) = (result.outcome, &definition.repeat) {
        match repeated(run, unit, repeat, attempts, &result) {
            Repeated::Enough => {}
            Repeated::Again => {
                let attempts = Attempts { repeats: attempts.repeats + 1, retries: 0, lost: 0, ..attempts };
                let reason = format!("this is not true yet: {}", repeat.until.source());
                return hold(run, unit, attempts, now + repeat.delay, reason, out);
            }
            Repeated::Fails(reason) => {
                (result.outcome, result.reason, is_final) = (Outcome::Failed, Some(reason), true);
            }
        }
    }
    let draw = retry::draw(run.id, unit, attempts.attempt);
    let wait = definition.retry.wait_after(result.outcome, attempts.retries, draw);
    if let Some(wait) = wait.filter(|_| !is_final && !run.is_given_up(unit)) {
        let attempts = Attempts { retries: attempts.retries + 1, advance: run.this_advance(), ..attempts };
        let until = now + wait;
        run.set_state(unit, StepState::Backoff { attempts, until, reason: result.reason });
        out.units.push(unit);
        out.actions.push(Action::Set(until, RunTimer::Retry(unit)));
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
        outputs_bytes: 0,
        worker: result.worker,
        by: None,
        carried: None,
        items: None,
    };
    end_or_ask(run, unit, ended, now, out);
}

/// Applies the end of a child: that of the attempt which it is. It is a run that says so, and no worker: it may have been
/// skipped, and is never lost.
pub(super) fn child_ended(
    run: &mut Run,
    result: TaskResult,
    now: Timestamp,
    out: &mut Advanced,
) -> Result<(), Refusal> {
    let (unit, attempt) = (result.id().unit, result.attempt);
    let attempts = match run.state_of(unit) {
        Some(StepState::Child { attempts, .. }) if attempts.attempt == attempt => *attempts,
        Some(_) => return Err(Refusal::StaleAttempt { unit, attempt }),
        None if run.has_begun(unit) => return Err(Refusal::StaleAttempt { unit, attempt }),
        None => return Err(Refusal::NoSuchUnit(unit)),
    };
    let outcome = if result.outcome == Outcome::Lost { Outcome::Failed } else { result.outcome };
    let result = within_bounds(run, as_declared(run, TaskResult { outcome, ..result }));
    ended_attempt(run, attempts, result, now, out);
    clear_retry(run, unit, out);
    Ok(())
}

/// Whether a unit that succeeded is done again.
enum Repeated {
    /// Its condition is true.
    Enough,
    /// It is done again.
    Again,
    /// It fails, for this reason.
    Fails(String),
}

/// Judges a unit that succeeded by the condition until which it is repeated.
fn repeated(run: &Run, unit: Unit, repeat: &Repeat, attempts: Attempts, result: &TaskResult) -> Repeated {
    if run.is_given_up(unit) {
        return Repeated::Enough;
    }
    // Whoever applies a result has lent what is needed. Without it nothing can be told, and there is another time.
    let is_true = match run.tasks_want(unit.step).next() {
        Some(_) => Ok(false),
        None => is_repeated_enough(run, unit, repeat, &result.outputs),
    };
    match is_true {
        Ok(true) => Repeated::Enough,
        Ok(false) if attempts.repeats + 1 < repeat.max => Repeated::Again,
        Ok(false) => Repeated::Fails(format!(
            "it was done {} times, and this is still not true: {}",
            repeat.max,
            repeat.until.source()
        )),
        Err(problem) => Repeated::Fails(problem),
    }
}

/// Ends a unit with the end of its last attempt, or asks first what is to become of it, where it failed and its policy says
/// so.
fn end_or_ask(run: &mut Run, unit: Unit, end: Ended, now: Timestamp, out: &mut Advanced) {
    let wait = run.workflow.steps[unit.step.at()].retry.ask.filter(|_| !run.is_given_up(unit));
    let Some(wait) = wait.filter(|_| matches!(end.outcome, Outcome::Failed | Outcome::TimedOut)) else {
        return end_unit(run, unit, end, now, out);
    };
    ask(run, unit, Asks::AfterFailure, end, now + wait, out);
}

/// Applies the loss of an attempt: the unit gets a new one at once, or fails when too many were lost.
pub(super) fn lost_attempt(
    run: &mut Run,
    unit: Unit,
    attempts: Attempts,
    reason: String,
    now: Timestamp,
    out: &mut Advanced,
) {
    let attempts = Attempts { lost: attempts.lost + 1, ..attempts };
    // Nobody knows what it has used.
    spend(run, unit, now);
    if run.is_given_up(unit) {
        let end = ended(run, Outcome::Cancelled, attempts, now, Some(reason));
        return end_unit(run, unit, end, now, out);
    }
    let limit = run.workflow.steps[unit.step.at()].lost_limit();
    if attempts.lost > limit {
        let reason = match limit {
            0 => format!("lost, and at_most_once forbids another attempt: {reason}"),
            _ => format!("lost {} times; the last time: {reason}", attempts.lost),
        };
        let end = ended(run, Outcome::Failed, attempts, now, Some(reason));
        return end_or_ask(run, unit, end, now, out);
    }
    give_up_reserve(run, unit, out);
    dispatch(run, unit, attempts, now, out);
}

/// Applies that an attempt was taken back. Of what gets no further attempt, it was the last. One that nobody had claimed never
/// began: the unit gets another in its place, as soon as anything may begin, and neither its retries nor its losses count it.
pub(super) fn revoked(
    run: &mut Run,
    unit: Unit,
    attempt: u32,
    unclaimed: bool,
    now: Timestamp,
    out: &mut Advanced,
) -> Result<(), Refusal> {
    let attempts = current(run, unit, attempt)?;
    let is_given_up = run.is_given_up(unit);
    if !is_given_up && !unclaimed {
        return Err(Refusal::NotExpected(unit));
    }
    retire(out, unit, attempt, Outcome::Cancelled);
    if is_given_up {
        let reason = match run.head.is_stopping() {
            true => run.head.reason.clone(),
            false => Some(TOO_MANY.to_owned()),
        };
        let end = ended(run, Outcome::Cancelled, attempts, now, reason);
        end_unit(run, unit, end, now, out);
        return Ok(());
    }
    // The tokens of a grant are few. One that asks anew asks in place of what it had.
    let next = attempt.saturating_add(1);
    if let Some(holds) = run.holds.get_mut(&unit)
        && holds.locks.is_some_and(|hold| u64::from(next - hold.attempt) >= TOKENS)
    {
        holds.locks = None;
    }
    // Nothing was used of its reserve.
    give_up_reserve(run, unit, out);
    dispatch(run, unit, attempts, now, out);
    Ok(())
}
