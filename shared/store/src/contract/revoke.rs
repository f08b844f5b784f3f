//! Revocation: how an owner takes dispatched attempts back.

use millrace_domain::SessionId;

/// When an owner may take an attempt back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revoke {
    /// Only when nobody has claimed it.
    Unclaimed,
    /// Also when it is claimed under this session.
    HeldBy(SessionId),
    /// Also when anybody has claimed it.
    Anyway,
}

/// The answer to a revocation.
#[derive(Debug, Clone, PartialEq)]
pub enum Revoked {
    /// Taken back: no claim and no finish of it succeeds any more.
    Done,
    /// It is claimed and stays so.
    Claimed {
        /// Under this session.
        session: SessionId,
    },
    /// It has ended: apply this.
    Finished {
        /// The result as it was stored.
        result: String,
    },
    /// It is not the current attempt of its step, or the epoch is stale.
    Gone,
}
