//! The locks that are at home in the owned partitions: read when somebody first asks for one, or a while after a partition was
//! taken, since those that hold one are told again, and rates come back by themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use millrace_domain::lock::Board;
use millrace_domain::{PartitionId, Timestamp};

use crate::context::Context;
use crate::lock_table::{LOCKS, board_of};

/// A partition is read so long after it was taken, when nobody has asked for one of its locks until then: somebody may wait for
/// a rate that comes back by itself.
const READ_AFTER: Duration = Duration::from_secs(3);

/// The boards of the owned partitions.
#[derive(Default)]
pub(crate) struct Locks {
    boards: BTreeMap<PartitionId, Board>,
    /// The partitions that are not read yet, and when they will be.
    unread: BTreeMap<PartitionId, Timestamp>,
    /// When somebody is to be told again, or a partition is to be read: asked for in every turn of the loop.
    next: Option<Timestamp>,
}

impl Locks {
    /// Notes a partition that was taken.
    pub(crate) fn took(&mut self, partition: PartitionId, now: Timestamp) {
        self.unread.insert(partition, now + READ_AFTER);
        self.changed();
    }

    /// Forgets a partition: it is not ours any more, or what is in memory of it may not be what is stored.
    pub(crate) fn forget(&mut self, partition: PartitionId) {
        self.boards.remove(&partition);
        self.unread.remove(&partition);
        self.changed();
    }

    /// Reads the boards of these partitions that are not in memory. `None` when the store does not answer.
    pub(crate) async fn load(&mut self, context: &Context, partitions: BTreeSet<PartitionId>) -> Option<()> {
        for partition in partitions {
            if self.boards.contains_key(&partition) {
                continue;
            }
            match context.store.read_table(partition, LOCKS).await {
                Ok(rows) => drop(self.boards.insert(partition, board_of(rows, context.now()))),
                Err(error) => {
                    tracing::warn!(%partition, %error, "its locks cannot be read");
                    return None;
                }
            }
            self.unread.remove(&partition);
            self.changed();
        }
        Some(())
    }

    /// Has what a clock has noted that was ahead be looked at.
    pub(crate) fn clock_went_back(&mut self, now: Timestamp) {
        self.boards.values_mut().for_each(|board| board.clock_went_back(now));
        self.unread.values_mut().for_each(|at| *at = (*at).min(now + READ_AFTER));
        self.changed();
    }

    /// The board of a partition that was read.
    pub(crate) fn board(&mut self, partition: PartitionId) -> &mut Board {
        self.boards.entry(partition).or_default()
    }

    /// When somebody is to be told again, or a partition is to be read.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// The partitions in which somebody is to be told again, or which are to be read.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<PartitionId> {
        let boards = self.boards.iter().filter_map(|(partition, board)| Some((*partition, board.due()?)));
        let unread = self.unread.iter().map(|(partition, at)| (*partition, *at));
        boards.chain(unread).filter(|(_, at)| *at <= now).map(|(partition, _)| partition).collect()
    }

    fn changed(&mut self) {
        let boards = self.boards.values().filter_map(Board::due);
        self.next = boards.chain(self.unread.values().copied()).min();
    }

    /// Notes that a board has changed, and shows in the metrics how many hold locks, and how many wait.
    pub(crate) fn note_change(&mut self) {
        self.changed();
        let counts = self.boards.values().map(Board::counts);
        let (holders, waiters) = counts.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
        metrics::gauge!("millrace_lock_holders").set(holders as f64);
        metrics::gauge!("millrace_lock_waiters").set(waiters as f64);
    }
}
