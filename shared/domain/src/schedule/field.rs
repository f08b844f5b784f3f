//! Reading one field of a cron text: what may stand in it, and a complaint that names it where something else does.

use super::item::{Item, Nth};
use super::unit::{Unit, number};

impl Unit {
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
        if step.is_some() && self.takes_no_step(base) {
            return Err(format!("`{base}` takes no step; write `{base}`"));
        }
        if base == "*" || (base == "?" && matches!(self, Self::Day | Self::Weekday)) {
            if nth.is_some() {
                return Err("`#` and `L` go with a weekday, such as `FRI#2` or `5L`".to_owned());
            }
            items.push(Item::Every { step: step.unwrap_or(1) });
            return Ok(());
        }
        let Some((low, high)) = base.split_once('-') else {
            let low = self.value(base)?;
            items.push(match step {
                Some(_) if nth.is_some() => {
                    return Err("`#` and `L` take no step; write such as `FRI#2` or `5L`".to_owned());
                }
                // From there to the end of the field, as Quartz and robfig's cron mean it.
                Some(step) => Item::Range { low, high: self.last(low)?, step, nth },
                None => Item::Range { low, high: low, step: 1, nth },
            });
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
            return Err(self.backwards(low, high, step));
        }
        Ok(())
    }

    fn backwards(self, low: u8, high: u8, step: u8) -> String {
        let (least, greatest) = self.range();
        let (by, round) = if step == 1 {
            (String::new(), format!("{low}-{greatest},{least}-{high}"))
        } else {
            let values = (low..=greatest).chain(least..=high).step_by(usize::from(step));
            (format!("/{step}"), values.map(|value| value.to_string()).collect::<Vec<_>>().join(","))
        };
        format!("{low}-{high} runs backwards; write `{high}-{low}{by}`, or `{round}` to go round the end")
    }

    /// The last value up to which `low/step` goes. The week ends with Saturday: with 7, Sunday would come twice.
    fn last(self, low: u8) -> Result<u8, String> {
        match (self, self.range()) {
            (Self::Weekday, (_, 7)) if low == 7 => {
                Err("7 is the end of the week, from which no step leads on; write `0` for Sunday".to_owned())
            }
            (Self::Weekday, _) => Ok(6),
            (_, (_, greatest)) => Ok(greatest),
        }
    }

    /// Whether `base` counts from the end of the month, or names one of its days.
    fn takes_no_step(self, base: &str) -> bool {
        match self {
            Self::Day => self.special_day(base).is_ok_and(|item| item.is_some()),
            Self::Weekday => base.strip_suffix(['L', 'l']).is_some_and(|day| self.value(day).is_ok()),
            _ => false,
        }
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
            Some(step) if base.is_empty() && step <= span => Err(format!(
                "what is the step of? write `*/{step}` for the whole field, or a range before it"
            )),
            Some(_) if base.is_empty() => Err("a range is missing before the step".to_owned()),
            Some(step) if step > span && base == "*" => Err(format!(
                "a step of {step} is longer than the field, so that only {least} would match; {}",
                self.alone(least)
            )),
            Some(step) if step > span && self.value(base).is_ok() => Err(format!(
                "a step of {step} is longer than the field, so that only {base} would match; write `{base}`"
            )),
            Some(step) => Ok(step),
            None => Err(format!("`{step}` is not a step; expected a number after `/`")),
        }
    }

    /// The advice for a `*` with a step that only `least` survives. A `*` asks for both days to match, which a bare
    /// value does not.
    fn alone(self, least: u8) -> String {
        match self {
            Self::Weekday => {
                format!("write `+{least}`: with the `+`, the day of month must match too, as with a `*`")
            }
            Self::Day => {
                format!("write `{least}`, with a `+` before the weekday, which must match too, as with a `*`")
            }
            _ => format!("write `{least}`, or use `every:` for an interval"),
        }
    }
}

/// Splits `FRI#2`, `5#L` and `5L`.
fn nth(part: &str) -> Result<(&str, Option<Nth>), String> {
    let (day, nth) = match (part.split_once('#'), part.strip_suffix(['L', 'l'])) {
        (Some((day, "L" | "l")), _) | (None, Some(day)) => (day, Nth::Last),
        (Some((day, count)), _) => match number(count) {
            Some(count @ 1..=5) => (day, Nth::From(count)),
            _ if count.contains('/') => {
                return Err("`#` and `L` take no step; write such as `FRI#2` or `5L`".to_owned());
            }
            _ => {
                return Err(format!(
                    "`#{count}` is not one of the month's weekdays; expected #1 to #5 or #L"
                ));
            }
        },
        (None, None) => return Ok((part, None)),
    };
    if day.is_empty() {
        return Err(match nth {
            Nth::Last => "the last of which weekday? `5L` is the last Friday of the month".to_owned(),
            Nth::From(_) => "the which weekday of the month? `FRI#2` is the second Friday".to_owned(),
        });
    }
    Ok((day, Some(nth)))
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
    fn a_value_with_a_step_goes_on_to_the_end_of_its_field() {
        assert_eq!(read(Unit::Minute, "5/15"), "5-59/15");
        assert_eq!(read(Unit::Minute, "59/5"), "59");
        assert_eq!(read(Unit::Hour, "0/6"), "0-23/6");
        assert_eq!(read(Unit::Day, "1/10"), "1-31/10");
        assert_eq!(read(Unit::Month, "feb/3"), "2-12/3");
        assert_eq!(read(Unit::Weekday, "MON/2"), "1-6/2");
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
            (
                Unit::Minute,
                "/2",
                "minute `/2`: what is the step of? write `*/2` for the whole field, or a range before it",
            ),
            (
                Unit::Minute,
                "5/90",
                "minute `5/90`: a step of 90 is longer than the field, so that only 5 would match; write `5`",
            ),
            (
                Unit::Hour,
                "22-2/3",
                "hour `22-2/3`: 22-2 runs backwards; write `2-22/3`, or `22,1` to go round the end",
            ),
            (Unit::Day, "L/2", "day of month `L/2`: `L` takes no step; write `L`"),
            (
                Unit::Day,
                "*/31",
                "day of month `*/31`: a step of 31 is longer than the field, so that only 1 would match; write `1`, with a `+` before the weekday, which must match too, as with a `*`",
            ),
            (
                Unit::Weekday,
                "*/7",
                "weekday `*/7`: a step of 7 is longer than the field, so that only 0 would match; write `+0`: with the `+`, the day of month must match too, as with a `*`",
            ),
            (Unit::Weekday, "5L/2", "weekday `5L/2`: `5L` takes no step; write `5L`"),
            (
                Unit::Weekday,
                "#2/1",
                "weekday `#2/1`: `#` and `L` take no step; write such as `FRI#2` or `5L`",
            ),
            (
                Unit::Weekday,
                "FRI/2#2",
                "weekday `FRI/2#2`: `#` and `L` take no step; write such as `FRI#2` or `5L`",
            ),
            (
                Unit::Weekday,
                "#2",
                "weekday `#2`: the which weekday of the month? `FRI#2` is the second Friday",
            ),
            (
                Unit::Weekday,
                "7/2",
                "weekday `7/2`: 7 is the end of the week, from which no step leads on; write `0` for Sunday",
            ),
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
