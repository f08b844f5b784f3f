//! The state machine: `advance(run, event, now)`. Total: every event in every state either changes the run or
//! is refused by name; the tables are in [`run`](super). The cost of an event is O(out-degree) of the steps it ends;
//! only stopping a run, which happens once, each look at a stopped one, and the start of thousands of steps that became
//! ready at once go through all steps.
//!
//! A timer is taken at its word: whether it is due is the owner's to know, and an early one is not refused, since
//! a refused timer is gone and nothing else would move the step on.

mod act;
mod answer;
mod ask;
mod attempt;
mod child;
mod ending;
mod fan;
mod grant;
mod lock;
mod pause;
mod reserve;
mod run_act;
mod run_end;
mod slot;
mod start;
mod step;
mod stop;
mod unit;

use answer::nobody_answered;
use attempt::{child_ended, current, ended_attempt, lost_attempt, plausible, retire, revoked};
pub(super) use child::LONGEST_ASK;
use ending::number;
pub(super) use fan::LOOK_AGAIN;
pub(super) use pause::LONGEST_LOOK;
use run_end::{end_if_done, give_hooks_up};
pub use start::{create, create_continuation};
use start::{granted, start};
use step::{fill, start_held_over, start_ready, time_has_come};
pub(super) use unit::{HELD, READING};

use super::declared::as_declared;
use super::large::within_bounds;
use super::{Advanced, Event, Refusal, Run, RunState, StepState};
use crate::task::TaskResult;
use crate::{Outcome, Timestamp};

/// Moves `run` by `event`. The run is unchanged when the event is refused.
///
/// # Errors
/// A [`Refusal`] says why the event has no effect.
pub fn advance(run: &mut Run, event: Event, now: Timestamp) -> Result<Advanced, Refusal> {
    // It may be what has ended the run.
    let is_known = match &event {
        Event::Act(act) => run.has_seen(act)?,
        Event::RunAct(act) => run.has_seen_run_act(act)?,
        _ => false,
    };
    if is_known {
        return Ok(Advanced::default());
    }
    if run.head.state.is_terminal() {
        return Err(Refusal::RunEnded(run.id));
    }
    let mut advanced = Advanced::default();
    let out = &mut advanced;
    match (run.head.state, event) {
        // It goes on asking for its slot, and does not start.
        (RunState::Waiting, Event::StartDue) if run.head.paused.is_some() => {
            if run.awaited_slot().is_none() || !slot::ask_again(run, now, out) {
                return Err(Refusal::RunNotWaiting);
            }
        }
        (RunState::Waiting, Event::StartDue) => start(run, now, out),
        // What the outputs of the run use was read.
        (_, Event::StartDue) if run.owes_outputs() => {}
        (_, Event::StartDue) => start_held_over(run, now, out)?,
        (RunState::Waiting, Event::TimedOut) => return Err(Refusal::RunNotWaiting),
        // The timeout is that of the steps. A hook has its own.
        (_, Event::TimedOut) if run.head.hooks_since.is_some() => return Err(Refusal::RunNotWaiting),
        (_, Event::Result(result)) => {
            let attempts = current(run, result.id().unit, result.attempt)?;
            let result = judged(run, result);
            reserve::note_used(run, &result, now);
            retire(out, result.id().unit, result.attempt, result.outcome);
            ended_attempt(run, attempts, result, now, out);
        }
        (_, Event::ChildEnded(result)) => child_ended(run, result, now, out)?,
        (_, Event::Granted { unit, attempt, locks, token }) => {
            grant::granted(run, unit, attempt, &locks, token, now, out)?;
        }
        (_, Event::LockRefused { unit, attempt, reason }) => {
            grant::refused(run, unit, attempt, reason, now, out)?;
        }
        (_, Event::LockTaken { unit, attempt, locks, .. }) => {
            grant::taken(run, unit, attempt, &locks, now, out)?;
        }
        (_, Event::SlotGranted { .. }) => granted(run, now, out)?,
        (_, Event::SlotRefused { outcome, reason }) => slot::refused(run, outcome, &reason, now, out)?,
        (_, Event::Displaced { reason, .. }) => slot::displaced(run, &reason, now, out)?,
        (_, Event::SlotTaken { .. }) => slot::taken(run, now, out)?,
        (_, Event::Lost { unit, attempt, reason }) => {
            let attempts = current(run, unit, attempt)?;
            retire(out, unit, attempt, Outcome::Lost);
            lost_attempt(run, unit, attempts, reason, now, out);
        }
        (_, Event::Revoked { unit, attempt, unclaimed }) => {
            revoked(run, unit, attempt, unclaimed, now, out)?;
        }
        (_, Event::RetryDue { unit }) => {
            match run.state_of(unit) {
                None if run.has_begun(unit) => return Err(Refusal::NotExpected(unit)),
                None => return Err(Refusal::NoSuchUnit(unit)),
                Some(StepState::Backoff { .. } | StepState::Waiting | StepState::Fanned(_))
                    if !run.may_begin() =>
                {
                    return Err(Refusal::NotExpected(unit));
                }
                Some(StepState::Backoff { attempts, .. }) => {
                    let attempts = *attempts;
                    time_has_come(run, unit, attempts, now, out);
                }
                Some(StepState::Asking { .. }) => nobody_answered(run, unit, now, out),
                Some(StepState::Locking { .. }) => lock::ask_again(run, unit, now, out),
                Some(StepState::Child { attempts, .. }) if !run.is_given_up(unit) => {
                    child::ask_again(run, unit, *attempts, now, out);
                }
                // It was woken with the outputs that it needs.
                Some(StepState::Waiting) if run.is_woken(unit.step) => start_ready(run, unit.step, now, out),
                Some(StepState::Fanned(fan)) if run.wants_items(unit.step, fan) => {
                    fill(run, unit.step, now, out);
                }
                Some(_) => return Err(Refusal::NotExpected(unit)),
            }
        }
        (_, Event::Act(act)) => act::act(run, *act, now, out)?,
        (_, Event::RunAct(act)) => run_act::run_act(run, *act, now, out)?,
        (_, Event::Cancel { reason }) if run.head.is_stopping() => stop::again(run, &reason, out)?,
        (_, Event::Cancel { reason }) => stop::stop(run, Outcome::Cancelled, &reason, now, out)?,
        (_, Event::TimedOut) => stop::stop(run, Outcome::TimedOut, &stop::timeout_reason(run), now, out)?,
        (_, Event::Poisoned { reason }) => {
            stop::stop(run, Outcome::Failed, &reason, now, out)?;
            // Whatever broke the run may break it again.
            give_hooks_up(run, &reason, now, out);
        }
        (_, Event::CancelCheckDue) => stop::look(run, now, out)?,
    }
    end_if_done(run, now, out);
    grant::release(run, out);
    number(run, out);
    Ok(advanced)
}

/// The result as it counts: of an outcome that an attempt can have, with outputs as its step declares them, within bounds.
pub(super) fn judged(run: &Run, result: TaskResult) -> TaskResult {
    within_bounds(run, as_declared(run, plausible(result)))
}
