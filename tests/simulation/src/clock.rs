//! The store's clock. It can be set, which no process is told: each goes on by what it heard last, until it asks.

use std::time::Duration;

use millrace_domain::Timestamp;

/// The age of what the clock showed that a process may go by: it was held up, or had no answer.
const BELIEVED_FOR: Duration = Duration::from_secs(90);

/// The store's clock: by how many milliseconds it is off the true time, and since when.
#[derive(Debug, Default)]
pub(crate) struct Clock(Vec<(Timestamp, i64)>);

/// What processes may believe that the clock shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Believed {
    pub(crate) earliest: Timestamp,
    pub(crate) latest: Timestamp,
}

impl Clock {
    /// Sets the clock ahead, or back when `by_ms` is below 0.
    pub(crate) fn step(&mut self, by_ms: i64, true_now: Timestamp) {
        let off = self.off() + by_ms;
        self.0.push((true_now, off));
    }

    /// What the clock shows.
    pub(crate) fn shows(&self, true_now: Timestamp) -> Timestamp {
        moved(true_now, self.off())
    }

    /// What processes may believe that the clock shows.
    pub(crate) fn believed(&self, true_now: Timestamp) -> Believed {
        let ends = self.0.iter().skip(1).map(|(at, _)| *at).chain([true_now]);
        let lately = self.0.iter().zip(ends).filter(|(_, end)| true_now.since(*end) <= BELIEVED_FOR);
        let before = self.0.first().is_none_or(|(at, _)| true_now.since(*at) <= BELIEVED_FOR).then_some(0);
        let offs: Vec<i64> = lately.map(|((_, off), _)| *off).chain(before).collect();
        let (low, high) = (offs.iter().min(), offs.iter().max());
        Believed {
            earliest: moved(true_now, low.copied().unwrap_or_default()),
            latest: moved(true_now, high.copied().unwrap_or_default()),
        }
    }

    fn off(&self) -> i64 {
        self.0.last().map_or(0, |(_, off)| *off)
    }
}

fn moved(at: Timestamp, by_ms: i64) -> Timestamp {
    Timestamp::from_millis(at.as_millis() + by_ms)
}
