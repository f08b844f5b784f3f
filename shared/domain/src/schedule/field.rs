//! One field of a cron text: what may stand in it, and a complaint that names it where something else does.

use std::fmt;

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Which field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

/// One place of a field's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// `*`, `?` or `*/step`.
    Every { step: u8 },
    /// `low`, `low-high` or `low-high/step`; of a weekday, `nth` says which one of the month.
    Range { low: u8, high: u8, step: u8, nth: Option<Nth> },
    /// `L`: the last day of the month.
    LastDay,
    /// `LW`: the last Monday to Friday of the month.
    LastWorkday,
    /// `15W`: the Monday to Friday nearest to that day, in the same month.
    NearestWorkday(u8),
}

/// Which of the month's weekdays of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nth {
    /// `#1` to `#5`.
    From(u8),
    /// `#L`, or `L` straight after the weekday.
    Last,
}

impl Unit {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day of month",
            Self::Month => "month",
            Self::Weekday => "weekday",
        }
    }

    /// The least and the greatest value; both 0 and 7 are Sunday.
    fn range(self) -> (u8, u8) {
        match self {
            Self::Second | Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::Day => (1, 31),
            Self::Month => (1, 12),
            Self::Weekday => (0, 7),
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Second | Self::Minute => "0 to 59",
            Self::Hour => "0 to 23, where midnight is 0",
            Self::Day => "1 to 31, `L`, `LW` or `15W`",
            Self::Month => "1 to 12 or JAN to DEC",
            Self::Weekday => "0 to 7 or SUN to SAT, where 0 and 7 are Sunday",
        }
    }

    /// Reads a whole field.
    pub(super) fn parse(self, text: &str) -> Result<Vec<Item>, String> {
        let mut items = Vec::new();
        for part in text.split(',') {
            self.item(part, &mut items).map_err(|problem| format!("{} `{text}`: {problem}", self.name()))?;
        }
        if items.len() > 1 && items.contains(&Item::Every { step: 1 }) {
            return Err(format!("{} `{text}`: `*` is all of them; remove the rest of the list", self.name()));
        }
        if items.contains(&Item::LastDay) && items.contains(&Item::LastWorkday) {
            return Err(format!("{} `{text}`: `L` and `LW` do not go together; keep one", self.name()));
        }
        Ok(items)
    }

    fn item(self, part: &str, items: &mut Vec<Item>) -> Result<(), String> {
        if part.is_empty() {
            return Err("a place of the list is empty; remove the extra comma".to_owned());
        }
        if self == Self::Day
            && let Some(item) = self.special_day(part)?
        {
            items.push(item);
            return Ok(());
        }
        let (part, nth) = if self == Self::Weekday { nth(part)? } else { (part, None) };
        let (base, step) = match part.split_once('/') {
            Some((base, step)) => (base, Some(self.step(base, step)?)),
            None => (part, None),
        };
        if base == "*" || (base == "?" && matches!(self, Self::Day | Self::Weekday)) {
            if nth.is_some() {
                return Err("`#` and `L` go with a weekday, such as `FRI#2` or `5L`".to_owned());
            }
            items.push(Item::Every { step: step.unwrap_or(1) });
            return Ok(());
        }
        let Some((low, high)) = base.split_once('-') else {
            if let Some(step) = step {
                let (_, greatest) = self.range();
                return Err(format!("a step needs a range; write `{base}-{greatest}/{step}`"));
            }
            let value = self.value(base)?;
            items.push(Item::Range { low: value, high: value, step: 1, nth });
            return Ok(());
        };
        let (low, high, step) = (self.value(low)?, self.value(high)?, step.unwrap_or(1));
        if low <= high {
            items.push(Item::Range { low, high, step, nth });
        } else if self == Self::Weekday {
            // Round the end of the week: `FRI-MON`. Seven days from `low`, until `high`.
            let days = (high + 7 - low) % 7;
            for day in (0..=days).step_by(usize::from(step)).map(|day| (low + day) % 7) {
                items.push(Item::Range { low: day, high: day, step: 1, nth });
            }
        } else {
            let (least, greatest) = self.range();
            return Err(format!(
                "{low}-{high} runs backwards; write `{high}-{low}`, or `{low}-{greatest},{least}-{high}` to go round the end"
            ));
        }
        Ok(())
    }

    fn special_day(self, part: &str) -> Result<Option<Item>, String> {
        match part.to_ascii_uppercase().as_str() {
            "L" => Ok(Some(Item::LastDay)),
            "LW" => Ok(Some(Item::LastWorkday)),
            upper => match upper.strip_suffix('W') {
                Some(day) => Ok(Some(Item::NearestWorkday(self.value(day)?))),
                None => Ok(None),
            },
        }
    }

    fn step(self, base: &str, step: &str) -> Result<u8, String> {
        let (least, greatest) = self.range();
        let span = if self == Self::Weekday { 6 } else { greatest - least };
        match number(step) {
            Some(0) => Err("a step of 0 goes nowhere; expected 1 or more".to_owned()),
            Some(step) if step > span && base == "*" => Err(format!(
                "a step of {step} is longer than the field, so that only {least} would match; write `{least}`, or use `every:` for an interval"
            )),
            Some(step) => Ok(step),
            None => Err(format!("`{step}` is not a step; expected a number after `/`")),
        }
    }

    fn value(self, text: &str) -> Result<u8, String> {
        let (least, greatest) = self.range();
        if let Some(value) = number(text) {
            return if (least..=greatest).contains(&value) {
                Ok(value)
            } else {
                Err(format!("{text} is out of range; expected {}", self.expected()))
            };
        }
        let upper = text.to_ascii_uppercase();
        let named = |names: &[&str], first: u8| {
            (first..).zip(names).find(|(_, name)| **name == upper).map(|(value, _)| value)
        };
        let found = match self {
            Self::Month => named(&MONTHS, 1),
            Self::Weekday => named(&WEEKDAYS, 0),
            _ => None,
        };
        found.ok_or_else(|| match text {
            "" => format!("a value is missing; expected {}", self.expected()),
            _ => format!("`{text}` cannot be read; expected {}", self.expected()),
        })
    }
}

