//! The filters for dates, `YYYY-MM-DD`, and instants, RFC 3339 with an offset: what params of type `date`, `fire.date(n)` and
//! `fire.time` give. What comes out is written as what went in. An instant keeps its offset: what a zone makes of its clocks
//! is not known here.

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::fmt::temporal::{Pieces, PiecesOffset};
use jiff::tz::Offset;
use jiff::{Span, Timestamp, ToSpan, Zoned};
use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, State};

use super::budget::charge;
use super::texts::shown;

/// The names of the filters.
pub(super) const FILTERS: [&str; 11] = [
    "add_days",
    "add_hours",
    "add_minutes",
    "add_months",
    "add_years",
    "days_until",
    "end_of_month",
    "start_of_month",
    "start_of_week",
    "strftime",
    "weekday",
];

/// The longest format of a date, in bytes.
const MAX_FORMAT_BYTES: usize = 128;

/// The longest text that a format may make, in bytes.
const MAX_FORMATTED_BYTES: usize = 512;

/// The longest text that is read as a date or an instant, in bytes.
const MAX_DATE_BYTES: usize = 64;

/// The last second of a day.
const LAST_SECOND: Time = Time::constant(23, 59, 59, 0);

pub(super) fn add(environment: &mut Environment<'_>) {
    environment.add_filter("add_days", |value: &Value, n: &Value| {
        moved("add_days", value, whole("add_days", n).and_then(|n| span(Span::new().try_days(n))))
    });
    environment.add_filter("add_months", |value: &Value, n: &Value| {
        moved("add_months", value, whole("add_months", n).and_then(|n| span(Span::new().try_months(n))))
    });
    environment.add_filter("add_years", |value: &Value, n: &Value| {
        moved("add_years", value, whole("add_years", n).and_then(|n| span(Span::new().try_years(n))))
    });
    environment.add_filter("add_hours", |value: &Value, n: &Value| {
        later("add_hours", value, whole("add_hours", n).and_then(|n| span(Span::new().try_hours(n))))
    });
    environment.add_filter("add_minutes", |value: &Value, n: &Value| {
        later("add_minutes", value, whole("add_minutes", n).and_then(|n| span(Span::new().try_minutes(n))))
    });
    environment.add_filter("days_until", days_until);
    environment.add_filter("weekday", weekday);
    environment.add_filter("start_of_month", |value: &Value| {
        on("start_of_month", value, Time::midnight(), |date| Ok(date.first_of_month()))
    });
    environment.add_filter("end_of_month", |value: &Value| {
        on("end_of_month", value, LAST_SECOND, |date| Ok(date.last_of_month()))
    });
    environment.add_filter("start_of_week", |value: &Value| {
        on("start_of_week", value, Time::midnight(), |date| {
            let since_monday = i32::from(date.weekday().to_monday_zero_offset());
            date.checked_sub(since_monday.days()).map_err(|_| outside())
        })
    });
    environment.add_filter("strftime", strftime);
}

/// A date, or an instant with the offset that it was written with.
enum Day {
    Date(Date),
    Instant { local: DateTime, offset: Offset, is_zulu: bool },
}

impl Day {
    fn read(filter: &str, value: &Value) -> Result<Self, Error> {
        if value.is_undefined() {
            return Err(Error::from(ErrorKind::UndefinedError));
        }
        let text = value.as_str().filter(|text| text.len() <= MAX_DATE_BYTES);
        text.and_then(Self::parse).ok_or_else(|| {
            wrong(format!(
                "{filter} needs a date (YYYY-MM-DD) or an instant (RFC 3339 with an offset), found {}",
                shown(value)
            ))
        })
    }

    fn parse(text: &str) -> Option<Self> {
        // What is read here is wider than what is written: no other way to write a date, and no name of a zone.
        let is_shaped = text.bytes().take(10).enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        if !is_shaped || text.len() < 10 {
            return None;
        }
        if text.len() == 10 {
            return text.parse().ok().map(Self::Date);
        }
        let is_separated = matches!(text.as_bytes().get(10), Some(b'T' | b't' | b' '));
        let pieces = Pieces::parse(text).ok().filter(|_| is_separated)?;
        if pieces.time_zone_annotation().is_some() {
            return None;
        }
        let (time, offset) = (pieces.time()?, pieces.to_numeric_offset()?);
        let is_zulu = matches!(pieces.offset(), Some(PiecesOffset::Zulu));
        let local = pieces.date().to_datetime(time);
        // An instant that there is.
        offset.to_timestamp(local).ok()?;
        Some(Self::Instant { local, offset, is_zulu })
    }

