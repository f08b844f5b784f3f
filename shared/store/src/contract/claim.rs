//! Claims: which worker holds which attempt.

use millrace_domain::{ClaimToken, SessionId, TaskId};

/// "This attempt is mine."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Which attempt.
    pub task: TaskId,
    /// Of this delivery.
    pub token: ClaimToken,
    /// Under this session.
    pub session: SessionId,
}

/// The answer to a claim.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimVerdict {
    /// It is yours: execute it.
    Granted,
    /// Somebody holds it: drop the delivery.
    Held {
        /// Under this session.
        session: SessionId,
    },
    /// It has an outcome already: report it, do not execute.
    Finished {
        /// The result as it was stored.
        result: String,
    },
    /// It is not the current attempt of its step (any more): drop the delivery.
    Stale,
    /// Its run is not stored: it was forgotten long ago, or it was lost. Its owner knows, see [`Store::is_lost`].
    ///
    /// [`Store::is_lost`]: crate::Store::is_lost
    Unknown,
}

/// "This is how it ended."
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finish {
    /// Which attempt.
    pub task: TaskId,
    /// The claim's token.
    pub token: ClaimToken,
    /// The result (JSON), to be reported word for word.
    pub result: String,
}

/// The answer to a finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishVerdict {
    /// Stored (now, or before).
    Stored,
    /// The attempt is not the claimer's any more: say nothing, drop the delivery.
    Stale,
    /// Its run is not stored (any more). Its owner knows what that means, see [`Store::is_lost`].
    ///
    /// [`Store::is_lost`]: crate::Store::is_lost
    Unknown,
}

/// After a claim, look again so much later: a worker may have died, or its report may have been lost. A finish does
/// not move the look, which would be one more write for every task.
pub const LOOK_AFTER_CLAIM_MS: u64 = 5_000;

/// After a hand-back, look so much later whether somebody else claimed it: it is published again by its worker's broker,
/// and that takes its time.
pub const LOOK_AFTER_HAND_BACK_MS: u64 = 30_000;
