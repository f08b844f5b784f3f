//! The state machine: `advance(run, event, now)`. Total: every event in every state either changes the run or
//! is refused by name; the tables are in [`run`](super). The cost of an event is O(out-degree) of the steps it ends;
//! only stopping a run, which happens once, and each look at a stopped one go through all steps.
//!
//! A timer is taken at its word: whether it is due is the owner's to know, and an early one is not refused, since
//! a refused timer is gone and nothing else would move the step on.

mod attempt;
mod ending;
mod start;
mod step;
mod stop;

use attempt::{current, ended_attempt, lost_attempt, plausible, retire};
use ending::{end_if_done, ended, number};
pub use start::create;
use start::start;
use step::{end_step, time_has_come};
pub(super) use stop::LOOK_AGAIN;

use super::{Advanced, Event, Refusal, Run, RunState, StepState};
use crate::{Outcome, Timestamp};

/// Moves `run` by `event`. The run is unchanged when the event is refused.
///
/// # Errors
/// A [`Refusal`] says why the event has no effect.
pub fn advance(run: &mut Run, event: Event, now: Timestamp) -> Result<Advanced, Refusal> {
    if run.head.state.is_terminal() {
        return Err(Refusal::RunEnded(run.id));
    }
    let mut advanced = Advanced::default();
    let out = &mut advanced;
    match (run.head.state, event) {
        (RunState::Waiting, Event::StartDue) => start(run, now, out),
        (_, Event::StartDue) | (RunState::Waiting, Event::TimedOut) => return Err(Refusal::RunNotWaiting),
        (_, Event::Result(result)) => {
            let (_, attempts) = current(run, result.id().unit, result.attempt)?;
            let result = plausible(result);
            retire(out, result.step, result.attempt, result.outcome);
            ended_attempt(run, attempts, result, now, out);
        }
        (_, Event::Lost { unit, attempt, reason }) => {
            let (step, attempts) = current(run, unit, attempt)?;
            retire(out, step, attempt, Outcome::Lost);
            lost_attempt(run, step, attempts, reason, now, out);
        }
        (_, Event::Revoked { unit, attempt }) => {
            let (step, attempts) = current(run, unit, attempt)?;
            if run.head.stopping.is_none() {
                return Err(Refusal::NotExpected(unit));
            }
            retire(out, step, attempt, Outcome::Cancelled);
            let reason = run.head.reason.clone();
            let end = ended(run, Outcome::Cancelled, attempts, now, reason);
            end_step(run, step, end, now, out);
        }
        (_, Event::RetryDue { unit }) => {
            let step = unit.whole_step().ok_or(Refusal::NoSuchUnit(unit))?;
            match run.steps.get(step.at()) {
                None => return Err(Refusal::NoSuchUnit(unit)),
                Some(StepState::Backoff { attempts, .. }) => {
                    let attempts = *attempts;
                    time_has_come(run, step, attempts, now, out);
                }
                Some(_) => return Err(Refusal::NotExpected(unit)),
            }
        }
        (_, Event::Cancel { reason }) => stop::stop(run, Outcome::Cancelled, &reason, now, out)?,
        (_, Event::TimedOut) => stop::stop(run, Outcome::TimedOut, &stop::timeout_reason(run), now, out)?,
        (_, Event::Poisoned { reason }) => stop::stop(run, Outcome::Failed, &reason, now, out)?,
        (_, Event::CancelCheckDue) => stop::look(run, now, out)?,
    }
    end_if_done(run, now, out);
    number(run, out);
    Ok(advanced)
}
