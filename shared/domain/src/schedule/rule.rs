//! A schedule of any kind behind one type.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::clock_change::ClockChanges;
use super::cron::Cron;
use super::instant::Instant;
use super::interval::Interval;
use super::quartz;
use super::zone::Zone;
use crate::Timestamp;

/// A schedule: when something fires, for ever and without state. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Cron(Arc<Cron>),
    Every(Interval),
    At(Arc<Instant>),
}

impl Schedule {
    /// Reads a cron text in a time zone: five fields, six with seconds first, or a nickname such as `@daily`. Changes
    /// of the clock follow the kind of the schedule, as the module's documentation says.
    ///
    /// # Errors
    ///
    /// A fragment that names the field at fault, what was expected, and the fix; also for a text that would
    /// never fire.
    pub fn parse_cron(text: &str, zone: &Zone) -> Result<Self, String> {
        Self::parse_cron_with(text, zone, ClockChanges::default())
    }

    /// Reads a cron text with the user's rules for changes of the clock.
    ///
    /// # Errors
    ///
    /// As [`Schedule::parse_cron`].
    pub fn parse_cron_with(text: &str, zone: &Zone, changes: ClockChanges) -> Result<Self, String> {
        let cron = Cron::parse(text, zone, changes)?;
        quartz::refuse_numbers(&text.split_whitespace().collect::<Vec<_>>())?;
        Ok(Self(Kind::Cron(Arc::new(cron))))
    }

    /// Reads a cron text that was accepted once as it was read then: what has been refused since is not.
    ///
    /// # Errors
    ///
    /// As [`Schedule::parse_cron`], but for what was accepted.
    pub fn parse_stored_cron(text: &str, zone: &Zone) -> Result<Self, String> {
        Cron::parse(text, zone, ClockChanges::default()).map(|cron| Self(Kind::Cron(Arc::new(cron))))
    }

    /// A schedule of a fixed interval from 100 ms to 366 days, in whole milliseconds. It fires at the multiples of
    /// the interval since 1970-01-01T00:00:00Z, whenever it was created: the same on every producer.
    ///
    /// # Errors
    ///
    /// A fragment that says what is out of bounds.
    pub fn every(interval: Duration) -> Result<Self, String> {
        Interval::new(interval).map(|interval| Self(Kind::Every(interval)))
    }

    /// A schedule of one instant: RFC 3339 with an offset or `Z`, to the millisecond.
    ///
    /// # Errors
    ///
    /// A fragment that says what was expected; a local time with no offset is an error of its own.
    pub fn at(text: &str) -> Result<Self, String> {
        Instant::parse(text).map(|instant| Self(Kind::At(Arc::new(instant))))
    }

    /// The first fire strictly after `after`, or `None` where there is no more: past the one instant of `at`,
    /// or past the year 2200. The time it takes is bounded whatever the schedule.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            Kind::Cron(cron) => cron.next_after(after),
            Kind::Every(interval) => interval.next_after(after),
            Kind::At(instant) => Some(instant.at()).filter(|at| *at > after),
        }
    }

    /// The last fire after `after` up to and including `until`. The time it takes is bounded whatever the schedule.
    pub fn last_between(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            Kind::Every(interval) => Some(interval.at_or_before(until)).filter(|fire| *fire > after),
            Kind::At(instant) => Some(instant.at()).filter(|at| (after < *at) && (*at <= until)),
            Kind::Cron(_) => self.last_by_halves(after, until),
        }
    }

    /// The number of fires after `after` up to and including `until`. Beyond `limit`, those of a cron text are not
    /// counted any further.
    pub fn count_between(&self, after: Timestamp, until: Timestamp, limit: u64) -> u64 {
        match &self.0 {
            Kind::Every(interval) => interval.count_between(after, until),
            Kind::Cron(_) | Kind::At(_) => {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                let fires = std::iter::successors(self.next_after(after), |fire| self.next_after(*fire));
                fires.take_while(|fire| *fire <= until).take(limit).count() as u64
            }
        }
    }

    /// The last fire, found by halving the span: from the latest instant that a fire follows within it.
    fn last_by_halves(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let within = |from: Timestamp| self.next_after(from).filter(|fire| *fire <= until);
        let mut last = within(after)?;
        let (mut low, mut high) = (after.as_millis(), until.as_millis());
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            match within(Timestamp::from_millis(middle)) {
                Some(fire) => (low, last) = (fire.as_millis(), fire),
                None => high = middle,
            }
        }
        Some(last)
    }

    /// The zone in which a cron text is read. Intervals and instants have none.
    pub fn zone(&self) -> Option<&Zone> {
        match &self.0 {
            Kind::Cron(cron) => Some(&cron.zone),
            Kind::Every(_) | Kind::At(_) => None,
        }
    }

    /// The schedule in words for people.
    pub fn describe(&self) -> String {
        match &self.0 {
            Kind::Cron(cron) => cron.describe(),
            Kind::Every(interval) => interval.describe(),
            Kind::At(instant) => format!("once at {}", instant.text()),
        }
    }
}

/// Writes the schedule as it was given: the cron text, `every 10m`, or the instant.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Cron(cron) => f.write_str(&cron.text),
            Kind::Every(interval) => write!(f, "every {interval}"),
            Kind::At(instant) => f.write_str(instant.text()),
        }
    }
}
