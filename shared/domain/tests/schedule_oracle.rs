//! Fires compared with two independent answers: the `cron` crate where the dialects agree, and a walk over
//! every minute that knows no shortcuts, in UTC and through the changes of every zone's clock.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its small functions too")]

use std::collections::{BTreeSet, HashMap};
use std::str::FromStr;
use std::time::Duration;

use jiff::civil::{Date, DateTime, date};
use jiff::tz::TimeZone;
use millrace_domain::Timestamp;
use millrace_domain::schedule::{ClockChanges, Fold, Gap, Schedule, Zone, due_between};
use proptest::prelude::*;

const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MINUTE: i64 = 60;
const DAY: i64 = 86_400;

/// A field as text and as the values it stands for.
#[derive(Debug, Clone)]
struct Field {
    text: String,
    values: BTreeSet<u8>,
}

impl Field {
    fn has(&self, value: i8) -> bool {
        u8::try_from(value).is_ok_and(|value| self.values.contains(&value))
    }

    fn starred(&self) -> bool {
        self.text.starts_with('*')
    }
}

fn part(low: u8, high: u8, name: fn(u8) -> String) -> impl Strategy<Value = Field> {
    let value = low..=high;
    prop_oneof![
        value.clone().prop_map(move |v| Field { text: name(v), values: BTreeSet::from([v]) }),
        (value.clone(), value).prop_map(move |(a, b)| {
            let (a, b) = (a.min(b), a.max(b));
            Field { text: format!("{}-{}", name(a), name(b)), values: (a..=b).collect() }
        }),
        (low..=high, low..=high, 1..=high).prop_map(move |(a, b, step)| {
            let (a, b) = (a.min(b), a.max(b));
            let values = (a..=b).step_by(usize::from(step)).collect();
            Field { text: format!("{}-{}/{step}", name(a), name(b)), values }
        }),
    ]
}

fn list(low: u8, high: u8, name: fn(u8) -> String) -> impl Strategy<Value = Field> {
    prop::collection::vec(part(low, high, name), 1..4).prop_map(|parts| Field {
        text: parts.iter().map(|part| part.text.clone()).collect::<Vec<_>>().join(","),
        values: parts.into_iter().flat_map(|part| part.values).collect(),
    })
}

fn star(low: u8, high: u8) -> impl Strategy<Value = Field> {
    (1..=high - low).prop_map(move |step| Field {
        text: if step == 1 { "*".to_owned() } else { format!("*/{step}") },
        values: (low..=high).step_by(usize::from(step)).collect(),
    })
}

fn all(low: u8, high: u8) -> impl Strategy<Value = Field> {
    Just(Field { text: "*".to_owned(), values: (low..=high).collect() })
}

/// From a value to the end of the field.
fn onward(low: u8, high: u8) -> impl Strategy<Value = Field> {
    (low..=high, 1..=high - low).prop_map(move |(from, step)| Field {
        text: format!("{from}/{step}"),
        values: (from..=high).step_by(usize::from(step)).collect(),
    })
}

fn number(value: u8) -> String {
    value.to_string()
}

fn field(low: u8, high: u8) -> impl Strategy<Value = Field> {
    prop_oneof![all(low, high), star(low, high), list(low, high, number), onward(low, high)]
}

fn weekday() -> impl Strategy<Value = Field> {
    prop_oneof![all(0, 6), star(0, 6), list(0, 6, |day| WEEKDAYS[usize::from(day)].to_owned())]
}

/// Minute, hour, day, month and weekday.
#[derive(Debug, Clone)]
struct Case([Field; 5]);

