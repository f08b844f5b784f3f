//! Letters: what a commit sends to other partitions. They are stored with it, so that whoever takes the partition over
//! sends again what may not have arrived.

use millrace_domain::{Epoch, PartitionId, Seq, Timestamp};

/// A letter: what a commit sends to a partition, its own or another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The number of the letter, which no other letter of its commit has.
    pub n: u32,
    /// When the letter is sent: the instant of its commit, which the watermark is compared with.
    pub at: Timestamp,
    /// The partition to which the letter goes.
    pub to: PartitionId,
    /// What the letter says (JSON); the store does not look into it.
    pub body: String,
}

/// A letter as it is stored. Epoch, seq and number name it among all letters of its partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLetter {
    /// The epoch of the commit that sent the letter.
    pub epoch: Epoch,
    /// The seq of that commit.
    pub seq: Seq,
    /// The letter.
    pub letter: Letter,
}
