//! Revocation: how an owner takes dispatched attempts back.

use millrace_domain::SessionId;

/// The condition under which an owner takes an attempt back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoke {
    /// Only when nobody has claimed it.
    Unclaimed,
    /// Also when it is claimed under this session.
    HeldBy(SessionId),
    /// Also when anybody has claimed it.
    Anyway,
}

/// The verdict on a revocation.
#[derive(Debug, Clone, PartialEq)]
pub enum Revoked {
    /// The attempt is taken back: no claim and no finish of it succeeds any more. Somebody had claimed it, or it cannot be told.
    Done,
    /// The same, and nobody had claimed it: it never began.
    Unclaimed,
    /// The attempt is claimed and stays so.
    Claimed {
        /// The session that holds it.
        session: SessionId,
    },
    /// The attempt has ended: apply this result.
    Finished {
        /// The result as it was stored.
        result: String,
    },
    /// The attempt is not the current one of its step, or the epoch is stale.
    Gone,
}
