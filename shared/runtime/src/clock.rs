//! The store's clock, read locally: what is due is decided by the store's time, so that producers with
//! skewed clocks agree, without a round trip for every look at the clock.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::ambient::Ambient;

/// The least correction by which a clock was set: one that is put right by less merely runs a little faster or slower
/// than ours.
const STEP: Duration = Duration::from_secs(1);

/// The clock of the store, carried forward by the local monotonic clock since it was last heard of. What that clock
/// does not see, a suspended machine or a clock that was set, is noticed when the store is heard of next: whoever
/// sleeps until an instant of the store's has to look again then.
#[derive(Debug)]
pub struct StoreClock {
    anchor: Mutex<Anchor>,
    ambient: Ambient,
    corrections: watch::Sender<Corrections>,
}

/// A reading of the clock: what it showed, and when.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    at: Instant,
    millis: i64,
    /// Whether the reading comes from the store.
    heard: bool,
}

/// The corrections of the clock: how often the store's showed something else than was believed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Corrections {
    /// The number of corrections, in either direction, by however little: what was slept for is nearer or further
    /// than it was.
    pub count: u64,
    /// The number of times the clock was set back: what was planned until then may be planned for too late.
    pub steps_back: u64,
    /// When the clock was last set ahead: it may be wrong, and set back again.
    pub set_ahead: Option<Instant>,
}

impl Anchor {
    /// The time that the clock shows at `now`.
    fn read(&self, now: Instant) -> i64 {
        self.millis.saturating_add(whole_millis(now.duration_since(self.at)))
    }
}

impl StoreClock {
    /// A clock that has not heard of the store yet: until then, the local wall clock has to do.
    pub fn new(ambient: Ambient) -> Self {
        let anchor = Anchor { at: Instant::now(), millis: ambient.wall_millis(), heard: false };
        Self { anchor: Mutex::new(anchor), ambient, corrections: watch::Sender::default() }
    }

    /// Notes that the store said `millis` in answer to a question asked at `asked`.
    pub fn heard(&self, millis: i64, asked: Instant) {
        // The answer was made at some time between the question and now, so the store's clock shows something between
        // `millis` and `millis + trip` by now. What we believed stays if it fits. Otherwise the earlier end holds: the trip
        // may have taken long, and nothing may fall due ahead of its time.
        let now = Instant::now();
        let latest = millis.saturating_add(whole_millis(now.duration_since(asked)));
        let Ok(mut anchor) = self.anchor.lock() else { return };
        let (before, believed) = (anchor.heard, anchor.read(now));
        if before && (millis..=latest).contains(&believed) {
            *anchor = Anchor { at: now, millis: believed, heard: true };
            return;
        }
        *anchor = Anchor { at: now, millis, heard: true };
        drop(anchor);
        // Before the first answer, nothing was planned by this clock.
        let by = Duration::from_millis(millis.abs_diff(believed));
        let (ahead, back) = (millis > believed, millis < believed);
        let is_step = before && by >= STEP;
        if is_step {
            let (by_s, to) = (by.as_secs_f64(), if ahead { "ahead" } else { "back" });
            tracing::warn!(by_s, to, "the store's clock was set, or this machine was suspended");
        }
        self.corrections.send_modify(|corrections| {
            corrections.count += 1;
            corrections.steps_back += u64::from(is_step && back);
            if is_step && ahead {
                corrections.set_ahead = Some(now);
            }
        });
    }

    /// The corrections, as they come: whoever sleeps until an instant of this clock looks again at each.
    pub fn corrections(&self) -> watch::Receiver<Corrections> {
        self.corrections.subscribe()
    }

    /// Waits until the clock has heard of the store.
    pub async fn known(&self) {
        let mut corrections = self.corrections();
        // Fails when there is no sender, which `self` is.
        let _ = corrections.wait_for(|corrections| corrections.count > 0).await;
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

    #[tokio::test(start_paused = true)]
    async fn whoever_sleeps_by_the_clock_is_told_when_it_was_set_either_way() {
        let clock = StoreClock::new(Ambient::simulated(9_000_000, 1));
        let mut told = clock.corrections();
        clock.heard(1_000_000, Instant::now());
        let first = *told.borrow_and_update();
        assert_eq!(
            (first.count, first.steps_back, first.set_ahead),
            (1, 0, None),
            "nothing was planned before"
        );
        tokio::time::advance(Duration::from_secs(10)).await;
        clock.heard(1_010_000, Instant::now());
        assert!(!told.has_changed().unwrap(), "it shows what it should");
        clock.heard(1_010_003, Instant::now());
        let drift = *told.borrow_and_update();
        assert_eq!((drift.count, drift.steps_back, drift.set_ahead), (2, 0, None), "it runs a little faster");
        clock.heard(1_170_000, Instant::now());
        let ahead = *told.borrow_and_update();
        assert_eq!((ahead.count, ahead.steps_back, ahead.set_ahead), (3, 0, Some(Instant::now())));
        clock.heard(1_010_000, Instant::now());
        let back = *told.borrow_and_update();
        assert_eq!((back.count, back.steps_back), (4, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_is_known_once_the_store_was_heard() {
        let clock = StoreClock::new(Ambient::simulated(5_000, 1));
        let soon = Duration::from_millis(1);
        assert!(tokio::time::timeout(soon, clock.known()).await.is_err());
        clock.heard(clock.now_millis(), Instant::now());
        assert!(tokio::time::timeout(soon, clock.known()).await.is_ok(), "also when both showed the same");
    }
}
