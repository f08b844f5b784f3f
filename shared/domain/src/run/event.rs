//! What can happen to a run.

use crate::task::TaskResult;
use crate::{RunId, StepIndex};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The start of a delayed run is due.
    StartDue,
    /// An attempt ended.
    Result(TaskResult),
    /// The backoff of a step is over.
    RetryDue {
        /// Which step.
        step: StepIndex,
    },
    /// An attempt's worker is gone, and the attempt was taken back.
    Lost {
        /// Which step.
        step: StepIndex,
        /// Which attempt.
        attempt: u32,
        /// What is known of it.
        reason: String,
    },
    /// An attempt of a run that is being stopped was taken back.
    Revoked {
        /// Which step.
        step: StepIndex,
        /// Which attempt.
        attempt: u32,
    },
    /// Somebody wants it stopped.
    Cancel {
        /// Who, or why.
        reason: String,
    },
    /// The run has taken too long.
    TimedOut,
    /// Time to see whether a stopped run has ended.
    CancelCheckDue,
    /// An event broke its owner: the run cannot go on.
    Poisoned {
        /// What happened.
        reason: String,
    },
}

/// Why an event changes nothing. None of these is a fault: duplicates and late messages are daily bread.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The run has ended.
    #[error("run {0} has ended")]
    RunEnded(RunId),
    /// The attempt is not the current one.
    #[error("attempt {attempt} of step {} is not the current one", step.0)]
    StaleAttempt {
        /// Which step.
        step: StepIndex,
        /// Which attempt.
        attempt: u32,
    },
    /// The run has no such step.
    #[error("there is no step {}", .0.0)]
    NoSuchStep(StepIndex),
    /// The step does not wait for this.
    #[error("step {} does not wait for this", .0.0)]
    NotExpected(StepIndex),
    /// The run does not wait for this.
    #[error("the run does not wait for this")]
    RunNotWaiting,
}
