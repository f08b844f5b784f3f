//! Dispatched attempts: how one stands, and where it waits.

use millrace_domain::{Lane, SessionId, Timestamp, Unit};

/// A dispatch: one attempt that is given to the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatched {
    /// The unit of the run.
    pub unit: Unit,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// When the attempt is dispatched.
    pub at: Timestamp,
    /// When to look whether somebody has claimed it.
    pub look_at: Timestamp,
    /// The lane in which it waits.
    pub lane: Lane,
}

/// The record of a dispatched attempt: how it stands.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskRecord {
    /// The attempt waits, and nobody has claimed it yet.
    Queued {
        /// When it was dispatched.
        dispatched_at: Timestamp,
        /// The lane in which it waits.
        lane: Lane,
    },
    /// The attempt is claimed: somebody executes it.
    Claimed {
        /// The session that holds it.
        session: SessionId,
        /// When it was claimed.
        claimed_at: Timestamp,
        /// When it was dispatched.
        dispatched_at: Timestamp,
    },
    /// The attempt has ended, and its owner has not applied the result yet.
    Finished {
        /// The result as it was stored.
        result: String,
        /// When it was dispatched; `None` when a worker of version 0.1 stored the result, which does not say.
        dispatched_at: Option<Timestamp>,
    },
    /// The attempt was taken back.
    Revoked {
        /// When it was dispatched; `None` when a producer of version 0.1 took it back, which does not say.
        dispatched_at: Option<Timestamp>,
        /// Whether it is known that nobody had claimed it.
        unclaimed: bool,
    },
    /// The record can be read by a newer version only. It stays as it is.
    Unknown,
}

impl TaskRecord {
    /// When the attempt was dispatched, as far as the record says.
    pub fn dispatched_at(&self) -> Option<Timestamp> {
        match self {
            Self::Queued { dispatched_at, .. } | Self::Claimed { dispatched_at, .. } => Some(*dispatched_at),
            Self::Finished { dispatched_at, .. } | Self::Revoked { dispatched_at, .. } => *dispatched_at,
            Self::Unknown => None,
        }
    }
}
