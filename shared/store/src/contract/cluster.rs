//! What is fixed for a cluster, and agreed on by all of its processes.

use millrace_domain::{ClusterId, Epoch};

/// The format in which this program stores and sends. A store of another one is not touched.
pub const FORMAT: u32 = 1;

/// The minor number of the format: it rises with whatever an older program does not know and can leave alone. What has a
/// higher one is worked on all the same.
pub const FORMAT_MINOR: u32 = 0;

/// A cluster: what is fixed when it is founded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The id of the cluster; [`ClusterId::UNKNOWN`] until a producer that knows of ids has joined it.
    pub id: ClusterId,
    /// The number of its partitions.
    pub partitions: u16,
    /// The kind of its queues, in the broker's word. Empty where that is not stored.
    pub queues: String,
    /// The format in which it stores and sends, see [`FORMAT`].
    pub format: u32,
    /// The highest [`FORMAT_MINOR`] of all that have stored there. A store in a file has that of this program: another
    /// one is told apart by the version of its tables.
    pub minor: u32,
    /// The beginning of this life of the store: every ownership of it has an epoch of this number or a higher one, so
    /// that what is of a lower one was lost with a life before. Zero where that is not known. The store's own word:
    /// in what is asked for, it is not looked at.
    pub since: Epoch,
}

/// The fullness of a store: how much it holds, and how much it can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fullness {
    /// The size of what it holds, in bytes.
    pub used_bytes: u64,
    /// The size of what it can hold before it refuses, in bytes; `None` when nothing of the store's own bounds it.
    pub limit_bytes: Option<u64>,
}

impl Fullness {
    /// The part that is used, 0 to 1 and beyond; `None` when there is no limit.
    pub fn ratio(self) -> Option<f64> {
        self.limit_bytes.map(|limit| self.used_bytes as f64 / limit.max(1) as f64)
    }
}
