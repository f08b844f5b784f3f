//! The watermark: up to when all that this producer has dispatched is with the broker, and all letters have arrived. It is
//! stored with every commit and every renewal, and whoever takes a partition over publishes again what came after it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use millrace_domain::{Epoch, PartitionId, Timestamp};

/// A batch of messages on their way to the broker: when their tasks were dispatched, and a number.
pub(crate) type OpenBatch = (Timestamp, u64);

/// The dispatches that the broker has not confirmed yet.
#[derive(Debug, Default)]
pub(crate) struct Published(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// When the tasks of the commits that are being made count as dispatched.
    committing: Option<Timestamp>,
    /// How many messages are in each batch on its way.
    open: BTreeMap<OpenBatch, usize>,
    batches: u64,
    /// Partitions that were taken, and whose letters nobody has read yet.
    unread: BTreeMap<PartitionId, Epoch>,
}

impl Published {
    /// Begins the commits of a batch, whose tasks are dispatched at the time that `clock` tells. The clock is read while
    /// nobody can ask for the watermark, which so cannot be past that time.
    pub(crate) fn begin_commits(&self, clock: impl FnOnce() -> Timestamp) -> Timestamp {
        let mut state = self.state();
        let now = clock();
        state.committing = Some(now);
        now
    }

    /// Ends the commits of a batch: what they have dispatched is on its way.
    pub(crate) fn end_commits(&self) {
        self.state().committing = None;
    }

    /// Notes that a partition was taken, with letters that may not have arrived: until they are read, its watermark must
    /// stay where it is.
    pub(crate) fn took(&self, partition: PartitionId, epoch: Epoch) {
        self.state().unread.insert(partition, epoch);
    }

    /// Notes that the letters of a partition that was taken are read, and that those are open that may not have arrived.
    pub(crate) fn has_read(&self, partition: PartitionId, epoch: Epoch) {
        let mut state = self.state();
        if state.unread.get(&partition) == Some(&epoch) {
            state.unread.remove(&partition);
        }
    }

    /// Whether the letters of a partition are still to be read. To be asked before the watermark is.
    pub(crate) fn is_unread(&self, partition: PartitionId) -> bool {
        self.state().unread.contains_key(&partition)
    }

    /// Adds a batch of messages whose tasks were dispatched at an instant.
    pub(crate) fn send(&self, dispatched_at: Timestamp, messages: usize) -> OpenBatch {
        let mut state = self.state();
        state.batches += 1;
        let batch = (dispatched_at, state.batches);
        state.open.insert(batch, messages);
        state.tell();
        batch
    }

    /// Removes a batch of which all messages are confirmed.
    pub(crate) fn confirm(&self, batch: OpenBatch) {
        let mut state = self.state();
        state.open.remove(&batch);
        state.tell();
    }

    /// The watermark: all that was dispatched before this instant is confirmed. That is the time which `clock` tells when
    /// nothing is open.
    pub(crate) fn until(&self, clock: impl FnOnce() -> Timestamp) -> Timestamp {
        let state = self.state();
        let first_open = state.open.keys().next().map(|(dispatched_at, _)| *dispatched_at);
        first_open.into_iter().chain(state.committing).min().unwrap_or_else(clock)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn tell(&self) {
        metrics::gauge!("millrace_outbox_depth").set(self.open.values().sum::<usize>() as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watermark_is_the_first_instant_of_which_something_may_not_be_with_the_broker() {
        let at = Timestamp::from_millis;
        let published = Published::default();
        assert_eq!(published.until(|| at(50)), at(50), "nothing is open");
        assert_eq!(published.begin_commits(|| at(60)), at(60));
        assert_eq!(published.until(|| at(70)), at(60), "what is being committed is not published yet");
        let (first, second) = (published.send(at(60), 2), published.send(at(60), 1));
        published.end_commits();
        let third = published.send(at(80), 1);
        published.confirm(second);
        assert_eq!(published.until(|| at(90)), at(60));
        published.confirm(first);
        assert_eq!(published.until(|| at(90)), at(80));
        published.confirm(third);
        assert_eq!(published.until(|| at(90)), at(90));
    }

    #[test]
    fn the_letters_of_a_partition_are_unread_until_those_of_its_last_taking_are_read() {
        let (published, partition) = (Published::default(), PartitionId(3));
        published.took(partition, Epoch(1));
        published.took(partition, Epoch(2));
        published.has_read(partition, Epoch(1));
        assert!(published.is_unread(partition));
        published.has_read(partition, Epoch(2));
        assert!(!published.is_unread(partition));
    }
}
