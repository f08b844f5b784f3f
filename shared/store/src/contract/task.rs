//! Dispatched attempts: how one stands, and where it waits.

use millrace_domain::{PoolName, Priority, SessionId, StepIndex, Timestamp};

/// Where a dispatched attempt waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Lane {
    /// The pool whose queue it is in.
    pub pool: PoolName,
    /// Its priority there.
    pub priority: Priority,
}

/// An attempt that is dispatched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatched {
    /// Of which step.
    pub step: StepIndex,
    /// Which attempt.
    pub attempt: u32,
    /// When.
    pub at: Timestamp,
    /// When to look whether somebody claimed it.
    pub look_at: Timestamp,
    /// Where it waits.
    pub lane: Lane,
}

/// How a dispatched attempt stands.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskRecord {
    /// Nobody has it yet.
    Queued {
        /// When it was dispatched.
        dispatched_at: Timestamp,
        /// Where it waits.
        lane: Lane,
    },
    /// Somebody executes it.
    Claimed {
        /// Under this session.
        session: SessionId,
        /// Since when.
        claimed_at: Timestamp,
    },
    /// It has ended, and its owner has not applied it yet.
    Finished {
        /// The result as it was stored.
        result: String,
    },
    /// It was taken back.
    Revoked,
}
