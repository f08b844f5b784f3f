//! Ownership of a partition.

use millrace_domain::{Epoch, ProducerId, Seq, Timestamp};

/// The verdict on an acquisition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquired {
    /// The partition is the asker's, from now on under this epoch.
    Owned {
        /// The new epoch.
        epoch: Epoch,
        /// The end of the epoch before, if there was one.
        previous: Option<(Epoch, Seq)>,
        /// The watermark of the outbox: all that was dispatched before this instant has been confirmed by the broker.
        published_until: Timestamp,
    },
    /// Somebody else holds the partition.
    Held {
        /// The producer that holds it.
        owner: ProducerId,
        /// The end of its lease, unless renewed, by the store's clock.
        until: Timestamp,
    },
}
