//! Commits: the one way in which the owner of a partition writes.

use millrace_domain::{Epoch, PartitionId, RunId, Seq, Timestamp};

use super::{Letter, RowDelta, RunDelta, Timer, WorkflowDelta};

/// A commit: one atomic write to one partition.
#[derive(Debug, Clone)]
pub struct Commit {
    /// The partition that is written to.
    pub partition: PartitionId,
    /// The epoch, which is the owner's fence.
    pub epoch: Epoch,
    /// The number of the commit: that of the last one + 1.
    pub seq: Seq,
    /// The outbox's watermark: all that was dispatched before this instant has been confirmed by the broker,
    /// so that whoever takes over publishes only what came later again.
    pub published_until: Timestamp,
    /// The changes to runs.
    pub runs: Vec<RunDelta>,
    /// The changes to workflows.
    pub workflows: Vec<WorkflowDelta>,
    /// The timers to set, by replacing, outside of runs (schedules).
    pub timers: Vec<(Timestamp, Timer)>,
    /// The timers to clear outside of runs.
    pub cleared: Vec<Timer>,
    /// The letters to send that belong to no run: they go whichever runs are left out. Those of a run are in its
    /// [`RunDelta`].
    pub letters: Vec<Letter>,
    /// The rows to put and to delete that belong to no run, after those of runs. The last change to a row holds.
    pub tables: Vec<RowDelta>,
}

impl Commit {
    /// A commit that changes nothing yet.
    pub fn new(partition: PartitionId, epoch: Epoch, seq: Seq, published_until: Timestamp) -> Self {
        Self {
            partition,
            epoch,
            seq,
            published_until,
            runs: Vec::new(),
            workflows: Vec::new(),
            timers: Vec::new(),
            cleared: Vec::new(),
            letters: Vec::new(),
            tables: Vec::new(),
        }
    }

    /// All letters of a commit that holds but for the runs in `left_out`.
    pub fn letters_without<'a>(&'a self, left_out: &'a [RunId]) -> impl Iterator<Item = &'a Letter> {
        let of_runs = self.runs.iter().filter(|delta| !left_out.contains(&delta.run));
        of_runs.flat_map(|delta| &delta.letters).chain(&self.letters)
    }
}

/// The verdict on a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The commit holds (now, or since an earlier sending).
    Applied {
        /// The runs that were to be created and existed: their deltas were left out.
        duplicates: Vec<RunId>,
    },
    /// The partition has another epoch, or the seq does not follow: step down.
    Fenced {
        /// The epoch that holds.
        epoch: Epoch,
        /// The seq of its last commit.
        seq: Seq,
    },
    /// The store is full, and this one creates runs or stores definitions: nothing of it was written, and nothing
    /// of those that follow it in its partition. Its seq is free for one that creates nothing, which full memory
    /// does not refuse. Letters and rows create nothing: what has begun goes on by them.
    Full {
        /// What the store says, and what to do.
        why: String,
    },
}
