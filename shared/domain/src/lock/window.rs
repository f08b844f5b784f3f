//! What was used of a rate, and when it comes back: each use a period after it was made, so that no stretch of time as long as the
//! period has more uses than the limit, wherever it begins.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{LockName, Want};
use crate::Timestamp;

/// The most instants of a window, beyond which uses that lie close together come back together.
const MOST: usize = 128;

/// The number of stretches into which a period is divided then. What is used comes back at the end of its stretch, later by at
/// most so great a part of the period.
const STRETCHES: i64 = 100;

/// How long a task may take to get going: a process has to be made before it can use anything. A use counts from so long after
/// the start, but for short periods, where that would be much of them.
const GETTING_GOING: Duration = Duration::from_millis(50);

/// The longest time for which a key is paused, whatever the other side says.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// The uses of a rate that have not come back. As JSON it is one row of the table of its partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// What was last wanted of it, which says how much there is of it.
    pub rate: Want,
    /// When how much comes back, the earliest first.
    pub back: Vec<(Timestamp, u64)>,
    /// While nothing is granted, since the other side has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
}

/// A time in which nothing is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// What an attempt has used of the rate for which it had a reserve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// How much.
    pub cost: u64,
    /// When: as soon as the attempt had got going.
    pub at: Timestamp,
    /// For how long everybody is to wait, as the other side has said. In milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

/// When an attempt has used what it had a reserve of that took so long and of whose end is heard `now`. The clocks of workers
/// may be off: what they say of an attempt is only how long it took, so that it has started before that, at the latest.
pub fn used_at(took: Duration, per: Duration, now: Timestamp) -> Timestamp {
    now - took.saturating_sub(GETTING_GOING.min(per / 20))
}

/// The end of the stretch of a period in which an instant is: that instant, or later.
fn end_of_stretch(at: Timestamp, period: Duration) -> Timestamp {
    let stretch = i64::try_from(period.as_millis()).unwrap_or(i64::MAX) / STRETCHES;
    let (stretch, millis) = (stretch.max(1), at.as_millis());
    Timestamp::from_millis(millis.saturating_add((stretch - millis.rem_euclid(stretch)) % stretch))
}

impl Window {
    /// The window of a rate of which nothing was used.
    pub(super) fn new(rate: &Want) -> Self {
        Self { rate: rate.clone(), back: Vec::new(), pause: None }
    }

    /// The name of the rate.
    pub fn name(&self) -> &LockName {
        &self.rate.lock
    }

