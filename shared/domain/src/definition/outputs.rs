//! The outputs that a step declares, and what an attempt gave held against them.

use serde_json::{Map, Value};

use super::arguments::{check_kind, expected, from_text};
use super::workflow::DeclaredOutput;

/// The greatest number of outputs that a message tells of.
const MAX_TOLD: usize = 5;

/// The greatest number of keys that a message lists.
const MAX_LISTED: usize = 20;

/// Holds the outputs of an attempt against those that its step declares. Where they were all written as texts (`is_typed` is
/// false), a text becomes a value of the declared kind. What is not of its kind is taken out; what is not declared is left
/// as it is.
///
/// # Errors
/// What is missing or of another kind, each with what was expected and what was found.
pub fn check_outputs(
    declared: &[DeclaredOutput],
    outputs: &mut Map<String, Value>,
    is_typed: bool,
) -> Result<(), String> {
    let mut wrong: Vec<String> = Vec::new();
    for DeclaredOutput { key, kind, .. } in declared {
        let Some(value) = outputs.get_mut(key) else {
            wrong.push(format!("output `{key}` is missing: expected {}", expected(kind)));
            continue;
        };
        let checked = match value {
            Value::String(text) if !is_typed => from_text(kind, text).map(|read| *value = read),
            _ => check_kind(kind, value),
        };
        if let Err(error) = checked {
            wrong.push(format!("output `{key}`: {error}"));
            outputs.remove(key);
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let more = wrong.len().saturating_sub(MAX_TOLD);
    wrong.truncate(MAX_TOLD);
    if more > 0 {
        wrong.push(format!("and {more} more"));
    }
    Err(wrong.join("; "))
}

/// The declared keys, as many as a message can hold.
pub(super) fn list_keys(declared: &[DeclaredOutput]) -> String {
    let keys: Vec<&str> = declared.iter().take(MAX_LISTED).map(|output| output.key.as_str()).collect();
    format!("{}{}", keys.join(", "), if declared.len() > MAX_LISTED { ", …" } else { "" })
}

/// Whether this may be the key of an output.
pub fn is_output_key(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::definition::ParamKind;

    fn declared() -> Vec<DeclaredOutput> {
        let choices = ParamKind::Enum(vec!["full".to_owned(), "part".to_owned()]);
        [
            ("rows", ParamKind::Int),
            ("share", ParamKind::Float),
            ("ok", ParamKind::Bool),
            ("day", ParamKind::Date),
            ("file", ParamKind::Path),
            ("mode", choices),
            ("tables", ParamKind::Json),
            ("note", ParamKind::String),
        ]
        .map(|(key, kind)| DeclaredOutput { key: key.to_owned(), kind, description: None })
        .into()
    }

    fn checked(is_typed: bool, changed: &Value) -> (Value, Result<(), String>) {
        let texts = json!({"rows": "42", "share": "0.5", "ok": "true", "day": "2026-03-01", "file": "/a",
            "mode": "full", "tables": "[\"a\"]", "note": "7"});
        let typed = json!({"rows": 42, "share": 0.5, "ok": true, "day": "2026-03-01", "file": "/a",
            "mode": "full", "tables": ["a"], "note": "7"});
        let mut outputs = if is_typed { typed } else { texts }.as_object().cloned().unwrap();
        for (key, value) in changed.as_object().unwrap() {
            outputs.insert(key.clone(), value.clone());
        }
        outputs.retain(|_, value| value != "gone");
        let result = check_outputs(&declared(), &mut outputs, is_typed);
        (Value::Object(outputs), result)
    }

    #[test]
    fn texts_become_values_of_the_declared_kinds_and_values_stay_what_they_are() {
        let (of_texts, told) = checked(false, &json!({"other": "5"}));
        assert_eq!(told, Ok(()));
        let (of_values, told) = checked(true, &json!({"other": "5"}));
        assert_eq!(told, Ok(()));
        assert_eq!(of_texts, of_values);
        assert_eq!((&of_values["rows"], &of_values["other"]), (&json!(42), &json!("5")));
        // A text is JSON too, where it came as such.
        assert_eq!(checked(true, &json!({"tables": "[1"})).1, Ok(()));
        assert_eq!(checked(true, &json!({"tables": null, "share": 2})).1, Ok(()));
    }

    #[test]
    fn what_is_missing_or_of_another_kind_is_told_and_taken_out() {
        let (left, told) = checked(false, &json!({"rows": "many", "day": "gone", "other": "x"}));
        assert_eq!(
            told.unwrap_err(),
            "output `rows`: expected a whole number of 64 bits, found the text `many`; \
             output `day` is missing: expected a date as YYYY-MM-DD"
        );
        assert!(left.get("rows").is_none());
        assert_eq!((&left["share"], &left["other"]), (&json!(0.5), &json!("x")));
        for (key, value, told) in [
            ("rows", json!("42"), "expected a whole number of 64 bits, found the text `42`"),
            ("rows", json!(1.5), "expected a whole number of 64 bits, found `1.5`"),
            ("ok", json!(1), "expected true or false, found `1`"),
            ("day", json!("2026-02-30"), "expected a date as YYYY-MM-DD, found the text `2026-02-30`"),
            ("file", json!(""), "expected a path without NUL bytes, found the text ``"),
            ("mode", json!("none"), "expected one of full, part, found the text `none`"),
            ("note", json!(7), "expected a text, found `7`"),
            ("note", json!(null), "expected a text, found `null`"),
        ] {
            let mut changed = json!({});
            changed[key] = value;
            assert_eq!(checked(true, &changed).1.unwrap_err(), format!("output `{key}`: {told}"));
        }
        let malformed = checked(false, &json!({"tables": "[1"})).1.unwrap_err();
        assert!(malformed.starts_with("output `tables`: expected JSON, found `[1`"), "{malformed}");
    }

    #[test]
    fn a_message_tells_of_a_few_and_counts_the_others() {
        let told = check_outputs(&declared(), &mut Map::new(), true).unwrap_err();
        assert!(told.ends_with("; and 3 more"), "{told}");
        assert_eq!(told.matches(" is missing").count(), 5);
    }
}
