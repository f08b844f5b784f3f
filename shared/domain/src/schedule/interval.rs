//! A fixed interval. It needs no state and no start: the fires are the multiples of the interval since
//! 1970-01-01T00:00:00Z, so every producer finds the same ones, before and after a restart. An interval that
//! divides a day therefore fires at midnight UTC, and `7d` fires on Thursdays.

use std::fmt;
use std::time::Duration;

use crate::Timestamp;

const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// The units of a duration as users write it, in milliseconds, longest first.
const UNITS: [(i64, &str, &str); 5] = [
    (86_400_000, "d", "day"),
    (3_600_000, "h", "hour"),
    (60_000, "m", "minute"),
    (1_000, "s", "second"),
    (1, "ms", "millisecond"),
];

/// An interval from 100 ms to 366 days, in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    millis: i64,
}

impl Interval {
    /// An interval of this length, unless it is out of bounds.
    pub(super) fn new(every: Duration) -> Result<Self, String> {
        if every < SHORTEST || every > LONGEST {
            return Err(format!("interval of {every:?} cannot be kept; expected 100ms to 366d"));
        }
        if !every.subsec_nanos().is_multiple_of(1_000_000) {
            return Err(format!("interval of {every:?} is not a whole number of milliseconds; round it"));
        }
        match i64::try_from(every.as_millis()) {
            Ok(millis) => Ok(Self { millis }),
            Err(_) => Err(format!("interval of {every:?} is too long; expected at most 366d")),
        }
    }

    /// The first fire after `after`.
    pub(super) fn next_after(self, after: Timestamp) -> Option<Timestamp> {
        let past = after.as_millis().rem_euclid(self.millis);
        after.as_millis().checked_add(self.millis - past).map(Timestamp::from_millis)
    }

    /// The last fire up to and including `until`.
    pub(super) fn at_or_before(self, until: Timestamp) -> Timestamp {
        Timestamp::from_millis(until.as_millis().div_euclid(self.millis) * self.millis)
    }

    /// The number of fires after `after` up to and including `until`.
    pub(super) fn count_between(self, after: Timestamp, until: Timestamp) -> u64 {
        let number = |at: Timestamp| at.as_millis().div_euclid(self.millis);
        u64::try_from(number(until).saturating_sub(number(after))).unwrap_or(0)
    }

    /// The interval in words for people: "every 10 minutes".
    pub(super) fn describe(self) -> String {
        let (count, _, unit) = self.in_largest_unit();
        if count == 1 { format!("every {unit}") } else { format!("every {count} {unit}s") }
    }

    fn in_largest_unit(self) -> (i64, &'static str, &'static str) {
        let (size, short, long) =
            UNITS.into_iter().find(|(size, ..)| self.millis % size == 0).unwrap_or((1, "ms", "millisecond"));
        (self.millis / size, short, long)
    }
}

/// Writes the interval as a user does: `10m`.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit, _) = self.in_largest_unit();
        write!(f, "{count}{unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(every: Duration, after: i64) -> i64 {
        Interval::new(every).unwrap().next_after(Timestamp::from_millis(after)).unwrap().as_millis()
    }

    #[test]
    fn fires_are_the_multiples_since_the_epoch() {
        let minute = Duration::from_secs(60);
        assert_eq!(next(minute, 0), 60_000);
        assert_eq!(next(minute, 59_999), 60_000);
        assert_eq!(next(minute, 60_000), 120_000);
        assert_eq!(next(minute, -1), 0);
        assert_eq!(next(minute, -60_000), 0);
        assert_eq!(next(Duration::from_millis(100), 1_234), 1_300);
    }

    #[test]
    fn the_end_of_time_is_not_passed() {
        let day = Interval::new(Duration::from_secs(86_400)).unwrap();
        assert_eq!(day.next_after(Timestamp::from_millis(i64::MAX)), None);
    }

    #[test]
    fn intervals_out_of_bounds_are_refused() {
        for wrong in
            [Duration::ZERO, Duration::from_millis(99), Duration::from_secs(366 * 86_400 + 1), Duration::MAX]
        {
            assert!(Interval::new(wrong).unwrap_err().contains("expected 100ms to 366d"));
        }
        assert!(Interval::new(Duration::from_micros(100_500)).unwrap_err().contains("whole number"));
        assert!(Interval::new(SHORTEST).is_ok() && Interval::new(LONGEST).is_ok());
    }

    #[test]
    fn an_interval_is_told_in_its_largest_whole_unit() {
        let told = |millis| {
            let interval = Interval::new(Duration::from_millis(millis)).unwrap();
            format!("{interval}: {}", interval.describe())
        };
        assert_eq!(told(600_000), "10m: every 10 minutes");
        assert_eq!(told(5_400_000), "90m: every 90 minutes");
        assert_eq!(told(86_400_000), "1d: every day");
        assert_eq!(told(1_500), "1500ms: every 1500 milliseconds");
    }
}
