//! Timers of the owned partitions: slept on, never polled. The store holds them all; memory holds those up to
//! a horizon, so that a million schedules cost no more memory than what is near.

use std::collections::{BTreeSet, HashMap};

use millrace_domain::{PartitionId, Timestamp};
use millrace_runtime::Unknown;
use millrace_store::Timer;

/// How many timers of a partition are read at once.
pub(crate) const WINDOW: usize = 10_000;

/// The near timers of all owned partitions.
#[derive(Default)]
pub(crate) struct Timers {
    due: BTreeSet<(Timestamp, PartitionId, Timer)>,
    by_timer: HashMap<(PartitionId, Timer), Timestamp>,
    /// Timers after this one are in the store only; absent when memory holds all of a partition's.
    horizon: HashMap<PartitionId, (Timestamp, Timer)>,
}

impl Timers {
    /// The first timers of a partition as read from the store: all of them, or a full window. Those that are not known here
    /// stay in the store only, for an owner that knows them.
    pub(crate) fn load(&mut self, partition: PartitionId, timers: Vec<(Timestamp, Timer)>) {
        if timers.len() >= WINDOW {
            if let Some(last) = timers.last() {
                self.horizon.insert(partition, last.clone());
            }
        } else {
            self.horizon.remove(&partition);
        }
        for (due, timer) in timers {
            match timer {
                // Nothing can be done here when it is due.
                Timer::Unknown(text) => {
                    Unknown::Timer.note(format_args!("{text:?} of partition {partition}"));
                }
                timer => self.insert(partition, due, timer),
            }
        }
    }

    /// A timer was set, by replacing.
    pub(crate) fn set(&mut self, partition: PartitionId, due: Timestamp, timer: Timer) {
        self.clear(partition, &timer);
        let beyond =
            self.horizon.get(&partition).is_some_and(|horizon| (due, &timer) > (horizon.0, &horizon.1));
        if !beyond {
            self.insert(partition, due, timer);
        }
    }

    fn insert(&mut self, partition: PartitionId, due: Timestamp, timer: Timer) {
        if let Some(before) = self.by_timer.insert((partition, timer.clone()), due) {
            self.due.remove(&(before, partition, timer.clone()));
        }
        self.due.insert((due, partition, timer));
    }

    /// A timer was cleared.
    pub(crate) fn clear(&mut self, partition: PartitionId, timer: &Timer) {
        if let Some(due) = self.by_timer.remove(&(partition, timer.clone())) {
            self.due.remove(&(due, partition, timer.clone()));
        }
    }

    /// Forgets a partition that is not ours any more.
    pub(crate) fn forget(&mut self, partition: PartitionId) {
        self.due.retain(|entry| entry.1 != partition);
        self.by_timer.retain(|(of, _), _| *of != partition);
        self.horizon.remove(&partition);
    }

    /// The earliest instant at which something is due, or must be read.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let near = self.due.first().map(|entry| entry.0);
        let far = self.horizon.values().map(|horizon| horizon.0).min();
        near.into_iter().chain(far).min()
    }

    /// Takes out what is due, at most `limit`.
    pub(crate) fn take_due(&mut self, now: Timestamp, limit: usize) -> Vec<(Timestamp, PartitionId, Timer)> {
        let mut taken = Vec::new();
        while taken.len() < limit && self.due.first().is_some_and(|entry| entry.0 <= now) {
            if let Some(entry) = self.due.pop_first() {
                self.by_timer.remove(&(entry.1, entry.2.clone()));
                taken.push(entry);
            }
        }
        taken
    }

    /// Partitions whose next window must be read by `now`, with the timer it begins after.
    pub(crate) fn exhausted(&self, now: Timestamp) -> Vec<(PartitionId, (Timestamp, Timer))> {
        self.horizon.iter().filter(|(_, horizon)| horizon.0 <= now).map(|(p, h)| (*p, h.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use millrace_domain::TriggerId;

    const HERE: PartitionId = PartitionId(1);

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn fire(index: u32) -> Timer {
        Timer::Fire("daily".parse().unwrap(), TriggerId(index))
    }

    #[test]
    fn timers_come_out_in_order_once_they_are_due() {
        let mut timers = Timers::default();
        for (due, index) in [(30, 3), (10, 1), (20, 2)] {
            timers.set(HERE, at(due), fire(index));
        }
        assert_eq!(timers.next(), Some(at(10)));
        let due: Vec<_> = timers.take_due(at(20), 10).into_iter().map(|(_, _, timer)| timer).collect();
        assert_eq!(due, [fire(1), fire(2)]);
        assert_eq!(timers.next(), Some(at(30)));
    }

    #[test]
    fn setting_a_timer_again_replaces_it() {
        let mut timers = Timers::default();
        timers.set(HERE, at(10), fire(1));
        timers.set(HERE, at(50), fire(1));
        assert_eq!(timers.take_due(at(40), 10), []);
        assert_eq!(timers.take_due(at(50), 10).len(), 1);
        timers.set(HERE, at(60), fire(1));
        timers.clear(HERE, &fire(1));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn timers_that_are_not_known_are_passed_over_though_they_fill_windows() {
        let mut timers = Timers::default();
        let lease = |n: usize| (at(n as i64), Timer::Unknown(format!("lease:{n}")));
        timers.load(HERE, (0..WINDOW).map(lease).collect());
        assert_eq!(timers.take_due(at(i64::MAX), 10), []);
        let last = lease(WINDOW - 1);
        assert_eq!(timers.next(), Some(last.0), "the next window is read then");
        assert_eq!(timers.exhausted(last.0), [(HERE, last)]);
        timers.load(HERE, vec![lease(WINDOW), (at(1_000_000), fire(1))]);
        assert_eq!(timers.next(), Some(at(1_000_000)));
    }

    #[test]
    fn timers_beyond_the_horizon_stay_in_the_store_and_the_horizon_wakes_the_owner() {
        let mut timers = Timers::default();
        timers.load(HERE, (0..WINDOW as u32).map(|n| (at(i64::from(n)), fire(n))).collect());
        timers.set(HERE, at(1_000_000), fire(u32::MAX));
        timers.take_due(at(20_000), WINDOW + 1);
        assert_eq!(timers.next(), Some(at(WINDOW as i64 - 1)), "the horizon itself wakes the owner");
        let exhausted = timers.exhausted(at(20_000));
        assert_eq!(exhausted.len(), 1);
        timers.load(HERE, vec![(at(1_000_000), fire(u32::MAX))]);
        assert_eq!(timers.next(), Some(at(1_000_000)));
        timers.forget(HERE);
        assert_eq!(timers.next(), None);
    }
}
