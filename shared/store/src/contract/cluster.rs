//! What is fixed for a cluster, and agreed on by all of its processes.

use millrace_domain::{ClusterId, Epoch};

/// The format in which this program stores and sends. A store of another one is not touched.
pub const FORMAT: u32 = 1;

/// What is fixed for a cluster when it is founded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Which one it is; [`ClusterId::UNKNOWN`] until a producer that knows of ids has joined it.
    pub id: ClusterId,
    /// How many partitions it has.
    pub partitions: u16,
    /// What kind of queues it has, in the broker's word. Empty where that is not stored.
    pub queues: String,
    /// In which format it stores and sends, see [`FORMAT`].
    pub format: u32,
    /// When this life of the store began: every ownership of it has an epoch of this number or a higher one, so that
    /// what is of a lower one was lost with a life before. Zero where that is not known. The store's own word: in what
    /// is asked for, it is not looked at.
    pub since: Epoch,
}

/// How much a store holds, and how much it can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fullness {
    /// What it holds, in bytes.
    pub used_bytes: u64,
    /// What it can hold before it refuses, in bytes; `None` when nothing of the store's own bounds it.
    pub limit_bytes: Option<u64>,
}

impl Fullness {
    /// The part that is used, 0 to 1 and beyond; `None` when there is no limit.
    pub fn ratio(self) -> Option<f64> {
        self.limit_bytes.map(|limit| self.used_bytes as f64 / limit.max(1) as f64)
    }
}
