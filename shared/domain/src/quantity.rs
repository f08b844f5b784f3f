//! Durations as people write them: `500ms`, `30s`, `10m`, `2h`, `7d`, or `1h30m`. No sizes and no rates: nothing
//! in a definition has those yet.

use std::time::Duration;

/// The longest duration that is accepted, ten years: nothing that is scheduled waits longer.
pub const MAX_DURATION: Duration = Duration::from_secs(3650 * 24 * 3600);

const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 24 * 3_600_000)];

/// The error of a text that is no duration. The message says what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DurationError(String);

/// Reads a duration that may be zero.
///
/// # Errors
/// When the text has no unit or an unknown one, has a sign or a fraction, or is longer than [`MAX_DURATION`].
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let trimmed = text.trim();
    if let Some(rest) = trimmed.strip_prefix('-') {
        let unsigned = rest.trim_start_matches('-');
        return Err(match parts(unsigned) {
            Ok(_) => DurationError(format!("{trimmed:?} must be positive; write {unsigned}")),
            Err(_) => not_a_duration(trimmed),
        });
    }
    let millis = parts(trimmed)?;
    let duration = Duration::from_millis(millis);
    if duration > MAX_DURATION {
        return Err(DurationError(format!("{trimmed:?} is too long: expected at most 3650d")));
    }
    Ok(duration)
}

/// Reads a duration above zero.
///
/// # Errors
/// As [`parse_duration`], and for zero.
pub fn parse_positive_duration(text: &str) -> Result<Duration, DurationError> {
    match parse_duration(text)? {
        Duration::ZERO => Err(DurationError(format!("{:?} must be positive", text.trim()))),
        duration => Ok(duration),
    }
}

/// The regular expression of durations, for programs that check a text before it gets here. It lets through what is too
/// long, and zero.
pub fn duration_pattern() -> String {
    let parts: String = UNITS.iter().rev().map(|(unit, _)| format!("([0-9]+{unit})?")).collect();
    format!(r"^\s*(?=[0-9]){parts}\s*$")
}

/// The shortest text that parses back to `duration`, in whole milliseconds: `90s` is `1m30s`.
pub fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, millis) in UNITS.iter().rev() {
        if rest >= *millis {
            text.push_str(&format!("{}{unit}", rest / millis));
            rest %= millis;
        }
    }
    text
}

/// The milliseconds of one or more `<number><unit>`, each unit smaller than the one before.
fn parts(text: &str) -> Result<u64, DurationError> {
    if text.is_empty() {
        return Err(not_a_duration(text));
    }
    let mut rest = text;
    let mut total: u64 = 0;
    let mut above = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        if number.is_empty() {
            return Err(not_a_duration(text));
        }
        if unit.is_empty() {
            return Err(if tail.is_empty() && total == 0 {
                DurationError(format!("a bare number has no unit; write {text}s"))
            } else if tail.starts_with('.') {
                DurationError(format!(
                    "{text:?} has a fraction; write whole numbers, such as 1h30m for an hour and a half"
                ))
            } else {
                not_a_duration(text)
            });
        }
        let Some((_, millis)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(DurationError(format!(
                "unknown unit {unit:?} in {text:?}: expected ms, s, m, h or d"
            )));
        };
        if *millis >= above {
            return Err(not_a_duration(text));
        }
        above = *millis;
        let number: u64 = number.parse().unwrap_or(u64::MAX);
        total = total.saturating_add(number.saturating_mul(*millis));
        rest = tail;
    }
    Ok(total)
}

fn not_a_duration(text: &str) -> DurationError {
    let shown: String = text.chars().take(40).collect();
    DurationError(format!(
        "{shown:?} is not a duration: expected a number with a unit, such as 500ms, 30s, 10m, 2h or 7d"
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(text: &str) -> String {
        parse_positive_duration(text).unwrap_err().to_string()
    }

    #[test]
    fn each_unit_is_read() {
        let millis: Vec<u128> = ["500ms", "30s", "10m", "2h", "7d", "1h30m", " 1m1ms "]
            .iter()
            .map(|text| parse_duration(text).unwrap().as_millis())
            .collect();
        assert_eq!(millis, [500, 30_000, 600_000, 7_200_000, 604_800_000, 5_400_000, 60_001]);
    }

    #[test]
    fn a_bare_number_is_answered_with_what_to_write() {
        assert_eq!(error("30"), "a bare number has no unit; write 30s");
    }

    #[test]
    fn a_negative_or_zero_duration_must_be_positive() {
        assert_eq!(error("-5s"), "\"-5s\" must be positive; write 5s");
        assert_eq!(error("0s"), "\"0s\" must be positive");
        assert_eq!(parse_duration("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn fractions_unknown_units_and_nonsense_are_refused_by_name() {
        assert!(error("1.5h").contains("1h30m"), "{}", error("1.5h"));
        assert!(error("5y").contains("expected ms, s, m, h or d"));
        for nonsense in ["", "s", "abc", "1m1h", "1s 2s", "5s5", "-", "--5s5"] {
            assert!(error(nonsense).contains("is not a duration"), "{nonsense}: {}", error(nonsense));
        }
    }

    #[test]
    fn what_is_too_long_is_refused_and_does_not_overflow() {
        assert!(error("3651d").contains("at most 3650d"));
        assert!(error("99999999999999999999999999d").contains("at most 3650d"));
    }

    proptest! {
        #[test]
        fn what_is_formatted_parses_back(millis in 0..MAX_DURATION.as_millis() as u64) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,12}") {
            let _ = parse_positive_duration(&text);
        }
    }
}
