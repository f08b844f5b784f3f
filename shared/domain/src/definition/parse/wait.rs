//! `uses: wait`: time that passes without a worker.

use serde_json::{Map, Value};

use super::super::checker::Checker;
use super::super::document::Node;
use super::super::problem::Position;
use super::expression::{Names, OutputUse, read_template, templated_of};
use super::fields::{Fields, Schema};
use crate::expression::Templated;
use crate::wait;

pub(in crate::definition) const WAIT_INPUT: Schema =
    Schema { what: "`with` of wait", known: &["for", "until"], later: &[], synonyms: &[] };

/// The fields of a step that are about a task, which a wait does not make.
pub(in crate::definition) const OF_TASKS: [&str; 13] = [
    "env",
    "pool",
    "timeout",
    "retry",
    "repeat",
    "at_most_once",
    "working_dir",
    "foreach",
    "matrix",
    "shards",
    "outputs",
    "locks",
    "rate",
];

/// Reads what a `wait` waits for.
pub(super) fn read_wait(
    at: Position,
    with: Option<&Node>,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<Templated> {
    let fields = WAIT_INPUT.read(with?, checker)?;
    let (field, node) = match (fields.get("for"), fields.get("until")) {
        (Some(node), None) => ("for", node),
        (None, Some(node)) => ("until", node),
        (found, _) => {
            let found = if found.is_some() { "found both" } else { "found neither" };
            let hint = Some("write with: {for: 10m}".to_owned());
            let message = format!("`wait` needs either `for` or `until`, {found}");
            checker.problem(at, "missing-field", message, hint);
            return None;
        }
    };
    let template = read_template(node, field, names, outputs, checker)?;
    let text = checker.text(node, field)?.to_owned();
    if template.is_literal()
        && let Err(why) = wait::check(field, &text)
    {
        checker.problem(node.at, "bad-value", format!("`{field}`: {why}"), None);
        return None;
    }
    let input = Map::from_iter([(field.to_owned(), Value::String(text))]);
    templated_of(Value::Object(input), node.at, checker)
}

/// Reports the fields of a step that do not go with a wait.
pub(super) fn refuse_fields_of_tasks(fields: Fields<'_>, checker: &mut Checker) {
    for (key, _) in OF_TASKS.iter().filter_map(|name| fields.entry(name)) {
        let message = format!("`{}` does not go with `uses: wait`, which makes no task", key.text);
        checker.problem(key.at, "bad-field", message, Some("remove it".to_owned()));
    }
}
