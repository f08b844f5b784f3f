//! Collects what is wrong, and reads single values out of the tree. Each reader reports what does not fit and
//! answers nothing; the check goes on.

use std::time::Duration;

use super::document::{Content, Key, Node, Position};
use super::nearest;
use super::problem::{Problem, Problems};
use crate::quantity;

/// How many problems are shown.
const MAX_SHOWN: usize = 100;

/// How many problems are kept; those after are only counted.
const MAX_KEPT: usize = 10_000;

/// How many times a hint is looked for: each looks at every candidate, or at every line.
const MAX_HINTS: usize = 100;

/// The problems so far.
#[derive(Debug, Default)]
pub(super) struct Checker {
    found: Vec<Found>,
    uncounted: usize,
    hints: usize,
    /// What is read was accepted once, and is stored: what has been refused since is not refused.
    pub(super) was_accepted: bool,
}

#[derive(Debug)]
struct Found {
    at: Position,
    code: &'static str,
    message: String,
    hint: Option<String>,
}

impl Checker {
    /// Notes a problem.
    pub(super) fn problem(
        &mut self,
        at: Position,
        code: &'static str,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        if self.found.len() < MAX_KEPT {
            self.found.push(Found { at, code, message: message.into(), hint });
        } else {
            self.uncounted += 1;
        }
    }

    /// Whether there is no problem yet.
    pub(super) fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether a hint may still be looked for, when looking is not cheap.
    pub(super) fn may_look(&mut self) -> bool {
        self.hints += 1;
        self.hints <= MAX_HINTS
    }

    /// "did you mean `x`?"
    pub(super) fn did_you_mean<'c>(
        &mut self,
        word: &str,
        candidates: impl IntoIterator<Item = &'c str>,
    ) -> Option<String> {
        if !self.may_look() {
            return None;
        }
        nearest(word, candidates).map(|near| format!("did you mean `{near}`?"))
    }

    /// The problems in the order of the file.
    pub(super) fn into_problems(mut self, file: &str) -> Problems {
        self.found.sort_by_key(|found| found.at);
        let more = (self.found.len() + self.uncounted).saturating_sub(MAX_SHOWN);
        if more > 0 {
            self.found.truncate(MAX_SHOWN - 1);
            let at = self.found.last().map_or(Position::START, |found| found.at);
            let message = format!("{} more problems are not shown", more + 1);
            self.found.push(Found { at, code: "too-many-problems", message, hint: None });
        }
        let problem = |found: Found| Problem {
            file: file.to_owned(),
            line: found.at.line,
            column: found.at.column,
            code: found.code,
            message: found.message,
            hint: found.hint,
        };
        Problems(self.found.into_iter().map(problem).collect())
    }

    /// The code of the first problem and a line that tells them all, for what has no lines of its own.
    pub(super) fn into_text(self) -> (&'static str, String) {
        let problems = self.into_problems("").0;
        let code = problems.first().map_or("bad-field", |problem| problem.code);
        let told = |problem: Problem| match problem.hint {
            Some(hint) => format!("{} ({hint})", problem.message),
            None => problem.message,
        };
        (code, problems.into_iter().map(told).collect::<Vec<_>>().join("; "))
    }

    /// Reports that `node` is not what it should be.
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

    /// A text, as it was written: `NO`, `1.10` and `007` stay what they are.
    pub(super) fn text<'t>(&mut self, node: &'t Node, field: &str) -> Option<&'t str> {
        match &node.content {
            Content::Scalar { text, .. } if !node.is_nothing() => Some(text),
            _ => {
                self.wrong_type(node, field, "a text", None);
                None
            }
        }
    }

    /// `true` or `false`, and nothing else.
    pub(super) fn boolean(&mut self, node: &Node, field: &str) -> Option<bool> {
        let hint = match &node.content {
            Content::Scalar { text, plain: true } => match text.as_str() {
                "true" => return Some(true),
                "false" => return Some(false),
                other => match other.to_ascii_lowercase().as_str() {
                    "yes" | "y" | "on" | "true" | "1" => Some("write true".to_owned()),
                    "no" | "n" | "off" | "false" | "0" => Some("write false".to_owned()),
                    _ => None,
                },
            },
            Content::Scalar { text, .. } if text == "true" || text == "false" => {
                Some("remove the quotes".to_owned())
            }
            _ => None,
        };
        self.wrong_type(node, field, "true or false", hint);
        None
    }

    /// A duration that may be zero.
    pub(super) fn duration(&mut self, node: &Node, field: &str) -> Option<Duration> {
        self.parsed(node, field, "a duration such as 30s", quantity::parse_duration)
    }

    /// A duration above zero.
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

    /// A whole number in a range.
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

    /// A list.
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

    /// A map.
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

impl Node {
    /// Nothing stands where a value should.
    pub(super) fn is_nothing(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if text.is_empty())
    }

    /// The word, when it is not quoted.
    pub(super) fn plain(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, plain: true } => Some(text),
            _ => None,
        }
    }

    /// What it is, for a message.
    pub(super) fn describe(&self) -> String {
        match &self.content {
            Content::Scalar { text, .. } if text.chars().count() <= 40 => {
                format!("`{}`", text.escape_debug())
            }
            Content::Scalar { .. } => "a long text".to_owned(),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a map".to_owned(),
            Content::Refused => "nothing".to_owned(),
        }
    }
}
