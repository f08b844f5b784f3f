//! What can happen to a run.

use serde::{Deserialize, Serialize};

use super::{Act, RunAct};
use crate::lock::LockName;
use crate::task::TaskResult;
use crate::{Outcome, RunId, Unit};

/// An event of a run: something that happened. Its JSON is what the history of a run keeps of it: a field that is missing
/// has its default, one that is unknown is passed over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The start of a delayed run is due, or of steps that became ready beside too many others.
    StartDue,
    /// An attempt ended, with this result.
    Result(TaskResult),
    /// The run has ended that an attempt is, with this result; or it was started, where that is all that is waited for.
    ChildEnded(TaskResult),
    /// What a unit asked for of locks was granted.
    Granted {
        /// The unit.
        unit: Unit,
        /// The attempt for which it was asked.
        attempt: u32,
        /// The locks, which are of one group.
        locks: Vec<LockName>,
        /// The fencing token.
        token: u64,
    },
    /// What a unit asked for of locks will never be granted.
    LockRefused {
        /// The unit.
        unit: Unit,
        /// The attempt for which it was asked.
        attempt: u32,
        /// Why not.
        #[serde(default)]
        reason: String,
    },
    /// Somebody has released the locks of a unit, whatever it does.
    LockTaken {
        /// The unit.
        unit: Unit,
        /// The attempt for which it had asked.
        attempt: u32,
        /// The locks.
        locks: Vec<LockName>,
        /// Who has done it.
        by: String,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// The run was granted a slot of its workflow.
    SlotGranted {
        /// The slots of which it is one.
        slots: LockName,
    },
    /// The run will never be granted a slot of its workflow.
    SlotRefused {
        /// How the run ends for it.
        outcome: Outcome,
        /// Why not.
        #[serde(default)]
        reason: String,
    },
    /// Another run takes the place of this one.
    Displaced {
        /// The slots of which it has one.
        slots: LockName,
        /// Which run that is.
        #[serde(default)]
        reason: String,
    },
    /// Somebody has released the slot of the run, whatever it does.
    SlotTaken {
        /// The slots of which it had one.
        slots: LockName,
        /// Who has done it.
        by: String,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// The backoff of a unit is over.
    RetryDue {
        /// The unit.
        unit: Unit,
    },
    /// An attempt's worker is gone, and the attempt was taken back.
    Lost {
        /// The unit.
        unit: Unit,
        /// The attempt.
        attempt: u32,
        /// What is known of the loss.
        #[serde(default)]
        reason: String,
    },
    /// An attempt was taken back: of a run that is being stopped, or one that nobody had claimed.
    Revoked {
        /// The unit.
        unit: Unit,
        /// The attempt.
        attempt: u32,
        /// Whether nobody had claimed it, so that it never began.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unclaimed: bool,
    },
    /// Somebody does something to a unit.
    Act(Box<Act>),
    /// Somebody does something to the run as a whole.
    RunAct(Box<RunAct>),
    /// Somebody wants the run stopped.
    Cancel {
        /// Who wants it stopped, or why.
        #[serde(default)]
        reason: String,
    },
    /// The run has taken too long.
    TimedOut,
    /// It is time to see whether a stopped run has ended.
    CancelCheckDue,
    /// An event broke its owner: the run cannot go on.
    Poisoned {
        /// What happened to the owner.
        #[serde(default)]
        reason: String,
    },
}

impl Event {
    /// The unit that it happened to; `None` for what happened to the run as a whole.
    pub fn unit(&self) -> Option<Unit> {
        match self {
            Self::Result(result) | Self::ChildEnded(result) => Some(result.id().unit),
            Self::Act(act) => Some(act.unit),
            Self::RetryDue { unit }
            | Self::Lost { unit, .. }
            | Self::Revoked { unit, .. }
            | Self::Granted { unit, .. }
            | Self::LockRefused { unit, .. }
            | Self::LockTaken { unit, .. } => Some(*unit),
            Self::StartDue
            | Self::RunAct(_)
            | Self::SlotGranted { .. }
            | Self::SlotRefused { .. }
            | Self::Displaced { .. }
            | Self::SlotTaken { .. }
            | Self::Cancel { .. }
            | Self::TimedOut
            | Self::CancelCheckDue
            | Self::Poisoned { .. } => None,
        }
    }
}

/// The reason why an event changes nothing. None of these is a fault: duplicates and late messages are daily bread.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The run has ended.
    #[error("run {0} has ended")]
    RunEnded(RunId),
    /// The attempt is not the current one.
    #[error("attempt {attempt} of step {unit} is not the current one")]
    StaleAttempt {
        /// The unit.
        unit: Unit,
        /// The attempt.
        attempt: u32,
    },
    /// The run has no such unit.
    #[error("there is no step {0}")]
    NoSuchUnit(Unit),
    /// The unit does not wait for this event.
    #[error("step {0} does not wait for this")]
    NotExpected(Unit),
    /// The unit does not stand so that this can be done to it.
    #[error("this cannot be done to step {unit}: {why}")]
    Act {
        /// The unit.
        unit: Unit,
        /// Why it cannot be done, for whoever acts.
        why: String,
    },
    /// The run does not stand so that this can be done to it.
    #[error("this cannot be done to the run: {0}")]
    RunAct(String),
    /// Another act has the id of this one.
    #[error("another act has the id {0}")]
    AnotherAct(String),
    /// The run does not wait for this event.
    #[error("the run does not wait for this")]
    RunNotWaiting,
}
