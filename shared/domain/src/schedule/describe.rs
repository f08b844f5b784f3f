//! A cron schedule in words, for a list or a page: `at 02:00 on Monday to Friday, Asia/Shanghai time`.

use super::cron::{Cron, Fields};
use super::item::{Item, Nth};

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The greatest number of times of day that are listed; more are told as minutes and hours.
const MOST_TIMES: usize = 6;

const EVERY: [Item; 1] = [Item::Every { step: 1 }];

impl Cron {
    /// The cron text in words for people.
    pub(super) fn describe(&self) -> String {
        let days = self.fields.days();
        let time = self.fields.time();
        let days = match days.as_str() {
            "" if self.fields.times_of_day().is_some() => " every day",
            days => days,
        };
        let zone =
            if self.zone.name() == "UTC" { "UTC".to_owned() } else { format!("{} time", self.zone.name()) };
        format!("{time}{days}, {zone}")
    }
}

impl Fields {
    fn time(&self) -> String {
        if let Some(times) = self.times_of_day() {
            return format!("at {}", listed(&times));
        }
        let hours = match self.hour.as_slice() {
            [Item::Every { step: 1 }] => String::new(),
            [Item::Every { step }] => format!(" of every {} hour", ordinal(*step)),
            items => format!(" of hour {}", plain(items)),
        };
        let minutes = match self.minute.as_slice() {
            [Item::Every { step: 1 }] => "every minute".to_owned(),
            [Item::Every { step }] => format!("every {step} minutes"),
            items if hours.is_empty() && plain(items) == "0" => "every hour".to_owned(),
            items if hours.is_empty() => format!("every hour at minute {}", plain(items)),
            items => format!("at minute {}", plain(items)),
        };
        match self.second.as_slice() {
            items if plain(items) == "0" => format!("{minutes}{hours}"),
            [Item::Every { step: 1 }] if self.minute == EVERY => format!("every second{hours}"),
            [Item::Every { step }] if self.minute == EVERY => format!("every {step} seconds{hours}"),
            [Item::Every { step: 1 }] => format!("every second, {minutes}{hours}"),
            [Item::Every { step }] => format!("every {step} seconds, {minutes}{hours}"),
            items => format!("at second {}, {minutes}{hours}", plain(items)),
        }
    }

    /// The times of day, if they are few: `02:00`, `14:30:05`, ...
    fn times_of_day(&self) -> Option<Vec<String>> {
        let (seconds, minutes, hours) = (values(&self.second)?, values(&self.minute)?, values(&self.hour)?);
        if seconds.len() * minutes.len() * hours.len() > MOST_TIMES {
            return None;
        }
        let mut times = Vec::new();
        for hour in &hours {
            for minute in &minutes {
                for second in &seconds {
                    times.push(if seconds == [0] {
                        format!("{hour:02}:{minute:02}")
                    } else {
                        format!("{hour:02}:{minute:02}:{second:02}")
                    });
                }
            }
        }
        Some(times)
    }

    fn days(&self) -> String {
        let day = (self.day != EVERY).then(|| match self.day.as_slice() {
            [Item::Every { step }] => format!("every {} day of the month", ordinal(*step)),
            items => format!("{} of the month", listed(&items.iter().map(month_day).collect::<Vec<_>>())),
        });
        let weekday = (self.weekday != EVERY).then(|| match self.weekday.as_slice() {
            [Item::Every { step }] => format!("every {} day of the week", ordinal(*step)),
            items => listed(&items.iter().map(week_day).collect::<Vec<_>>()),
        });
        let days = match (day, weekday) {
            (None, None) => String::new(),
            (Some(one), None) | (None, Some(one)) => format!(" on {one}"),
            (Some(day), Some(weekday)) if self.both_days => format!(" on {day} if it is {weekday}"),
            (Some(day), Some(weekday)) => format!(" on {day} or {weekday}"),
        };
        match self.month.as_slice() {
            [Item::Every { step: 1 }] => days,
            [Item::Every { step }] => format!("{days} in every {} month", ordinal(*step)),
            items => {
                let months = items.iter().map(|item| range(item, |month| named(&MONTHS, month, 1)));
                format!("{days} in {}", listed(&months.collect::<Vec<_>>()))
            }
        }
    }
}

