//! The store's clock, read locally: what is due is decided by the store's time, so that producers with
//! skewed clocks agree, without a round trip for every look at the clock.

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::ambient::Ambient;

/// The store's time, carried forward by the local monotonic clock since it was last heard of.
#[derive(Debug)]
pub struct StoreClock {
    anchor: Mutex<Anchor>,
    ambient: Ambient,
}

/// What the clock showed, when.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    at: Instant,
    millis: i64,
    /// It comes from the store.
    heard: bool,
}

impl Anchor {
    /// What it shows at `now`.
    fn read(&self, now: Instant) -> i64 {
        self.millis.saturating_add(whole_millis(now.duration_since(self.at)))
    }
}

impl StoreClock {
    /// Until the store is heard of, the local wall clock has to do.
    pub fn new(ambient: Ambient) -> Self {
        let anchor = Anchor { at: Instant::now(), millis: ambient.wall_millis(), heard: false };
        Self { anchor: Mutex::new(anchor), ambient }
    }

    /// The store said `millis` in answer to a question asked at `asked`.
    pub fn heard(&self, millis: i64, asked: Instant) {
        // The answer was made at some time between the question and now, so the store's clock shows something between
        // `millis` and `millis + trip` by now. What we believed stays if it fits. Otherwise the earlier end holds: the trip
        // may have taken long, and nothing may fall due ahead of its time.
        let now = Instant::now();
        let latest = millis.saturating_add(whole_millis(now.duration_since(asked)));
        if let Ok(mut anchor) = self.anchor.lock() {
            let believed = anchor.read(now);
            let fits = anchor.heard && (millis..=latest).contains(&believed);
            *anchor = Anchor { at: now, millis: if fits { believed } else { millis }, heard: true };
        }
    }

    /// The store's time now, in milliseconds since the epoch.
    pub fn now_millis(&self) -> i64 {
        match self.anchor.lock() {
            Ok(anchor) => anchor.read(Instant::now()),
            Err(_) => self.ambient.wall_millis(),
        }
    }
}

fn whole_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The local wall clock, in milliseconds since the epoch.
pub fn wall_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_answer_never_puts_the_clock_ahead_of_the_store() {
        let clock = StoreClock::new(Ambient::simulated(9_000_000, 1));
        let began = Instant::now();
        let store = || 1_000_000 + whole_millis(began.elapsed());
        for (before, after) in [(0, 30_000), (30_000, 0), (5, 5), (0, 0), (20, 7_000)] {
            let asked = Instant::now();
            tokio::time::advance(Duration::from_millis(before)).await;
            let answer = store();
            tokio::time::advance(Duration::from_millis(after)).await;
            clock.heard(answer, asked);
            assert!(clock.now_millis() <= store(), "{} of {}", clock.now_millis(), store());
        }
        assert_eq!(
            clock.now_millis(),
            store(),
            "an answer at once sets it right, and a slow one leaves it so"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_whose_clock_was_set_back_is_followed() {
        let clock = StoreClock::new(Ambient::simulated(0, 1));
        clock.heard(5_000, Instant::now());
        clock.heard(4_000, Instant::now());
        assert_eq!(clock.now_millis(), 4_000);
    }
}
