//! Reads single values out of the tree. Each reader reports what does not fit and answers nothing; the check goes on.

use std::time::Duration;

use super::checker::Checker;
use super::document::{Content, Key, Node};
use crate::quantity;

impl Checker {
    /// Reports that `node` is of another type than the field expects.
    pub(super) fn wrong_type(&mut self, node: &Node, field: &str, expected: &str, hint: Option<String>) {
        match &node.content {
            Content::Refused => {}
            _ if node.is_nothing() => {
                let message = format!("`{field}` has no value: expected {expected}");
                self.problem(
                    node.at,
                    "wrong-type",
                    message,
                    hint.or(Some("give it one, or remove it".to_owned())),
                );
            }
            _ => {
                let message = format!("`{field}` must be {expected}, found {}", node.describe());
                self.problem(node.at, "wrong-type", message, hint);
            }
        }
    }

    /// Reads a text, as it was written: `NO`, `1.10` and `007` stay what they are.
    pub(super) fn text<'t>(&mut self, node: &'t Node, field: &str) -> Option<&'t str> {
        match &node.content {
            Content::Scalar { text, .. } if !node.is_nothing() => Some(text),
            _ => {
                self.wrong_type(node, field, "a text", None);
                None
            }
        }
    }

    /// Reads `true` or `false`, and nothing else.
    pub(super) fn boolean(&mut self, node: &Node, field: &str) -> Option<bool> {
        let hint = match &node.content {
            Content::Scalar { text, plain: true } => match &**text {
                "true" => return Some(true),
                "false" => return Some(false),
                other => match other.to_ascii_lowercase().as_str() {
                    "yes" | "y" | "on" | "true" | "1" => Some("write true".to_owned()),
                    "no" | "n" | "off" | "false" | "0" => Some("write false".to_owned()),
                    _ => None,
                },
            },
            Content::Scalar { text, .. } if matches!(&**text, "true" | "false") => {
                Some("remove the quotes".to_owned())
            }
            _ => None,
        };
        self.wrong_type(node, field, "true or false", hint);
        None
    }

    /// Reads a duration that may be zero.
    pub(super) fn duration(&mut self, node: &Node, field: &str) -> Option<Duration> {
        self.parsed(node, field, "a duration such as 30s", quantity::parse_duration)
    }

    /// Reads a duration above zero.
    pub(super) fn positive_duration(&mut self, node: &Node, field: &str) -> Option<Duration> {
        self.parsed(node, field, "a duration such as 30s", quantity::parse_positive_duration)
    }

    fn parsed<T, E: std::fmt::Display>(
        &mut self,
        node: &Node,
        field: &str,
        expected: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let Content::Scalar { text, .. } = &node.content else {
            self.wrong_type(node, field, expected, None);
            return None;
        };
        if node.is_nothing() {
            self.wrong_type(node, field, expected, None);
            return None;
        }
        match parse(text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(node.at, "bad-duration", format!("`{field}`: {error}"), None);
                None
            }
        }
    }

    /// Reads a whole number in a range.
    pub(super) fn integer(
        &mut self,
        node: &Node,
        field: &str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let Some(text) = node.plain() else {
            self.wrong_type(node, field, &expected, None);
            return None;
        };
        match text.parse::<u32>() {
            Ok(number) if range.contains(&number) => Some(number),
            _ if node.is_nothing() || text.parse::<f64>().is_err() => {
                self.wrong_type(node, field, &expected, None);
                None
            }
            _ => {
                self.problem(
                    node.at,
                    "out-of-range",
                    format!("`{field}` must be {expected}, found {text}"),
                    None,
                );
                None
            }
        }
    }

    /// Reads a list.
    pub(super) fn list<'t>(
        &mut self,
        node: &'t Node,
        field: &str,
        of: &str,
        hint: Option<String>,
    ) -> Option<&'t [Node]> {
        match &node.content {
            Content::List(items) => Some(items),
            _ => {
                self.wrong_type(node, field, &format!("a list of {of}"), hint);
                None
            }
        }
    }

    /// Reads a map.
    pub(super) fn map<'t>(&mut self, node: &'t Node, field: &str, of: &str) -> Option<&'t [(Key, Node)]> {
        match &node.content {
            Content::Map(entries) => Some(entries),
            _ => {
                self.wrong_type(node, field, &format!("a map of {of}"), None);
                None
            }
        }
    }
}
