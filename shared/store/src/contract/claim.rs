//! Claims: which worker holds which attempt.

use millrace_domain::{ClaimToken, SessionId, TaskId};

/// A claim: a worker asks for the hold on one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The attempt that is claimed.
    pub task: TaskId,
    /// The token of the delivery.
    pub token: ClaimToken,
    /// The session of the worker.
    pub session: SessionId,
}

/// The verdict on a claim.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimVerdict {
    /// The attempt is the claimer's: execute it.
    Granted,
    /// Somebody holds the attempt: drop the delivery.
    Held {
        /// The session that holds it.
        session: SessionId,
    },
    /// The attempt has an outcome already: report it, do not execute.
    Finished {
        /// The result as it was stored.
        result: String,
    },
    /// The attempt is not the current one of its step (any more): drop the delivery.
    Stale,
    /// The run is not stored: it was forgotten long ago, or it was lost. Its owner knows, see [`PartitionStore::is_lost`].
    ///
    /// [`PartitionStore::is_lost`]: crate::PartitionStore::is_lost
    Unknown,
}

/// A finish: a worker stores how an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    /// The attempt that ended.
    pub task: TaskId,
    /// The token of its claim.
    pub token: ClaimToken,
    /// The result (JSON), to be reported word for word.
    pub result: String,
}

/// The verdict on a finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishVerdict {
    /// The result is stored (now, or before).
    Stored,
    /// The attempt is not the claimer's any more: say nothing, drop the delivery.
    Stale,
    /// The run is not stored (any more). Its owner knows what that means, see [`PartitionStore::is_lost`].
    ///
    /// [`PartitionStore::is_lost`]: crate::PartitionStore::is_lost
    Unknown,
}

/// The delay of the next look after a claim: a worker may have died, or its report may have been lost. A finish does
/// not move the look, which would be one more write for every task.
pub const LOOK_AFTER_CLAIM_MS: u64 = 5_000;

/// The delay of the next look after a hand-back, by when somebody else should have claimed the attempt: it is
/// published again by its worker's broker, and that takes its time.
pub const LOOK_AFTER_HAND_BACK_MS: u64 = 30_000;
