//! Commits: the one way in which the owner of a partition writes.

use millrace_domain::{Epoch, PartitionId, RunId, Seq, Timestamp};

use super::{RunDelta, Timer, WorkflowDelta};

/// One atomic write to one partition.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Where.
    pub partition: PartitionId,
    /// The owner's fence.
    pub epoch: Epoch,
    /// The last one's seq + 1.
    pub seq: Seq,
    /// The outbox's watermark: all that was dispatched before this instant has been confirmed by the broker,
    /// so that whoever takes over publishes only what came later again.
    pub published_until: Timestamp,
    /// Changes to runs.
    pub runs: Vec<RunDelta>,
    /// Changes to workflows.
    pub workflows: Vec<WorkflowDelta>,
    /// Timers to set, by replacing, outside of runs (schedules).
    pub timers: Vec<(Timestamp, Timer)>,
    /// Timers to clear outside of runs.
    pub cleared: Vec<Timer>,
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds (now, or since an earlier sending).
    Applied {
        /// Runs that were to be created and existed: their deltas were left out.
        duplicates: Vec<RunId>,
    },
    /// The partition has another epoch, or the seq does not follow: step down.
    Fenced {
        /// The epoch that holds.
        epoch: Epoch,
        /// Its last seq.
        seq: Seq,
    },
    /// The store is full, and this one creates runs or stores definitions: nothing of it was written, and nothing
    /// of those that follow it in its partition. Its seq is free for one that creates nothing, which full memory
    /// does not refuse.
    Full {
        /// What the store says, and what to do.
        why: String,
    },
}
