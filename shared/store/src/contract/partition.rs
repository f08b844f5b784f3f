//! Ownership of a partition.

use millrace_domain::{Epoch, ProducerId, Seq, Timestamp};

/// The answer to a taking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquired {
    /// It is ours, from now on under this epoch.
    Owned {
        /// The new epoch.
        epoch: Epoch,
        /// Where the epoch before ended, if there was one.
        previous: Option<(Epoch, Seq)>,
        /// All that was dispatched before this instant has been confirmed by the broker.
        published_until: Timestamp,
    },
    /// Somebody else holds it.
    Held {
        /// Who.
        owner: ProducerId,
        /// Until when, unless renewed, by the store's clock.
        until: Timestamp,
    },
}
