//! What the loop remembers of its partitions. All of it is in the store as well: it can be dropped between batches, and
//! is loaded again when it is needed.

mod carry;
pub(crate) mod lend;
pub(crate) mod lent;
pub(crate) mod load;
pub(crate) mod locks;
pub(crate) mod owned;
pub(crate) mod runs;
pub(crate) mod timers;
pub(crate) mod workflows;

use std::collections::HashSet;

use millrace_domain::PartitionId;

use super::fired::Fire;
use lent::Lent;
use locks::Locks;
use runs::Runs;
use timers::Timers;
use workflows::Workflows;

/// The memory of the loop.
#[derive(Default)]
pub(crate) struct Memory {
    /// Runs that something happened to lately.
    pub(crate) runs: Runs,
    /// Workflows whose home is here, as far as they were needed lately.
    pub(crate) workflows: Workflows,
    /// The timers that are due next, of all owned partitions.
    pub(crate) timers: Timers,
    /// The locks that are at home here, as far as they were needed.
    pub(crate) locks: Locks,
    /// Outputs that were lent lately.
    pub(crate) lent: Lent,
    /// Fires that wait for room in the store.
    pub(crate) held_fires: HashSet<Fire>,
}

impl Memory {
    /// Forgets a partition that is not ours any more, of a cluster with so many `partitions`.
    pub(crate) fn forget(&mut self, partition: PartitionId, partitions: u16) {
        self.runs.forget(partition);
        self.timers.forget(partition);
        self.workflows.forget(partition, partitions);
        self.locks.forget(partition);
        self.held_fires.retain(|(name, ..)| PartitionId::home_of(name, partitions) != partition);
    }

    /// Notes that a fire waits for room.
    pub(crate) fn hold_fire(&mut self, fire: Fire) {
        if self.held_fires.insert(fire) {
            metrics::counter!("millrace_fires_total", "result" => "held").increment(1);
        }
    }

    /// Drops what was not used for long. To be called between batches.
    pub(crate) fn age(&mut self) {
        self.runs.age();
        self.workflows.age();
    }
}
