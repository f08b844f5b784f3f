//! A cron text as users' crontabs have it: five fields, or six with seconds first, or a nickname. What it may
//! say is decided here and in `field`; `croner` then finds the local times that match, and `clock_change`
//! turns them into instants.
//!
//! Two rules come from Vixie cron's source. A day matches when its day of month *or* its weekday does, if
//! both are restricted; but where one of the two begins with a `*` (even `*/2`), or the weekday with a `+`,
//! it must match both. And a schedule with a `*` at the head of its minute or hour follows the clock on the
//! wall when that is changed, while others keep their count.

use std::fmt::Write as _;

use jiff::civil::{DateTime, date};

use super::clock_change::{ClockChanges, Fold, Gap, next_instant};
use super::item::Item;
use super::unit::Unit;
use super::zone::Zone;
use crate::Timestamp;

const MAX_TEXT_BYTES: usize = 256;

/// The last year in which anything fires: the search for a next time ends there.
const LAST_YEAR: u16 = 2200;

/// The instant from which a text is tried when it is checked. From here to the last year no leap year is left out,
/// and 28 such years hold every pairing of date and weekday: what does not fire in them never does.
const TRIED_FROM: DateTime = date(2172, 1, 1).at(0, 0, 0, 0);

const NICKNAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// A cron text that fires, in its time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cron {
    pub(super) text: String,
    pub(super) zone: Zone,
    pub(super) fields: Fields,
    gap: Gap,
    fold: Fold,
    matcher: croner::Cron,
}

/// The fields of a cron text: what stands in each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) second: Vec<Item>,
    pub(super) minute: Vec<Item>,
    pub(super) hour: Vec<Item>,
    pub(super) day: Vec<Item>,
    pub(super) month: Vec<Item>,
    pub(super) weekday: Vec<Item>,
    /// Whether a day must match both its fields, where both say something.
    pub(super) both_days: bool,
}

impl Cron {
    /// Reads a cron text. One that never fires is refused.
    pub(super) fn parse(text: &str, zone: &Zone, changes: ClockChanges) -> Result<Self, String> {
        let text = text.trim();
        if text.len() > MAX_TEXT_BYTES {
            return Err(format!(
                "cron text of {} bytes is too long; expected at most {MAX_TEXT_BYTES}",
                text.len()
            ));
        }
        let fields = Fields::parse(nickname(text)?.unwrap_or(text))?;
        let mut matcher: croner::Cron = fields
            .to_string()
            .parse()
            .map_err(|error| format!("`{text}` is not a cron text: {error}; expected such as `0 2 * * *`"))?;
        matcher.pattern.years = years()?;
        let follows_wall = fields.follow_wall();
        let cron = Self {
            text: text.to_owned(),
            zone: zone.clone(),
            gap: changes.gap.unwrap_or(if follows_wall { Gap::Skip } else { Gap::RunAfter }),
            fold: changes.fold.unwrap_or(if follows_wall { Fold::Both } else { Fold::First }),
            fields,
            matcher,
        };
        match cron.first_match(TRIED_FROM) {
            Some(_) => Ok(cron),
            None => Err(cron.fields.never()),
        }
    }

    /// The first fire after `after`. Nothing fires before 1970.
    pub(super) fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let second = after.as_millis().div_euclid(1_000).max(-1);
        let after = jiff::Timestamp::from_second(second).ok()?;
        let zone = self.zone.time_zone();
        let next = next_instant(after, zone, self.gap, self.fold, |from| self.first_match(from))?;
        Some(Timestamp::from_millis(next.as_millisecond()))
    }

    /// The first local time that matches, at or after `from`.
    fn first_match(&self, from: DateTime) -> Option<DateTime> {
        self.matcher.find_next_occurrence(&from, true).ok()
    }
}

