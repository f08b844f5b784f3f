//! The partitions that are ours, and whose turn it is to get the next runs that may go anywhere.

use std::collections::{BTreeMap, HashMap};

use millrace_domain::task::Task;
use millrace_domain::{Epoch, PartitionId, Seq, TaskQueue};

use crate::partition::draft::Draft;

/// How many attempts are dispatched and have not ended, by their queue.
pub(crate) type InFlight = HashMap<TaskQueue, usize>;

/// The drafts of a batch.
pub(crate) type Drafts = BTreeMap<PartitionId, Draft>;

/// A partition that is ours.
#[derive(Debug)]
pub(crate) struct Owned {
    /// The fence of our ownership.
    pub(crate) epoch: Epoch,
    /// The number of the last commit.
    pub(crate) seq: Seq,
    /// Something may be dispatched: the watch looks at it.
    pub(crate) watching: bool,
    /// The partition holds plans of a clock that was ahead: its watermark stays ahead, so that whoever takes it over knows.
    pub(crate) is_ahead: bool,
    /// The attempts that were dispatched since it is ours, and have not ended.
    pub(crate) in_flight: InFlight,
}

impl Owned {
    /// A partition that was just taken.
    pub(crate) fn new(epoch: Epoch, is_ahead: bool) -> Self {
        Self { epoch, seq: Seq(0), watching: true, is_ahead, in_flight: InFlight::new() }
    }

    /// Counts tasks as in flight.
    pub(crate) fn note_dispatched(&mut self, tasks: &[Task]) {
        for task in tasks {
            *self.in_flight.entry(task.queue()).or_default() += 1;
        }
    }

    /// Counts an attempt as ended.
    pub(crate) fn note_ended(&mut self, queue: &TaskQueue) {
        if let Some(count) = self.in_flight.get_mut(queue) {
            *count = count.saturating_sub(1);
        }
    }
}

/// All partitions that are ours.
#[derive(Debug, Default)]
pub(crate) struct Partitions {
    owned: BTreeMap<PartitionId, Owned>,
    order: Vec<PartitionId>,
    turn: usize,
}

impl Partitions {
    /// Adds a partition that was taken.
    pub(crate) fn insert(&mut self, partition: PartitionId, owned: Owned) {
        self.owned.insert(partition, owned);
        self.reorder();
    }

    /// Removes a partition: was it here?
    pub(crate) fn remove(&mut self, partition: PartitionId) -> bool {
        let was_here = self.owned.remove(&partition).is_some();
        self.reorder();
        was_here
    }

    fn reorder(&mut self) {
        self.order = self.owned.keys().copied().collect();
    }

    /// Whether this partition is ours.
    pub(crate) fn has(&self, partition: PartitionId) -> bool {
        self.owned.contains_key(&partition)
    }

    /// A partition, if it is ours.
    pub(crate) fn get(&self, partition: PartitionId) -> Option<&Owned> {
        self.owned.get(&partition)
    }

    /// A partition, if it is ours, to be changed.
    pub(crate) fn get_mut(&mut self, partition: PartitionId) -> Option<&mut Owned> {
        self.owned.get_mut(&partition)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PartitionId, &Owned)> {
        self.owned.iter().map(|(partition, owned)| (*partition, owned))
    }

    /// All of them, to be changed.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Owned> {
        self.owned.values_mut()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.owned.len()
    }

    /// Whether no partition is ours.
    pub(crate) fn is_empty(&self) -> bool {
        self.owned.is_empty()
    }

    /// Whether there is any that the watch has to look at.
    pub(crate) fn is_any_watched(&self) -> bool {
        self.owned.values().any(|owned| owned.watching)
    }

    /// The partition of the next batch's runs that may go anywhere: each in turn, so that runs of one batch share a
    /// commit, and their results come back together.
    pub(crate) fn next_in_turn(&mut self) -> Option<PartitionId> {
        let next = self.order.get(self.turn % self.order.len().max(1)).copied();
        self.turn = self.turn.wrapping_add(1);
        next
    }

    /// The draft of a partition that is ours.
    pub(crate) fn draft<'d>(&self, drafts: &'d mut Drafts, partition: PartitionId) -> Option<&'d mut Draft> {
        let owned = self.owned.get(&partition)?;
        Some(drafts.entry(partition).or_insert_with(|| Draft::new(owned.epoch, owned.seq)))
    }

    /// The attempts in flight, of all partitions.
    pub(crate) fn in_flight(&self) -> InFlight {
        let mut all = InFlight::new();
        for (queue, count) in self.owned.values().flat_map(|owned| &owned.in_flight) {
            *all.entry(queue.clone()).or_default() += count;
        }
        all
    }
}
