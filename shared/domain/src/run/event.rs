//! What can happen to a run.

use crate::task::TaskResult;
use crate::{RunId, StepIndex};

/// An event of a run: something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The start of a delayed run is due.
    StartDue,
    /// An attempt ended, with this result.
    Result(TaskResult),
    /// The backoff of a step is over.
    RetryDue {
        /// The step.
        step: StepIndex,
    },
    /// An attempt's worker is gone, and the attempt was taken back.
    Lost {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: u32,
        /// What is known of the loss.
        reason: String,
    },
    /// An attempt of a run that is being stopped was taken back.
    Revoked {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: u32,
    },
    /// Somebody wants the run stopped.
    Cancel {
        /// Who wants it stopped, or why.
        reason: String,
    },
    /// The run has taken too long.
    TimedOut,
    /// It is time to see whether a stopped run has ended.
    CancelCheckDue,
    /// An event broke its owner: the run cannot go on.
    Poisoned {
        /// What happened to the owner.
        reason: String,
    },
}

/// The reason why an event changes nothing. None of these is a fault: duplicates and late messages are daily bread.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The run has ended.
    #[error("run {0} has ended")]
    RunEnded(RunId),
    /// The attempt is not the current one.
    #[error("attempt {attempt} of step {} is not the current one", step.0)]
    StaleAttempt {
        /// The step.
        step: StepIndex,
        /// The attempt.
        attempt: u32,
    },
    /// The run has no such step.
    #[error("there is no step {}", .0.0)]
    NoSuchStep(StepIndex),
    /// The step does not wait for this event.
    #[error("step {} does not wait for this", .0.0)]
    NotExpected(StepIndex),
    /// The run does not wait for this event.
    #[error("the run does not wait for this")]
    RunNotWaiting,
}
