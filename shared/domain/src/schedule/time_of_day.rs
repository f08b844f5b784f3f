//! A time on the clock of some zone: `08:00`, or `08:00:30`.

use std::fmt;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};

use crate::Timestamp;

const EXPECTED: &str = "expected a time of day in quotes, such as \"08:00\"";

/// A time of day, to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDay(Time);

impl TimeOfDay {
    /// Reads a time of day: hours from 00 to 23 and minutes, both of two digits, and seconds if they matter.
    ///
    /// # Errors
    /// A fragment that says what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        let time =
            matches!(shape.as_str(), "00:00" | "00:00:00").then(|| text.parse::<Time>().ok()).flatten();
        match time {
            // A leap second is read as the one before it, which is not what was written.
            Some(time) if !text.ends_with(":60") => Ok(Self(time)),
            _ => {
                Err(format!("`{}` is no time of day: {EXPECTED}", text.chars().take(32).collect::<String>()))
            }
        }
    }

    /// The time on the day of an instant. A time that the clocks skip is the first after the gap, one that they show twice
    /// is the first of both. `None` past the end of the calendar.
    pub fn on_day_of(self, instant: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let day = local(instant, zone)?.date();
        of(DateTime::from_parts(day, self.0), zone)
    }

    /// The next such time after an instant. `None` past the end of the calendar.
    pub fn next_after(self, instant: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let day = local(instant, zone)?.date();
        let on = |days: i64| of(DateTime::from_parts(day.checked_add(days.days()).ok()?, self.0), zone);
        // A day that a zone leaves out ends in the next one.
        (0..3).filter_map(on).find(|at| *at > instant)
    }
}

fn local(instant: Timestamp, zone: &TimeZone) -> Option<Zoned> {
    jiff::Timestamp::from_millisecond(instant.as_millis()).ok().map(|at| at.to_zoned(zone.clone()))
}

fn of(local: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    // After a gap, the time that would have been is as much later as the gap is long: the gap's end is where it lies.
    let at = match ambiguous.offset() {
        jiff::tz::AmbiguousOffset::Gap { before, .. } => {
            let later = before.to_timestamp(local).ok()?;
            zone.preceding(later).next().map(|transition| transition.timestamp())?
        }
        _ => ambiguous.earlier().ok()?,
    };
    Some(Timestamp::from_millis(at.as_millisecond()))
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())?;
        if self.0.second() > 0 { write!(f, ":{:02}", self.0.second()) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Zone;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn both(time: &str, instant: &str, zone: &str) -> [String; 2] {
        let zone = Zone::parse(zone).unwrap();
        let (time, instant) = (TimeOfDay::parse(time).unwrap(), at(instant));
        let shown = |at: Option<Timestamp>| at.unwrap().to_string();
        [shown(time.on_day_of(instant, zone.time_zone())), shown(time.next_after(instant, zone.time_zone()))]
    }

    #[test]
    fn a_time_is_of_the_day_in_its_zone_and_the_next_lies_ahead() {
        let [on, next] = both("08:00", "2026-03-01T02:00:00+08:00", "Asia/Shanghai");
        assert_eq!((on.as_str(), next.as_str()), ("2026-03-01T00:00:00.000Z", "2026-03-01T00:00:00.000Z"));
        let [on, next] = both("08:00:30", "2026-03-01T08:00:30+08:00", "Asia/Shanghai");
        assert_eq!((on.as_str(), next.as_str()), ("2026-03-01T00:00:30.000Z", "2026-03-02T00:00:30.000Z"));
    }

    #[test]
    fn a_skipped_time_is_the_first_after_the_gap_and_a_repeated_one_the_first() {
        assert_eq!(
            both("02:30", "2026-03-29T00:30:00+01:00", "Europe/Berlin")[0],
            "2026-03-29T01:00:00.000Z"
        );
        assert_eq!(
            both("02:30", "2026-10-25T00:30:00+02:00", "Europe/Berlin")[0],
            "2026-10-25T00:30:00.000Z"
        );
        // Apia had no 30 December 2011.
        assert_eq!(both("08:00", "2011-12-29T20:00:00-10:00", "Pacific/Apia")[1], "2011-12-30T10:00:00.000Z");
    }

    #[test]
    fn anything_else_is_no_time_of_day() {
        for text in ["8:00", "24:00", "08:60", "08", "08:00:60", "08:00Z", "0800", "", "08:00:00.5", "８:00"]
        {
            assert!(TimeOfDay::parse(text).is_err(), "{text}");
        }
        assert_eq!(TimeOfDay::parse("23:59:59").unwrap().to_string(), "23:59:59");
        assert_eq!(TimeOfDay::parse("08:00:00").unwrap().to_string(), "08:00");
    }
}
