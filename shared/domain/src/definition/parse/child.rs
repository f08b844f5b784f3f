//! `uses: workflow`: which workflow a step runs, and with what.

use serde_json::{Map, Value};

use super::super::checker::Checker;
use super::super::document::{Content, Node};
use super::super::problem::Position;
use super::expression::{Names, OutputUse, read_template, read_templated, templated_of};
use super::fan::is_expression;
use super::fields::{Fields, Schema};
use super::json;
use super::synonyms;
use crate::ParamName;
use crate::child::read_name;
use crate::expression::Templated;

pub(in crate::definition) const WORKFLOW_INPUT: Schema = Schema {
    what: "`with` of workflow",
    known: &["name", "params", "wait"],
    later: &[],
    synonyms: synonyms::OF_CHILD,
};

/// The fields of a step that are about a task, which a run of another workflow is not. (`working_dir` goes with `run` only.)
pub(in crate::definition) const NOT_OF_CHILDREN: [&str; 4] = ["env", "pool", "timeout", "at_most_once"];

/// The most times that a workflow may be in itself.
pub(in crate::definition) const MAX_RECURSION: u32 = crate::child::MAX_DEPTH as u32;

pub(in crate::definition) const RECURSIVE: Schema =
    Schema { what: "`recursive`", known: &["max"], later: &[], synonyms: synonyms::OF_RECURSIVE };

/// What a step calls: its input, and the name of the workflow where that is no expression.
pub(super) struct ParsedCall {
    pub(super) with: Templated,
    /// Whether the step waits for the end of the run.
    pub(super) waits: bool,
    pub(super) calls: Option<(Position, Box<str>)>,
}

/// Reads what a step asks of another workflow.
pub(super) fn read_child(
    at: Position,
    with: Option<&Node>,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<ParsedCall> {
    let hint = || Some("write with: {name: load_day, params: {day: \"${{ params.day }}\"}}".to_owned());
    let Some(with) = with else {
        checker.problem(at, "missing-field", "`workflow` needs the `name` of one", hint());
        return None;
    };
    let fields = WORKFLOW_INPUT.read(with, checker)?;
    let Some(name) = fields.get("name") else {
        checker.problem(with.at, "missing-field", "`workflow` needs the `name` of one", hint());
        return None;
    };
    let template = read_template(name, "name", names, outputs, checker)?;
    let text = checker.text(name, "name")?.to_owned();
    let mut input = Map::new();
    let mut calls = None;
    if template.is_literal() {
        if let Err(why) = read_name(&text) {
            checker.problem(name.at, "bad-name", format!("`name`: {why}"), None);
            return None;
        }
        calls = Some((name.at, text.as_str().into()));
    }
    input.insert("name".to_owned(), Value::String(text));
    if let Some(params) = fields.get("params") {
        input.insert("params".to_owned(), read_params(params, names, outputs, checker)?);
    }
    let mut waits = true;
    if let Some(node) = fields.get("wait") {
        waits = checker.boolean(node, "wait")?;
        input.insert("wait".to_owned(), Value::Bool(waits));
    }
    let with = templated_of(Value::Object(input), with.at, checker)?;
    Some(ParsedCall { with, waits, calls })
}

/// Reads the params of a run: names and values, or an expression that gives them all.
fn read_params(
    node: &Node,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<Value> {
    match &node.content {
        Content::Map(entries) => {
            let mut is_sound = true;
            for (key, _) in entries {
                if let Err(error) = key.text.parse::<ParamName>() {
                    checker.problem(key.at, "bad-name", error.to_string(), None);
                    is_sound = false;
                }
            }
            json::check_numbers(node, checker);
            is_sound &= read_templated(node, names, outputs, checker).is_some();
            is_sound.then(|| json::of_node(node))
        }
        Content::Scalar { text, .. } if is_expression(text) => {
            read_templated(node, names, outputs, checker)?;
            Some(json::of_node(node))
        }
        _ => {
            let hint = Some("write params: {day: \"${{ params.day }}\"}".to_owned());
            checker.wrong_type(
                node,
                "params",
                "a map of names and values, or one expression that gives one",
                hint,
            );
            None
        }
    }
}

/// Reports the fields of a step that do not go with a run of another workflow.
pub(super) fn refuse_fields_of_tasks(fields: Fields<'_>, checker: &mut Checker) {
    for (key, _) in NOT_OF_CHILDREN.iter().filter_map(|name| fields.entry(name)) {
        let message =
            format!("`{}` does not go with `uses: workflow`, which makes no task of its own", key.text);
        let hint = format!("write `{}` in the workflow that is called", key.text);
        checker.problem(key.at, "bad-field", message, Some(hint));
    }
}

/// Reads `recursive: {max: 5}`: how often a workflow may be in itself.
pub(super) fn read_recursive(node: &Node, checker: &mut Checker) -> Option<u32> {
    let hint = || Some("write recursive: {max: 5}".to_owned());
    if matches!(node.plain(), Some("true" | "false")) {
        let message = "`recursive` needs a bound: how often the workflow may be in itself";
        checker.problem(node.at, "missing-field", message, hint());
        return None;
    }
    if !matches!(node.content, Content::Map(_)) {
        checker.wrong_type(node, "recursive", "a map with `max`", hint());
        return None;
    }
    let fields = RECURSIVE.read(node, checker)?;
    let Some(max) = fields.get("max") else {
        checker.problem(node.at, "missing-field", "`recursive` needs `max`", hint());
        return None;
    };
    checker.integer(max, "max", 1..=MAX_RECURSION)
}

/// Reports the steps that run their own workflow, where that is not said to be meant.
pub(super) fn refuse_recursion(
    own: &str,
    calls: &[(Position, Box<str>)],
    recursive: Option<u32>,
    checker: &mut Checker,
) {
    for (at, _) in calls.iter().filter(|(_, name)| recursive.is_none() && **name == *own) {
        let message = format!("workflow `{own}` would run itself without end");
        let hint = "write recursive: {max: 5} beside its name, and `if` where it ends".to_owned();
        checker.problem(*at, "recursion", message, Some(hint));
    }
}
