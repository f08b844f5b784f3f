//! What a store watches over. Each guard can be taken away, to see that the invariants notice.

/// The guards of a store; all in place by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guards {
    /// Only the epoch that holds writes, and each commit follows the last.
    pub fence: bool,
    /// An attempt that somebody holds is not granted to anybody else.
    pub claim: bool,
    /// Only who claimed an attempt finishes it.
    pub finish: bool,
    /// A run that exists is not created again.
    pub dedup: bool,
    /// What was dispatched is watched until its owner retires it, so that it can be published again.
    pub outbox: bool,
    /// No producer counts as present, or holds a partition, for longer than a lease from now, whatever the clock showed
    /// before.
    pub clock: bool,
}

impl Default for Guards {
    fn default() -> Self {
        Self { fence: true, claim: true, finish: true, dedup: true, outbox: true, clock: true }
    }
}