/// Splits `FRI#2`, `5#L` and `5L`.
fn nth(part: &str) -> Result<(&str, Option<Nth>), String> {
    let (day, nth) = match (part.split_once('#'), part.strip_suffix(['L', 'l'])) {
        (Some((day, "L" | "l")), _) | (None, Some(day)) => (day, Nth::Last),
        (Some((day, count)), _) => match number(count) {
            Some(count @ 1..=5) => (day, Nth::From(count)),
            _ => {
                return Err(format!(
                    "`#{count}` is not one of the month's weekdays; expected #1 to #5 or #L"
                ));
            }
        },
        (None, None) => return Ok((part, None)),
    };
    if day.is_empty() {
        return Err("the last of which weekday? `5L` is the last Friday of the month".to_owned());
    }
    Ok((day, Some(nth)))
}

/// Digits alone; what does not fit is the greatest, which is out of every range.
fn number(text: &str) -> Option<u8> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().unwrap_or(u8::MAX))
}

/// As the evaluator reads it.
impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Every { step: 1 } => f.write_str("*"),
            Self::Every { step } => write!(f, "*/{step}"),
            Self::Range { low, high, step, nth } => {
                write!(f, "{low}")?;
                if low != high {
                    write!(f, "-{high}")?;
                }
                if low != high && step != 1 {
                    write!(f, "/{step}")?;
                }
                match nth {
                    Some(Nth::From(count)) => write!(f, "#{count}"),
                    Some(Nth::Last) => f.write_str("#L"),
                    None => Ok(()),
                }
            }
            Self::LastDay => f.write_str("L"),
            Self::LastWorkday => f.write_str("LW"),
            Self::NearestWorkday(day) => write!(f, "{day}W"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(unit: Unit, text: &str) -> String {
        let items = unit.parse(text).unwrap();
        items.iter().map(Item::to_string).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn names_and_numbers_mean_the_same() {
        assert_eq!(read(Unit::Month, "jan,Mar-MAY,12"), "1,3-5,12");
        assert_eq!(read(Unit::Weekday, "MON-fri"), "1-5");
        assert_eq!(read(Unit::Minute, "00,05-09/2"), "0,5-9/2");
        assert_eq!(read(Unit::Day, "?"), "*");
    }

    #[test]
    fn weekday_ranges_go_round_the_end_of_the_week() {
        assert_eq!(read(Unit::Weekday, "FRI-MON"), "5,6,0,1");
        assert_eq!(read(Unit::Weekday, "5-1/2"), "5,0");
        assert_eq!(read(Unit::Weekday, "SAT-SUN"), "6,0");
        assert_eq!(read(Unit::Weekday, "7-2"), "0,1,2");
        assert_eq!(read(Unit::Weekday, "5-7"), "5-7");
    }

    #[test]
    fn days_of_the_month_can_be_counted_from_its_end_and_by_weekday() {
        assert_eq!(read(Unit::Day, "l,15w"), "L,15W");
        assert_eq!(read(Unit::Day, "LW"), "LW");
        assert_eq!(read(Unit::Weekday, "FRI#2,5L,mon#l"), "5#2,5#L,1#L");
    }

    #[test]
    fn a_complaint_names_the_field_the_text_and_the_fix() {
        let cases = [
            (Unit::Minute, "60", "minute `60`: 60 is out of range; expected 0 to 59"),
            (
                Unit::Minute,
                "1,99999999999",
                "minute `1,99999999999`: 99999999999 is out of range; expected 0 to 59",
            ),
            (Unit::Hour, "24", "hour `24`: 24 is out of range; expected 0 to 23, where midnight is 0"),
            (Unit::Minute, "*/0", "minute `*/0`: a step of 0 goes nowhere; expected 1 or more"),
            (
                Unit::Minute,
                "*/90",
                "minute `*/90`: a step of 90 is longer than the field, so that only 0 would match; write `0`, or use `every:` for an interval",
            ),
            (Unit::Minute, "*/x", "minute `*/x`: `x` is not a step; expected a number after `/`"),
            (Unit::Minute, "5/15", "minute `5/15`: a step needs a range; write `5-59/15`"),
            (
                Unit::Hour,
                "22-2",
                "hour `22-2`: 22-2 runs backwards; write `2-22`, or `22-23,0-2` to go round the end",
            ),
            (Unit::Hour, "1,,2", "hour `1,,2`: a place of the list is empty; remove the extra comma"),
            (Unit::Hour, "*,2", "hour `*,2`: `*` is all of them; remove the rest of the list"),
            (Unit::Hour, "-5", "hour `-5`: a value is missing; expected 0 to 23, where midnight is 0"),
            (Unit::Hour, "?", "hour `?`: `?` cannot be read; expected 0 to 23, where midnight is 0"),
            (Unit::Day, "0", "day of month `0`: 0 is out of range; expected 1 to 31, `L`, `LW` or `15W`"),
            (
                Unit::Day,
                "32W",
                "day of month `32W`: 32 is out of range; expected 1 to 31, `L`, `LW` or `15W`",
            ),
            (Unit::Day, "L,LW", "day of month `L,LW`: `L` and `LW` do not go together; keep one"),
            (
                Unit::Month,
                "JANUARY",
                "month `JANUARY`: `JANUARY` cannot be read; expected 1 to 12 or JAN to DEC",
            ),
            (
                Unit::Weekday,
                "8",
                "weekday `8`: 8 is out of range; expected 0 to 7 or SUN to SAT, where 0 and 7 are Sunday",
            ),
            (
                Unit::Weekday,
                "L",
                "weekday `L`: the last of which weekday? `5L` is the last Friday of the month",
            ),
            (
                Unit::Weekday,
                "5#6",
                "weekday `5#6`: `#6` is not one of the month's weekdays; expected #1 to #5 or #L",
            ),
            (Unit::Weekday, "*#2", "weekday `*#2`: `#` and `L` go with a weekday, such as `FRI#2` or `5L`"),
        ];
        for (unit, text, expected) in cases {
            assert_eq!(unit.parse(text).unwrap_err(), expected);
        }
    }
}
