//! What a step does, once it is read.

use super::super::Question;
use super::super::checker::Checker;
use super::super::problem::Position;
use crate::expression::Templated;

/// The action of a step: what it does.
pub(super) struct Action {
    pub(super) uses: &'static str,
    pub(super) with: Templated,
    /// The outputs that it gives; `None` where that cannot be told.
    pub(super) gives: Option<&'static [&'static str]>,
    /// The workflow that it runs, where that is no expression.
    pub(super) calls: Option<(Position, Box<str>)>,
    /// What it asks people.
    pub(super) question: Option<Box<Question>>,
}

impl Action {
    pub(super) fn new(uses: &'static str, with: Templated, gives: Option<&'static [&'static str]>) -> Self {
        Self { uses, with, gives, calls: None, question: None }
    }
}

/// Reports a field that an executor needs.
pub(super) fn missing(at: Position, executor: &str, field: &str, checker: &mut Checker) -> Option<Action> {
    let message = format!("`{executor}` needs `{field}`");
    checker.problem(at, "missing-field", message, Some(format!("write with: {{{field}: ...}}")));
    None
}
