//! What a step does: `run`, or `uses` and `with`. What an executor then does with its input is the worker's.

use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

use super::super::checker::Checker;
use super::super::document::{Content, Node};
use super::super::problem::Position;
use super::action::{Action, missing};
use super::child::{ParsedCall, read_child};
use super::expression::{Names, OutputUse, read_templated, templated_of};
use super::fields::{Fields, NOT_SUPPORTED, Schema, not_supported};
use super::json;
use super::people::{read_approval, read_input};
use super::shell::{SHELL, SHELL_INPUT, read_shell};
use super::synonyms::{self, Synonyms, meant};
use super::wait::read_wait;
use crate::child::WORKFLOW;
use crate::expression::Templated;
use crate::people::{APPROVAL, INPUT};
use crate::wait::WAIT;

/// The name of the executor that makes a request.
pub(in crate::definition) const HTTP: &str = "http";

/// The name of the executor that does nothing.
pub(in crate::definition) const NOOP: &str = "noop";

pub(in crate::definition) const EXECUTORS: [&str; 7] = [SHELL, HTTP, NOOP, WAIT, WORKFLOW, APPROVAL, INPUT];
const LATER_EXECUTORS: [&str; 5] = ["docker", "kubernetes", "sql", "handler", "email"];

/// What others call an executor.
const OF_EXECUTORS: Synonyms = &[
    (
        &[
            "manual",
            "manualapproval",
            "manualvalidation",
            "approve",
            "approvaltask",
            "gate",
            "human",
            "review",
            "signoff",
            "pause",
            "suspend",
        ],
        "write uses: approval",
    ),
    (&["form", "prompt", "userinput", "humaninput", "usertask", "entry"], "write uses: input"),
    (&["sleep", "delay", "timer"], "write uses: wait"),
    (&["subworkflow", "subflow", "subdag", "callworkflow", "triggerdagrun", "flow"], "write uses: workflow"),
    (&["bash", "sh", "script", "command"], "write run: <a shell command>"),
];

pub(in crate::definition) const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// The statuses that an `http` step may expect.
pub(in crate::definition) const STATUSES: RangeInclusive<u32> = 100..=599;

/// The values of `redirects` of an `http` step. Without it, all are followed that leave the method as it is.
pub(in crate::definition) const REDIRECTS: [&str; 2] = ["follow", "none"];

pub(in crate::definition) const HTTP_INPUT: Schema = Schema {
    what: "`with` of http",
    known: &["url", "method", "headers", "body", "expect", "redirects"],
    later: &[],
    synonyms: synonyms::OF_HTTP,
};

pub(in crate::definition) const NOOP_INPUT: Schema =
    Schema { what: "`with` of noop", known: &[], later: &[], synonyms: &[] };

/// What a request gives.
const OF_HTTP: [&str; 3] = ["status", "body", "truncated"];

/// What a step gives that starts a run and does not wait for its end.
const OF_STARTED: [&str; 1] = ["run_id"];

