//! What the values of a param must be beyond their kind: bounds, and a pattern.

use std::cmp::Ordering;

use regex_lite::{Regex, RegexBuilder};
use serde_json::Value;

/// The longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 1024;

/// The most memory that a compiled pattern may take, in bytes. Matching takes time by its size and by that of the text, so
/// that `(a{1000}){100}` must not be let in.
const MAX_COMPILED_BYTES: usize = 64 * 1024;

/// The longest text that is held against a pattern, in bytes: at its largest, a pattern takes some 30 µs for each.
const MAX_MATCHED_BYTES: usize = 8 * 1024;

/// The limits of a param's values. Bounds are of the param's kind: numbers, or dates.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// The least value.
    pub min: Option<Value>,
    /// The greatest value.
    pub max: Option<Value>,
    /// The pattern that a text matches as a whole.
    pub pattern: Option<Pattern>,
}

/// A regular expression that a text must match as a whole, as it was written.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: String,
    regex: Regex,
}

impl Pattern {
    /// Reads a regular expression, in the syntax of the crate `regex` (no look-around, no back references; `\d`, `\w` and
    /// `\s` are ASCII).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(source: &str) -> Result<Self, String> {
        if source.len() > MAX_PATTERN_BYTES {
            let bytes = source.len();
            return Err(format!("a pattern of {bytes} bytes: expected at most {MAX_PATTERN_BYTES}"));
        }
        let compiled = |source: &str| {
            RegexBuilder::new(source)
                .size_limit(MAX_COMPILED_BYTES)
                .build()
                .map_err(|error| error.to_string())
        };
        // Alone first: what closes a group that it has not opened must not end ours.
        compiled(source)?;
        let regex = compiled(&format!("^(?:{source})$"))?;
        Ok(Self { source: source.to_owned(), regex })
    }
}

impl Limits {
    /// Checks a value, which is of the param's kind.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        let found = || shown(value);
        if let Some(min) = self.min.as_ref().filter(|min| compare(value, min) == Ordering::Less) {
            return Err(format!("expected at least {}, found {}", shown(min), found()));
        }
        if let Some(max) = self.max.as_ref().filter(|max| compare(value, max) == Ordering::Greater) {
            return Err(format!("expected at most {}, found {}", shown(max), found()));
        }
        match (&self.pattern, value) {
            (Some(_), Value::String(text)) if text.len() > MAX_MATCHED_BYTES => Err(format!(
                "a text of {} bytes: a param with a `pattern` takes at most {MAX_MATCHED_BYTES}",
                text.len()
            )),
            (Some(pattern), Value::String(text)) if !pattern.regex.is_match(text) => {
                Err(format!("expected a text that matches `{}`, found {}", pattern.source, found()))
            }
            _ => Ok(()),
        }
    }
}

/// Compares two values of one kind. Whole numbers keep all their digits; a date is as large as its text.
pub(super) fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::String(one), Value::String(other)) => one.cmp(other),
        _ => match (one.as_i64(), other.as_i64()) {
            (Some(one), Some(other)) => one.cmp(&other),
            _ => {
                let (one, other) = (one.as_f64().unwrap_or_default(), other.as_f64().unwrap_or_default());
                one.partial_cmp(&other).unwrap_or(Ordering::Equal)
            }
        },
    }
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => format!("`{}`", text.escape_debug()),
        other => other.to_string(),
    };
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pattern_is_of_the_whole_text_and_cannot_break_out_of_that() {
        let limits = |pattern: &str| Limits { pattern: Pattern::parse(pattern).ok(), ..Limits::default() };
        let matches = |pattern: &str, text: &str| limits(pattern).check(&json!(text)).is_ok();
        assert!(matches("[a-z]+", "abc") && !matches("[a-z]+", "abc1") && !matches("[a-z]+", "1abc"));
        assert!(matches("a|b", "b") && !matches("a|b", "ab"));
        assert!(!matches("a", "a\n") && matches("(?i)ab", "AB"));
        assert!(matches("[0-9a-f]{64}", &"7".repeat(64)) && matches("[A-Z]{2}-[0-9]{1,12}", "AB-007"));
        assert!(matches(".*", &"a".repeat(8192)) && !matches(".*", &"a".repeat(8193)));
        for pattern in ["a)|(?:b", "(", "[", "a{9999999}", "(a{1000}){100}", &"a".repeat(2000)] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn whole_numbers_are_compared_with_all_their_digits() {
        let limits = Limits { max: Some(json!(9_007_199_254_740_992_i64)), ..Limits::default() };
        assert!(limits.check(&json!(9_007_199_254_740_993_i64)).is_err());
        assert!(limits.check(&json!(9_007_199_254_740_992_i64)).is_ok());
        let limits = Limits { min: Some(json!("2026-01-31")), ..Limits::default() };
        assert!(limits.check(&json!("2026-02-01")).is_ok() && limits.check(&json!("2026-01-30")).is_err());
    }
}
