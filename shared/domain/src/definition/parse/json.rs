//! Between trees and JSON: an unquoted `true`, `null` or number of JSON is one, and any other word is text.

use serde_json::{Map, Number, Value};

use super::super::checker::Checker;
use super::super::document::{Content, Key, Node};
use super::super::problem::Position;
use crate::number;

/// The JSON value of a tree.
pub(super) fn of_node(node: &Node) -> Value {
    match &node.content {
        Content::Scalar { text, plain: true } => of_word(text),
        Content::Scalar { text, .. } => Value::String(text.to_string()),
        Content::List(items) => Value::Array(items.iter().map(of_node).collect()),
        Content::Map(entries) => Value::Object(
            entries.iter().map(|(key, value)| (key.text.to_string(), of_node(value))).collect::<Map<_, _>>(),
        ),
        Content::Refused => Value::Null,
    }
}

/// The JSON value of an unquoted word. JSON's own grammar decides: `007`, `1_000` and `.5` are text.
fn of_word(word: &str) -> Value {
    match word {
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
            serde_json::from_str::<Number>(word)
                .map_or_else(|_| Value::String(word.to_owned()), Value::Number)
        }
        _ => Value::String(word.to_owned()),
    }
}

/// Reports numbers of `node` that would lose digits as JSON.
pub(super) fn check_numbers(node: &Node, checker: &mut Checker) {
    if checker.was_accepted {
        return;
    }
    match &node.content {
        Content::Scalar { text, plain: true } if of_word(text).is_number() && !number::keeps_digits(text) => {
            let message = format!("{} would lose digits: a number has 64 bits here", node.describe());
            checker.problem(
                node.at,
                "number-too-long",
                message,
                Some("quote it: it is a text then".to_owned()),
            );
        }
        Content::List(items) => items.iter().for_each(|item| check_numbers(item, checker)),
        Content::Map(entries) => entries.iter().for_each(|(_, value)| check_numbers(value, checker)),
        Content::Scalar { .. } | Content::Refused => {}
    }
}

/// The tree of a JSON value, without positions.
pub(super) fn to_node(value: &Value) -> Node {
    let content = match value {
        Value::String(text) => Content::Scalar { text: text.as_str().into(), plain: false },
        Value::Array(items) => Content::List(items.iter().map(to_node).collect()),
        Value::Object(fields) => Content::Map(
            fields
                .iter()
                .map(|(key, value)| (Key { at: Position::START, text: key.as_str().into() }, to_node(value)))
                .collect(),
        ),
        word => Content::Scalar { text: word.to_string().into(), plain: true },
    };
    Node { at: Position::START, content }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_json_calls_a_number_is_one() {
        for (word, value) in [
            ("5", json!(5)),
            ("-1.5e3", json!(-1500.0)),
            ("007", json!("007")),
            (".5", json!(".5")),
            ("1_000", json!("1_000")),
            ("0x1f", json!("0x1f")),
            ("NO", json!("NO")),
            ("1.2.3", json!("1.2.3")),
            ("-", json!("-")),
            ("", json!(null)),
            ("true", json!(true)),
        ] {
            assert_eq!(of_word(word), value, "{word}");
        }
    }

    #[test]
    fn json_survives_the_way_there_and_back() {
        let value = json!({"a": [1, "1", null, true, {"b": "x"}], "c": -0.5});
        assert_eq!(of_node(&to_node(&value)), value);
    }
}
