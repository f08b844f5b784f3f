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
