//! How far ahead a timer of a run can lie. One that lies further was set by a clock that was ahead, and has been set
//! back since: it would come late by as much.

use super::advance::LOOK_AGAIN;
use super::{Run, RunTimer, StepState};
use crate::Timestamp;

impl Run {
    /// The latest instant that a timer of this kind can be set to by `now`. `None` for a timer that the run does not
    /// wait for, or whose instant somebody has named.
    pub fn horizon(&self, timer: RunTimer, now: Timestamp) -> Option<Timestamp> {
        match timer {
            RunTimer::Start => {
                let start_at = self.head.start_at.filter(|_| self.head.delayed)?;
                (self.head.created_at > now).then(|| now + start_at.since(self.head.created_at))
            }
            RunTimer::Retry(step) => match self.steps.get(step.at())? {
                // A wait of some length that began by a clock that was ahead: it has that length from now on.
                StepState::Backoff { attempts, until, .. } if attempts.attempt == 0 => {
                    let began = attempts.dispatched_at;
                    let is_of_a_length = self.workflow.steps.get(step.at())?.waits_for_a_length();
                    (is_of_a_length && began > now).then(|| now + until.since(began))
                }
                StepState::Backoff { attempts, .. } => {
                    let policy = &self.workflow.steps.get(step.at())?.retry;
                    Some(now + policy.longest_wait(attempts.retries.saturating_sub(1)))
                }
                _ => None,
            },
            RunTimer::Timeout => self.workflow.timeout.map(|timeout| now + timeout),
            RunTimer::CancelCheck => Some(now + LOOK_AGAIN),
        }
    }
}
