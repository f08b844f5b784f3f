//! How far ahead a timer of a run can lie. One that lies further was set by a clock that was ahead, and has been set
//! back since: it would come late by as much.

use super::advance::{LONGEST_ASK, LONGEST_LOOK, LOOK_AGAIN};
use super::dispatch::input;
use super::{Run, RunState, RunTimer, StepState};
use crate::Timestamp;
use crate::wait::{self, WAIT};

impl Run {
    /// The latest instant that a timer of this kind can be set to by `now`. `None` for a timer that the run does not
    /// wait for, or whose instant somebody has named.
    pub fn horizon(&self, timer: RunTimer, now: Timestamp) -> Option<Timestamp> {
        match timer {
            // What became ready beside too many others starts at once.
            RunTimer::Start if self.head.state == RunState::Running => Some(now),
            RunTimer::Start if self.awaited_slot().is_some() => Some(now + LONGEST_ASK),
            RunTimer::Start => {
                let start_at = self.head.start_at.filter(|_| self.head.delayed)?;
                (self.head.created_at > now).then(|| now + start_at.since(self.head.created_at))
            }
            RunTimer::Retry(unit) => match self.state_of(unit)? {
                // A wait that began by a clock that was ahead begins now, as far as its end goes.
                StepState::Backoff { attempts, .. } if attempts.attempt == 0 => {
                    let definition = self.workflow.steps.get(unit.step.at())?;
                    let is_wait = definition.uses == WAIT && attempts.dispatched_at > now;
                    let with = is_wait.then(|| input(self, definition).ok()).flatten()?;
                    wait::until(&with, now, &self.workflow.timezone).ok()
                }
                StepState::Backoff { attempts, .. } => {
                    let definition = self.workflow.steps.get(unit.step.at())?;
                    let retry = definition.retry.longest_wait(attempts.retries.saturating_sub(1));
                    let repeat = definition.repeat.as_ref().filter(|_| attempts.retries == 0);
                    Some(now + repeat.map_or(retry, |repeat| repeat.delay))
                }
                StepState::Asking { .. } => {
                    let definition = self.workflow.steps.get(unit.step.at())?;
                    let asks = definition.question.as_ref().map(|question| question.timeout);
                    Some(now + asks.or(definition.retry.ask).unwrap_or_default())
                }
                StepState::Child { .. } | StepState::Locking { .. } => Some(now + LONGEST_ASK),
                // A step that waits only for outputs is woken at once.
                StepState::Waiting if self.is_woken(unit.step) => Some(now),
                StepState::Fanned(fan) if self.wants_items(unit.step, fan) => Some(now),
                _ => None,
            },
            RunTimer::Timeout => self.workflow.timeout.map(|timeout| now + timeout),
            RunTimer::CancelCheck if self.head.paused.is_some() => Some(now + LONGEST_LOOK),
            RunTimer::CancelCheck => Some(now + LOOK_AGAIN),
        }
    }
}