    fn date(&self) -> Date {
        match self {
            Self::Date(date) => *date,
            Self::Instant { local, .. } => local.date(),
        }
    }

    fn written(self) -> Result<String, Error> {
        match self {
            Self::Date(date) if date.year() >= 0 => Ok(date.to_string()),
            Self::Date(_) => Err(outside()),
            Self::Instant { local, offset, is_zulu } => {
                let instant: Timestamp = offset.to_timestamp(local).map_err(|_| outside())?;
                match local.year() {
                    ..0 => Err(outside()),
                    _ if is_zulu => Ok(instant.to_string()),
                    _ => Ok(instant.display_with_offset(offset).to_string()),
                }
            }
        }
    }
}

/// The date or instant after a span of whole days, months or years. A day that a month does not have is its last one.
fn moved(filter: &str, value: &Value, span: Result<Span, Error>) -> Result<String, Error> {
    let (day, span) = (Day::read(filter, value)?, span?);
    match day {
        Day::Date(date) => Day::Date(date.checked_add(span).map_err(|_| outside())?),
        Day::Instant { local, offset, is_zulu } => {
            let local = local.checked_add(span).map_err(|_| outside())?;
            Day::Instant { local, offset, is_zulu }
        }
    }
    .written()
}

/// The instant after a span of hours or minutes.
fn later(filter: &str, value: &Value, span: Result<Span, Error>) -> Result<String, Error> {
    match Day::read(filter, value)? {
        Day::Date(_) => Err(wrong(format!(
            "{filter} needs an instant, such as fire.time, found the date {}",
            shown(value)
        ))),
        instant => {
            let Day::Instant { local, offset, is_zulu } = instant else { return Err(outside()) };
            let local = local.checked_add(span?).map_err(|_| outside())?;
            Day::Instant { local, offset, is_zulu }.written()
        }
    }
}

/// The date that `date` makes of a value's, at this time of day for an instant.
fn on(
    filter: &str,
    value: &Value,
    time: Time,
    date: impl Fn(Date) -> Result<Date, Error>,
) -> Result<String, Error> {
    match Day::read(filter, value)? {
        Day::Date(of) => Day::Date(date(of)?),
        Day::Instant { local, offset, is_zulu } => {
            Day::Instant { local: date(local.date())?.to_datetime(time), offset, is_zulu }
        }
    }
    .written()
}

/// The number of days from one date to another. Of an instant, its date counts.
fn days_until(value: &Value, other: &Value) -> Result<i32, Error> {
    let (from, to) = (Day::read("days_until", value)?.date(), Day::read("days_until", other)?.date());
    Ok((to - from).get_days())
}

/// The day of the week: 1 is Monday, 7 is Sunday.
fn weekday(value: &Value) -> Result<i8, Error> {
    Day::read("weekday", value).map(|day| day.date().weekday().to_monday_one_offset())
}

fn strftime(state: &mut State<'_, '_>, value: &Value, format: &str) -> Result<String, Error> {
    if format.len() > MAX_FORMAT_BYTES {
        let bytes = format.len();
        return Err(wrong(format!("the format has {bytes} bytes: expected at most {MAX_FORMAT_BYTES}")));
    }
    let told = |error: jiff::Error| {
        let what = if value.as_str().is_some_and(|text| text.len() == 10) { "a date" } else { "an instant" };
        wrong(format!("strftime cannot write {what} as `{}`: {error}", format.escape_debug()))
    };
    let parts = match Day::read("strftime", value)? {
        Day::Date(date) => BrokenDownTime::from(date),
        Day::Instant { local, offset, .. } => {
            let zoned: Zoned = offset.to_time_zone().to_zoned(local).map_err(told)?;
            BrokenDownTime::from(&zoned)
        }
    };
    let text = strtime::format(format, parts).map_err(told)?;
    if text.len() > MAX_FORMATTED_BYTES {
        let bytes = text.len();
        return Err(wrong(format!("strftime makes {bytes} bytes: expected at most {MAX_FORMATTED_BYTES}")));
    }
    charge(state, text.len())?;
    Ok(text)
}

/// The whole number that a filter is given.
fn whole(filter: &str, n: &Value) -> Result<i64, Error> {
    if n.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    i64::try_from(n.clone())
        .ok()
        .filter(|_| n.is_integer())
        .ok_or_else(|| wrong(format!("{filter} takes a whole number, such as -1, found {}", shown(n))))
}

fn span(span: Result<Span, jiff::Error>) -> Result<Span, Error> {
    span.map_err(|_| outside())
}

fn outside() -> Error {
    wrong("the result is outside the calendar: expected a year from 0000 to 9999".to_owned())
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}
