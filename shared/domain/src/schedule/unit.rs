//! The units of time that the fields of a cron text are about: their names, and the values that each has.

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
/// The names of the weekdays, from Sunday as 0.
pub(super) const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// The unit of time that a field is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

impl Unit {
    /// The name of the unit in messages.
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

    /// The range of its values, the least and the greatest; both 0 and 7 are Sunday.
    pub(super) fn range(self) -> (u8, u8) {
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

    /// Reads one value: a number in the range of the unit, or the name of a month or a weekday.
    pub(super) fn value(self, text: &str) -> Result<u8, String> {
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

/// Reads a number of digits alone; what does not fit is the greatest, which is out of every range.
pub(super) fn number(text: &str) -> Option<u8> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().unwrap_or(u8::MAX))
}