fn month_day(item: &Item) -> String {
    match item {
        Item::LastDay => "the last day".to_owned(),
        Item::LastWorkday => "the last working day".to_owned(),
        Item::NearestWorkday(day) => format!("the working day nearest day {day}"),
        item => format!("day {}", range(item, |day| day.to_string())),
    }
}

fn week_day(item: &Item) -> String {
    let days = range(item, |day| named(&WEEKDAYS, day % 7, 0));
    match item {
        Item::Range { nth: Some(Nth::Last), .. } => format!("the last {days} of the month"),
        Item::Range { nth: Some(Nth::From(nth)), .. } => format!("the {} {days} of the month", ordinal(*nth)),
        _ => days,
    }
}

/// A range in words: `3`, `1 to 5`, `1 to 9 by 2`, each value told by `name`.
fn range(item: &Item, name: impl Fn(u8) -> String) -> String {
    match *item {
        Item::Range { low, high, .. } if low == high => name(low),
        Item::Range { low, high, step: 1, .. } => format!("{} to {}", name(low), name(high)),
        Item::Range { low, high, step, .. } => format!("{} to {} by {step}", name(low), name(high)),
        item => item.to_string(),
    }
}

fn plain(items: &[Item]) -> String {
    listed(&items.iter().map(|item| range(item, |value| value.to_string())).collect::<Vec<_>>())
}

/// The values of a field in order, unless a `*` is among them.
fn values(items: &[Item]) -> Option<Vec<u8>> {
    let mut values = Vec::new();
    for item in items {
        let Item::Range { low, high, step, .. } = *item else { return None };
        values.extend((low..=high).step_by(usize::from(step)));
    }
    values.sort_unstable();
    values.dedup();
    Some(values)
}

fn named(names: &[&str], value: u8, first: u8) -> String {
    let index = usize::from(value.saturating_sub(first));
    names.get(index).map_or_else(|| value.to_string(), |name| (*name).to_owned())
}

/// A list in words: `a`, `a and b`, `a, b and c`.
fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

fn ordinal(count: u8) -> String {
    let ending = match (count % 10, count % 100) {
        (1, tens) if tens != 11 => "st",
        (2, tens) if tens != 12 => "nd",
        (3, tens) if tens != 13 => "rd",
        _ => "th",
    };
    format!("{count}{ending}")
}

#[cfg(test)]
mod tests {
    use crate::schedule::{Schedule, Zone};

    #[test]
    fn a_cron_text_is_told_in_words() {
        let cases = [
            ("0 2 * * *", "at 02:00 every day"),
            ("30 9,18 * * MON-FRI", "at 09:30 and 18:30 on Monday to Friday"),
            ("* * * * *", "every minute"),
            ("*/5 * * * *", "every 5 minutes"),
            ("@hourly", "every hour"),
            ("15 * * * *", "every hour at minute 15"),
            ("*/10 9-17 * * 1-5", "every 10 minutes of hour 9 to 17 on Monday to Friday"),
            ("0 */2 * * *", "at minute 0 of every 2nd hour"),
            ("*/30 * * * * *", "every 30 seconds"),
            ("5 * * * * *", "at second 5, every minute"),
            ("5 0 12 * * *", "at 12:00:05 every day"),
            ("@monthly", "at 00:00 on day 1 of the month"),
            ("@yearly", "at 00:00 on day 1 of the month in January"),
            ("0 0 L * *", "at 00:00 on the last day of the month"),
            ("0 0 1,15W * *", "at 00:00 on day 1 and the working day nearest day 15 of the month"),
            ("0 0 * * FRI#2,1L", "at 00:00 on the 2nd Friday of the month and the last Monday of the month"),
            ("0 0 13 * FRI", "at 00:00 on day 13 of the month or Friday"),
            ("0 0 13 * +FRI", "at 00:00 on day 13 of the month if it is Friday"),
            ("0 6 * JUN-AUG 7", "at 06:00 on Sunday in June to August"),
        ];
        for (text, expected) in cases {
            let schedule = Schedule::parse_cron(text, &Zone::utc()).unwrap();
            assert_eq!(schedule.describe(), format!("{expected}, UTC"), "{text}");
        }
    }

    #[test]
    fn the_zone_is_told_unless_it_is_utc() {
        let zone = Zone::parse("Asia/Shanghai").unwrap();
        let schedule = Schedule::parse_cron("0 2 * * *", &zone).unwrap();
        assert_eq!(schedule.describe(), "at 02:00 every day, Asia/Shanghai time");
    }
}