impl Case {
    fn text(&self) -> String {
        self.0.iter().map(|field| field.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn date_matches(&self, on: Date) -> bool {
        let [_, _, day, month, weekday] = &self.0;
        let (by_day, by_weekday) = (day.has(on.day()), weekday.has(on.weekday().to_sunday_zero_offset()));
        let days =
            if day.starred() || weekday.starred() { by_day && by_weekday } else { by_day || by_weekday };
        days && month.has(on.month())
    }

    fn matches(&self, at: DateTime) -> bool {
        self.0[0].has(at.minute()) && self.0[1].has(at.hour()) && self.date_matches(at.date())
    }

    fn follows_wall(&self) -> bool {
        self.0[0].starred() || self.0[1].starred()
    }
}

fn case() -> impl Strategy<Value = Case> {
    (field(0, 59), field(0, 23), field(1, 31), field(1, 12), weekday())
        .prop_map(|(minute, hour, day, month, weekday)| Case([minute, hour, day, month, weekday]))
}

/// Every day of the week or every day of the month, which is where the `cron` crate agrees.
fn agreed_case() -> impl Strategy<Value = Case> {
    (case(), any::<bool>(), all(1, 31), all(0, 6)).prop_map(|(mut case, by_day, days, weekdays)| {
        if by_day {
            case.0[4] = weekdays;
        } else {
            case.0[2] = days;
        }
        case
    })
}

const NAMES: [&str; 5] = ["minute", "hour", "day of month", "month", "weekday"];

/// What a field is made of.
fn token() -> impl Strategy<Value = String> {
    let marks =
        vec!["*", "?", "/", "-", ",", "#", "L", "W", "+", "LW", "MON", "SUN", "FRI", "JAN", "DEC", "x"];
    prop_oneof![
        prop::sample::select(marks).prop_map(str::to_owned),
        (0..70_u8).prop_map(number),
        (0..8_u8).prop_map(number)
    ]
}

/// What a refusal offers to write: all that it quotes where it no longer tells what was found.
fn hints(problem: &str) -> Vec<&str> {
    const NOT_CRON: [&str; 4] = ["every:", "timezone:", "+", "/"];
    let (_, fix) = problem.rsplit_once("; ").or_else(|| problem.rsplit_once("? ")).unwrap_or_default();
    fix.split('`').skip(1).step_by(2).filter(|hint| !NOT_CRON.contains(hint)).collect()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(second * 1_000)
}

fn seconds(fires: &[Timestamp]) -> Vec<i64> {
    fires.iter().map(|fire| fire.as_millis() / 1_000).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn fires_are_those_of_the_cron_crate(case in agreed_case(), start in 0..90 * 365 * DAY) {
        let oracle = cron::Schedule::from_str(&format!("0 {}", case.text())).unwrap();
        let after = chrono::DateTime::from_timestamp(start, 0).unwrap();
        match Schedule::parse_cron(&case.text(), &Zone::utc()) {
            Ok(schedule) => {
                // The crate knows no year after 2100.
                let until = at(4_102_444_800);
                let expected: Vec<i64> = oracle.after(&after).take(40).map(|fire| fire.timestamp()).collect();
                let found = due_between(&schedule, at(start), until, 40);
                let within: Vec<i64> = expected.into_iter().filter(|fire| at(*fire) <= until).collect();
                prop_assert_eq!(seconds(&found), within, "{}", case.text());
            }
            Err(problem) => {
                prop_assert!(problem.starts_with("never fires"), "{}: {}", case.text(), problem);
                prop_assert_eq!(oracle.after(&after).next(), None, "{}", case.text());
            }
        }
    }

    #[test]
    fn fires_are_all_the_minutes_that_match_in_utc(case in case(), first_day in 0..50 * 365_i64, second in 0..DAY) {
        let Ok(schedule) = Schedule::parse_cron(&case.text(), &Zone::utc()) else {
            let days = std::iter::successors(Some(date(2000, 1, 1)), |day| day.tomorrow().ok()).take(15_000);
            prop_assert!(days.into_iter().all(|day| !case.date_matches(day)), "{}", case.text());
            return Ok(());
        };
        let start = first_day * DAY + second;
        let end = start + 800 * DAY;
        let mut expected = Vec::new();
        let mut on = TimeZone::UTC.to_datetime(jiff::Timestamp::from_second(first_day * DAY).unwrap()).date();
        for day in first_day..first_day + 800 {
            if case.date_matches(on) {
                for minute in 0..1_440_i16 {
                    let time = on.at((minute / 60) as i8, (minute % 60) as i8, 0, 0);
                    let instant = day * DAY + i64::from(minute) * MINUTE;
                    if case.matches(time) && instant > start {
                        expected.push(instant);
                    }
                }
            }
            if expected.len() > 300 {
                break;
            }
            on = on.tomorrow().unwrap();
        }
        expected.truncate(300);
        let until = if expected.len() == 300 { expected[299] } else { end - DAY };
        expected.retain(|fire| *fire <= until);
        prop_assert_eq!(seconds(&due_between(&schedule, at(start), at(until), 400)), expected, "{}", case.text());
    }

    #[test]
    fn a_next_fire_is_later_and_nothing_lies_between(case in case(), start in 0..70 * 365 * DAY * 1_000) {
        if let Ok(schedule) = Schedule::parse_cron(&case.text(), &Zone::parse("Europe/Paris").unwrap()) {
            let after = Timestamp::from_millis(start);
            let next = schedule.next_after(after).unwrap();
            prop_assert!(next > after);
            for between in [after, next - (next.since(after) / 2), next - Duration::from_millis(1)] {
                prop_assert_eq!(schedule.next_after(between), Some(next), "{} from {}", case.text(), between);
            }
        }
    }

    #[test]
    fn what_a_refusal_says_to_write_can_be_written(
        field in 0..5_usize,
        tokens in prop::collection::vec(token(), 1..6),
        day in prop::sample::select(vec!["*", "?", "1-7", "*/2"]),
    ) {
        let mut fields = ["0", "0", day, "*", "*"].map(str::to_owned);
        fields[field] = tokens.concat();
        let Err(problem) = Schedule::parse_cron(&fields.join(" "), &Zone::utc()) else { return Ok(()) };
        for hint in hints(&problem) {
            let named = NAMES.iter().position(|name| problem.starts_with(&format!("{name} `")));
            let text = match named {
                Some(named) if !hint.contains(' ') => {
                    let mut fields = fields.clone();
                    fields[named] = hint.to_owned();
                    fields.join(" ")
                }
                _ => hint.to_owned(),
            };
            if let Err(again) = Schedule::parse_cron(&text, &Zone::utc()) {
                // What is right by now may still mean two things, or nothing: that is told next.
                let is_another = again.starts_with("never fires") || again.contains("in Quartz");
                prop_assert!(is_another && again != problem, "{problem}\n  {text}: {again}");
            }
        }
    }

    #[test]
    fn no_text_is_more_than_accepted_or_refused(text in "[-@0-9A-Za-z*/,#?+ ]{0,40}") {
        if let Err(problem) = Schedule::parse_cron(&text, &Zone::utc()) {
            prop_assert!(!problem.is_empty());
        }
    }
}

/// Texts that have something to do around any change of a clock.
fn busy_case() -> impl Strategy<Value = Case> {
    let hours = prop_oneof![all(0, 23), star(0, 23), list(0, 23, number), list(0, 4, number)];
    let minutes = prop_oneof![all(0, 59), star(0, 59), list(0, 59, number)];
    let weekdays = prop_oneof![3 => all(0, 6), 1 => weekday()];
    (minutes, hours, all(1, 31), all(1, 12), weekdays)
        .prop_map(|(minute, hour, day, month, weekday)| Case([minute, hour, day, month, weekday]))
}

fn changes() -> impl Strategy<Value = ClockChanges> {
    let gap = prop_oneof![Just(None), Just(Some(Gap::RunAfter)), Just(Some(Gap::Skip))];
    let fold =
        prop_oneof![Just(None), Just(Some(Fold::First)), Just(Some(Fold::Second)), Just(Some(Fold::Both))];
    (gap, fold).prop_map(|(gap, fold)| ClockChanges { gap, fold })
}

/// The fires in `start..end` (seconds, whole minutes), by looking at what the clock on the wall shows in
/// every minute of a span wide enough to know which of them are repeated.
fn fires_by_the_wall(case: &Case, changes: ClockChanges, zone: &TimeZone, start: i64, end: i64) -> Vec<i64> {
    let gap = changes.gap.unwrap_or(if case.follows_wall() { Gap::Skip } else { Gap::RunAfter });
    let fold = changes.fold.unwrap_or(if case.follows_wall() { Fold::Both } else { Fold::First });
    let shown = |second| zone.to_datetime(jiff::Timestamp::from_second(second).unwrap());
    let wall: Vec<(i64, DateTime)> =
        (start - DAY..end + DAY).step_by(60).map(|second| (second, shown(second))).collect();
    let mut occurrences: HashMap<DateTime, Vec<i64>> = HashMap::new();
    for (second, local) in &wall {
        occurrences.entry(*local).or_default().push(*second);
    }
    let mut fires = BTreeSet::new();
    for pair in wall.windows(2) {
        let ((_, before), (second, local)) = (pair[0], pair[1]);
        let turn = &occurrences[&local];
        let fires_here = match fold {
            Fold::First => turn.first() == Some(&second),
            Fold::Second => turn.last() == Some(&second),
            Fold::Both => true,
        };
        if case.matches(local) && fires_here {
            fires.insert(second);
        }
        let mut missing = before.checked_add(jiff::SignedDuration::from_mins(1)).unwrap();
        while gap == Gap::RunAfter && missing < local {
            if case.matches(missing) {
                fires.insert(second);
            }
            missing = missing.checked_add(jiff::SignedDuration::from_mins(1)).unwrap();
        }
    }
    fires.range(start..end).copied().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn fires_are_what_the_wall_shows_through_any_change_of_any_clock(
        case in busy_case(),
        changes in changes(),
        zone in any::<prop::sample::Index>(),
        year in 1973..2040_i64,
        lead in 0..3 * 1_440_i64,
    ) {
        let names: Vec<_> = jiff::tz::db().available().collect();
        let zone = Zone::parse(names[zone.index(names.len())].as_str());
        prop_assume!(zone.is_ok());
        let zone = zone.unwrap();
        let new_year = jiff::Timestamp::from_second((year - 1970) * 365 * DAY + (year - 1969) / 4 * DAY).unwrap();
        let change = zone.time_zone().following(new_year).next().map_or(new_year, |change| change.timestamp());
        let start = (change.as_second() - lead * MINUTE).div_euclid(MINUTE) * MINUTE;
        let end = start + 4 * DAY;
        let schedule = Schedule::parse_cron_with(&case.text(), &zone, changes).unwrap();
        let expected = fires_by_the_wall(&case, changes, zone.time_zone(), start, end);
        let found = due_between(&schedule, at(start) - Duration::from_millis(1), at(end - 1), 5_760);
        prop_assert_eq!(seconds(&found), expected, "{} in {}", case.text(), zone.name());
        // From any moment within, the answer is the same.
        let middle = start + lead * MINUTE + 1_234;
        let later: Vec<i64> = seconds(&found).into_iter().filter(|fire| *fire > middle).collect();
        prop_assert_eq!(schedule.next_after(at(middle)).filter(|fire| *fire < at(end)).map(|fire| seconds(&[fire])[0]),
            later.first().copied(), "{} in {}", case.text(), zone.name());
    }
}
