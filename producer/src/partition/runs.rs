//! Runs in memory. Any of them can be dropped and loaded again: the store holds the truth. Two generations bound
//! the memory: what was not touched while the young one filled up is dropped.

use std::collections::HashMap;

use millrace_domain::run::Run;
use millrace_domain::{PartitionId, RunId};

/// Steps kept in memory in each generation, about.
const GENERATION: usize = 30_000;

/// The cache.
#[derive(Default)]
pub(crate) struct Runs {
    young: HashMap<RunId, Run>,
    old: HashMap<RunId, Run>,
    young_steps: usize,
}

impl Runs {
    /// Is it here?
    pub(crate) fn has(&self, id: RunId) -> bool {
        self.young.contains_key(&id) || self.old.contains_key(&id)
    }

    /// The run, if it is here.
    pub(crate) fn get(&mut self, id: RunId) -> Option<&mut Run> {
        if let Some(run) = self.old.remove(&id) {
            self.insert(run);
        }
        self.young.get_mut(&id)
    }

    /// Keeps a run.
    pub(crate) fn insert(&mut self, run: Run) {
        self.young_steps += run.steps.len();
        self.young.insert(run.id, run);
    }

    /// Drops a run.
    pub(crate) fn remove(&mut self, id: RunId) {
        self.old.remove(&id);
        if let Some(run) = self.young.remove(&id) {
            self.young_steps = self.young_steps.saturating_sub(run.steps.len());
        }
    }

    /// Drops all runs of a partition.
    pub(crate) fn forget(&mut self, partition: PartitionId) {
        self.young.retain(|id, _| id.partition() != partition);
        self.old.retain(|id, _| id.partition() != partition);
        self.young_steps = self.young.values().map(|run| run.steps.len()).sum();
    }

    /// Drops the old generation when the young one is full. To be called between batches.
    pub(crate) fn age(&mut self) {
        if self.young_steps >= GENERATION {
            self.old = std::mem::take(&mut self.young);
            self.young_steps = 0;
        }
    }
}