impl Fields {
    fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split_whitespace().collect();
        let (second, [minute, hour, day, month, weekday]) = match *parts.as_slice() {
            [] => return Err("cron text is empty; expected such as `0 2 * * *`, daily at 02:00".to_owned()),
            [zone, ..] if zone.starts_with("TZ=") || zone.starts_with("CRON_TZ=") => {
                return Err(format!(
                    "`{zone}` does not belong in the cron text; write `timezone:` beside it"
                ));
            }
            [minute, hour, day, month, weekday] => ("0", [minute, hour, day, month, weekday]),
            [second, minute, hour, day, month, weekday] => (second, [minute, hour, day, month, weekday]),
            _ => {
                return Err(format!(
                    "expected 5 fields (minute hour day month weekday), or 6 with seconds first; found {}",
                    parts.len()
                ));
            }
        };
        let (plus, weekday) = match weekday.strip_prefix('+') {
            Some(weekday) => (true, weekday),
            None => (false, weekday),
        };
        let fields = Self {
            second: Unit::Second.parse(second)?,
            minute: Unit::Minute.parse(minute)?,
            hour: Unit::Hour.parse(hour)?,
            day: Unit::Day.parse(day)?,
            month: Unit::Month.parse(month)?,
            weekday: Unit::Weekday.parse(weekday)?,
            both_days: false,
        };
        let both_days = plus || starts_with_star(&fields.day) || starts_with_star(&fields.weekday);
        Ok(Self { both_days, ..fields })
    }

    fn follow_wall(&self) -> bool {
        [&self.second, &self.minute, &self.hour].into_iter().any(|items| starts_with_star(items))
    }

    fn never(&self) -> String {
        let mut text = format!("never fires: no date has day of month `{}`", joined(&self.day));
        if self.month != [Item::Every { step: 1 }] {
            let _infallible = write!(text, " in month `{}`", joined(&self.month));
        }
        if self.weekday != [Item::Every { step: 1 }] {
            let _infallible = write!(text, " on weekday `{}`", joined(&self.weekday));
        }
        text + "; choose a day that comes"
    }
}

/// Writes the fields as the evaluator reads them: all six.
impl std::fmt::Display for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for items in [&self.second, &self.minute, &self.hour, &self.day, &self.month] {
            write!(f, "{} ", joined(items))?;
        }
        write!(f, "{}{}", if self.both_days { "+" } else { "" }, joined(&self.weekday))
    }
}

fn starts_with_star(items: &[Item]) -> bool {
    matches!(items.first(), Some(Item::Every { .. }))
}

fn joined(items: &[Item]) -> String {
    items.iter().map(Item::to_string).collect::<Vec<_>>().join(",")
}

fn nickname(text: &str) -> Result<Option<&'static str>, String> {
    if !text.starts_with('@') {
        return Ok(None);
    }
    let word = text.to_ascii_lowercase();
    if let Some((_, fields)) = NICKNAMES.iter().find(|(name, _)| *name == word) {
        return Ok(Some(fields));
    }
    if word.starts_with("@every") {
        return Err("`@every` is not a cron text; write an interval, such as `every: 10m`".to_owned());
    }
    if word == "@reboot" {
        return Err(
            "`@reboot` names no time, and a fleet has no single start; expected such as `@hourly`".to_owned()
        );
    }
    let near = NICKNAMES.iter().map(|(name, _)| *name).min_by_key(|name| strsim::levenshtein(name, &word));
    match near {
        Some(near) if strsim::levenshtein(near, &word) <= 2 => {
            Err(format!("unknown nickname `{text}`; did you mean {near}?"))
        }
        _ => Err(format!(
            "unknown nickname `{text}`; expected @hourly, @daily, @weekly, @monthly, @yearly, or five fields"
        )),
    }
}

/// The years that the evaluator looks through: all up to the last. croner's own span of five millennia costs 5 KB in
/// each schedule, and a text that never fires is searched for to its end.
fn years() -> Result<croner::CronComponent, String> {
    let mut years = croner::CronComponent::new(1, LAST_YEAR, 0, 0);
    years.parse("*").map_err(|error| format!("years could not be set: {error}"))?;
    Ok(years)
}