    /// Until when nothing is granted, where that lies ahead.
    pub fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.pause.map(|pause| pause.until).filter(|until| *until > now)
    }

    /// How much has not come back by now.
    pub fn used(&self, now: Timestamp) -> u64 {
        u64::try_from(self.used_in_all(now)).unwrap_or(u64::MAX)
    }

    fn used_in_all(&self, now: Timestamp) -> u128 {
        self.back.iter().filter(|(at, _)| *at > now).map(|(_, much)| u128::from(*much)).sum()
    }

    /// Whether a clock was ahead: something would come back later than a period from now.
    pub(super) fn is_ahead(&self, now: Timestamp) -> bool {
        self.pause.is_some_and(|pause| pause.since > now)
            || self.back.last().is_some_and(|(at, _)| *at > now + self.rate.per())
    }

    /// Corrects what a clock has noted that was ahead: nothing comes back later than a period from now, and a pause begins now.
    pub(super) fn set_clock(&mut self, now: Timestamp) {
        let latest = now + self.rate.per();
        self.back.iter_mut().for_each(|(at, _)| *at = latest.min(*at));
        if let Some(pause) = self.pause.filter(|pause| pause.since > now) {
            self.pause = Some(Pause { since: now, until: now + pause.until.since(pause.since) });
        }
    }

    /// When no more than `most` is used and no pause is left, if nothing else is used meanwhile: now, at the earliest.
    pub(super) fn free_at(&self, most: u64, now: Timestamp) -> Timestamp {
        let mut used = self.used_in_all(now);
        let mut at = self.paused_until(now).unwrap_or(now);
        for (back, much) in self.back.iter().filter(|(back, _)| *back > now) {
            if used <= u128::from(most) {
                break;
            }
            used -= u128::from(*much);
            at = at.max(*back);
        }
        at
    }

    /// When all has come back, and no pause is left.
    pub(super) fn empty_at(&self) -> Option<Timestamp> {
        self.back.last().map(|(at, _)| *at).into_iter().chain(self.pause.map(|pause| pause.until)).max()
    }

    /// Notes a use, which comes back a period after it.
    pub(super) fn add(&mut self, used_at: Timestamp, cost: u64, now: Timestamp) {
        self.set_clock(now);
        self.back.retain(|(at, _)| *at > now);
        let period = self.rate.per();
        let at = used_at + period;
        if cost == 0 || at <= now {
            return;
        }
        match self.back.binary_search_by_key(&at, |(at, _)| *at) {
            Ok(place) => self.back[place].1 = self.back[place].1.saturating_add(cost),
            Err(place) => self.back.insert(place, (at, cost)),
        }
        if self.back.len() > MOST {
            self.draw_together(period);
        }
    }

    /// Corrects a use that was noted: it was another `cost`. Beyond what was noted there, it counts from then on as well.
    pub(super) fn correct(&mut self, used_at: Timestamp, noted: u64, cost: u64, now: Timestamp) {
        if cost >= noted {
            return self.add(used_at, cost - noted, now);
        }
        let at = used_at + self.rate.per();
        if at <= now {
            // It has come back. What is there is of others.
            return;
        }
        let (mut less, end) = (noted - cost, end_of_stretch(at, self.rate.per()));
        // It may have been drawn together with others, later.
        let own = self.back.iter_mut().skip_while(|(back, _)| *back < at);
        for (_, much) in own.take_while(|(back, _)| *back <= end) {
            let taken = less.min(*much);
            *much -= taken;
            less -= taken;
            if less == 0 {
                break;
            }
        }
        self.back.retain(|(back, much)| *back > now && *much > 0);
    }

    /// Has everybody wait for a time, unless they wait longer already.
    pub(super) fn pause_for(&mut self, millis: u64, now: Timestamp) {
        let until = now + Duration::from_millis(millis).min(LONGEST_PAUSE);
        if self.paused_until(now).is_none_or(|other| other < until) {
            self.pause = Some(Pause { since: now, until });
        }
    }

    /// Has uses that lie close together come back together, at the later of their instants or later.
    fn draw_together(&mut self, period: Duration) {
        let mut drawn: Vec<(Timestamp, u64)> = Vec::with_capacity(MOST);
        for (at, much) in self.back.drain(..) {
            let end = end_of_stretch(at, period);
            match drawn.last_mut() {
                Some((last, sum)) if *last == end => *sum = sum.saturating_add(much),
                _ => drawn.push((end, much)),
            }
        }
        self.back = drawn;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn window(per: Duration) -> Window {
        Window::new(&Want::of_rate("+api".parse().unwrap(), 100, per, 1))
    }

    #[test]
    fn a_use_comes_back_a_period_after_it() {
        let mut window = window(Duration::from_secs(1));
        window.add(at(0), 60, at(0));
        window.add(at(400), 40, at(400));
        assert_eq!((window.used(at(999)), window.used(at(1_000)), window.used(at(1_400))), (100, 40, 0));
        assert_eq!(window.free_at(99, at(500)), at(1_000));
        assert_eq!(window.free_at(20, at(500)), at(1_400));
        assert_eq!(window.free_at(100, at(500)), at(500));
    }

    #[test]
    fn what_was_not_used_is_back_at_once_even_where_uses_were_drawn_together() {
        let mut window = window(Duration::from_secs(60));
        for n in 0..500 {
            window.add(at(n * 100), 2, at(n * 100));
        }
        let now = at(50_000);
        assert!(window.back.len() <= MOST, "{}", window.back.len());
        assert_eq!(window.used(now), 1_000);
        window.correct(at(10_000), 2, 0, now);
        assert_eq!(window.used(now), 998);
        window.correct(at(10_000), 2, 5, now);
        assert_eq!(window.used(now), 1_001);
    }

    #[test]
    fn a_use_never_comes_back_before_its_time() {
        let mut window = window(Duration::from_secs(1));
        for n in 0..997 {
            window.add(at(n), 1, at(n));
        }
        for n in 0..997 {
            let used_since = 997 - n;
            assert!(window.used(at(1_000 + n - 1)) >= u64::try_from(used_since).unwrap(), "{n}");
        }
        assert!(window.empty_at().unwrap() <= at(997 - 1 + 1_000 + 10));
    }

    #[test]
    fn a_pause_holds_back_what_there_is_and_the_longest_counts() {
        let mut window = window(Duration::from_secs(1));
        window.pause_for(5_000, at(0));
        window.pause_for(1_000, at(100));
        assert_eq!(
            (window.free_at(50, at(200)), window.paused_until(at(4_999))),
            (at(5_000), Some(at(5_000)))
        );
        assert_eq!(window.paused_until(at(5_000)), None);
        window.pause_for(u64::MAX, at(0));
        assert_eq!(window.paused_until(at(0)), Some(at(24 * 3_600_000)));
    }

    #[test]
    fn a_clock_that_was_ahead_keeps_nobody_waiting_for_longer() {
        let mut window = window(Duration::from_secs(1));
        window.add(at(600_000), 100, at(600_000));
        window.pause_for(5_000, at(600_000));
        window.set_clock(at(0));
        assert_eq!((window.free_at(0, at(0)), window.paused_until(at(0))), (at(5_000), Some(at(5_000))));
        assert_eq!(window.used(at(1_000)), 0);
    }
}