/// Reads the action of a step. A missing one, and two, are reported at `at`.
pub(super) fn read_action(
    fields: Fields<'_>,
    at: Position,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<Action> {
    let (run, uses) = (fields.get("run"), fields.entry("uses"));
    if run.is_none() {
        if let Some((key, _)) = fields.entry("shell") {
            checker.problem(key.at, "bad-field", "`shell` goes with `run` only", None);
        }
    } else if let Some((key, _)) = fields.entry("with") {
        checker.problem(key.at, "bad-field", "`with` goes with `uses` only", None);
    }
    match (run, uses) {
        (Some(run), None) => read_shell(Some(run), fields.get("shell"), at, checker),
        (None, Some((_, uses))) => read_executor(uses, fields.get("with"), Some(names), outputs, checker),
        (Some(_), Some((key, _))) => {
            checker.problem(
                key.at,
                "one-of-run-uses",
                "a step needs either `run` or `uses`, found both",
                None,
            );
            None
        }
        (None, None) => {
            let hint = Some("write run: <a shell command>".to_owned());
            checker.problem(
                at,
                "one-of-run-uses",
                "a step needs either `run` or `uses`, found neither",
                hint,
            );
            None
        }
    }
}

/// Reads an action that a client wrote as JSON, in which nothing is an expression.
///
/// # Errors
/// The code of the first thing that is wrong, and all of them in one text.
pub(crate) fn action_of_json(
    uses: &str,
    with: Option<&Value>,
) -> Result<(&'static str, Templated), (&'static str, String)> {
    let mut checker = Checker::default();
    let uses = json::to_node(&Value::from(uses));
    let with = with.map(json::to_node);
    match read_executor(&uses, with.as_ref(), None, &mut Vec::new(), &mut checker) {
        Some(action) if checker.is_clean() => Ok((action.uses, action.with)),
        _ => Err(checker.into_text()),
    }
}

/// Reads the executor and its input. Without `names`, nothing is an expression.
fn read_executor(
    uses: &Node,
    with: Option<&Node>,
    names: Option<Names<'_>>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<Action> {
    let name = checker.text(uses, "uses")?;
    match name {
        SHELL => {
            let Some(with) = with else {
                return missing(uses.at, "shell", "run", checker);
            };
            let fields = SHELL_INPUT.read(with, checker)?;
            read_shell(fields.get("run"), fields.get("shell"), with.at, checker)
        }
        HTTP => read_http(uses.at, with, names, outputs, checker),
        NOOP => {
            if let Some(with) = with {
                NOOP_INPUT.read(with, checker)?;
            }
            Some(Action::new(NOOP, Templated::literal(json!({})), Some(&[])))
        }
        WAIT => match names {
            Some(_) if with.is_none() => {
                let hint = Some("write with: {for: 10m}, or with: {until: \"08:00\"}".to_owned());
                checker.problem(uses.at, "missing-field", "`wait` needs `for` or `until`", hint);
                None
            }
            Some(names) => {
                let with = read_wait(uses.at, with, names, outputs, checker)?;
                Some(Action::new(WAIT, with, None))
            }
            None => {
                let hint = Some("write `delay` for a task that is to start later".to_owned());
                checker.problem(uses.at, "bad-value", "`wait` is for the steps of a workflow", hint);
                None
            }
        },
        WORKFLOW => match names {
            Some(names) => {
                let ParsedCall { with, waits, calls } = read_child(uses.at, with, names, outputs, checker)?;
                let gives: Option<&[&str]> = if waits { None } else { Some(&OF_STARTED) };
                Some(Action { calls, ..Action::new(WORKFLOW, with, gives) })
            }
            None => {
                let hint = Some("write `workflow` beside `params`".to_owned());
                checker.problem(
                    uses.at,
                    "bad-value",
                    "`uses: workflow` is for the steps of a workflow",
                    hint,
                );
                None
            }
        },
        APPROVAL | INPUT => match names {
            Some(names) if name == APPROVAL => read_approval(with, names, outputs, checker),
            Some(names) => read_input(uses.at, with, names, outputs, checker),
            None => {
                let message = format!("`uses: {name}` is for the steps of a workflow");
                let hint = Some("write a workflow with such a step".to_owned());
                checker.problem(uses.at, "bad-value", message, hint);
                None
            }
        },
        _ if LATER_EXECUTORS.contains(&name) => {
            checker.problem(uses.at, NOT_SUPPORTED, not_supported(&format!("uses: {name}")), None);
            None
        }
        _ => {
            let hint = meant(OF_EXECUTORS, name).map(str::to_owned);
            let hint = hint.or_else(|| checker.did_you_mean(name, EXECUTORS));
            let message =
                format!("unknown executor {}: expected one of {}", uses.describe(), EXECUTORS.join(", "));
            checker.problem(uses.at, "unknown-executor", message, hint);
            None
        }
    }
}

fn read_http(
    at: Position,
    with: Option<&Node>,
    names: Option<Names<'_>>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<Action> {
    let Some(with) = with else { return missing(at, "http", "url", checker) };
    let fields = HTTP_INPUT.read(with, checker)?;
    // Every text is checked where it stands; the input is then put together from its parts.
    let sound = names.is_none_or(|names| read_templated(with, names, outputs, checker).is_some());
    let mut input = Map::new();
    match fields.get("url") {
        Some(node) => {
            let url = checker.text(node, "url")?;
            let templated = names.is_some() && url.starts_with("${{");
            if !templated && !["http://", "https://"].iter().any(|start| url.starts_with(start)) {
                let hint = Some("write https://host/path".to_owned());
                let message = format!("`url` must begin with http:// or https://, found {}", node.describe());
                checker.problem(node.at, "bad-value", message, hint);
            }
            input.insert("url".to_owned(), Value::String(url.to_owned()));
        }
        None => {
            missing(with.at, "http", "url", checker);
        }
    }
    if let Some(node) = fields.get("method") {
        let method = checker.text(node, "method")?;
        if METHODS.contains(&method) {
            input.insert("method".to_owned(), Value::String(method.to_owned()));
        } else {
            let upper = method.to_ascii_uppercase();
            let hint = METHODS.contains(&upper.as_str()).then(|| format!("write {upper}"));
            let message =
                format!("`method` must be one of {}, found {}", METHODS.join(", "), node.describe());
            checker.problem(node.at, "bad-value", message, hint);
        }
    }
    if let Some(node) = fields.get("headers") {
        let mut headers = Map::new();
        for (key, value) in checker.map(node, "headers", "names and values")? {
            let text = checker.text(value, &key.text)?;
            headers.insert(key.text.to_string(), Value::String(text.to_owned()));
        }
        input.insert("headers".to_owned(), Value::Object(headers));
    }
    if let Some(node) = fields.get("body") {
        json::check_numbers(node, checker);
        input.insert("body".to_owned(), json::of_node(node));
    }
    if let Some(node) = fields.get("redirects") {
        let word = checker.text(node, "redirects")?;
        if REDIRECTS.contains(&word) {
            input.insert("redirects".to_owned(), Value::String(word.to_owned()));
        } else {
            let hint = checker.did_you_mean(word, REDIRECTS);
            let message = format!("`redirects` must be follow or none, found {}", node.describe());
            checker.problem(node.at, "bad-value", message, hint);
        }
    }
    if let Some(node) = fields.get("expect") {
        input.insert("expect".to_owned(), read_expect(node, checker)?);
    }
    let input = Value::Object(input);
    let input = match names {
        Some(_) if !sound => return None,
        Some(_) => templated_of(input, with.at, checker)?,
        None => Templated::literal(input),
    };
    Some(Action::new(HTTP, input, Some(&OF_HTTP)))
}

/// Reads a status, or a list of them: always a list in the end.
fn read_expect(node: &Node, checker: &mut Checker) -> Option<Value> {
    let items = match &node.content {
        Content::List(items) => items,
        _ => std::slice::from_ref(node),
    };
    let statuses: Option<Vec<Value>> =
        items.iter().map(|item| checker.integer(item, "expect", STATUSES).map(Value::from)).collect();
    if items.is_empty() {
        checker.problem(node.at, "bad-value", "`expect` is empty: expected a status, such as 200", None);
    }
    statuses.map(Value::Array)
}
