//! One entry of `steps:`. What steps are to each other is not looked at here.

use std::time::Duration;

use super::super::Step;
use super::super::checker::Checker;
use super::super::document::{Content, Key, Node};
use super::super::problem::Position;
use super::environment::read_env;
use super::executor::{SHELL, read_action};
use super::expression::{Names, OutputUse};
use super::fields::{NOT_SUPPORTED, Schema};
use super::retry::read_retry;
use super::synonyms;
use crate::{IdError, PoolName, RetryPolicy};

const MAX_DIR_BYTES: usize = 4096;

const STEP: Schema = Schema {
    what: "a step",
    known: &[
        "name",
        "depends_on",
        "run",
        "shell",
        "uses",
        "with",
        "env",
        "pool",
        "timeout",
        "retry",
        "working_dir",
        "at_most_once",
    ],
    later: &[
        "foreach",
        "if",
        "trigger_rule",
        "shards",
        "broadcast",
        "locks",
        "resources",
        "matrix",
        "repeat",
        "not_before",
        "continue_on_error",
        "outputs",
        "rate",
        "breaker",
        "worker_selector",
        "affinity",
        "isolation",
        "secrets",
        "preemptible",
        "checkpoint",
        "on_failure",
        "on_success",
        "on_finish",
    ],
    synonyms: synonyms::OF_STEP,
};

/// The defaults of steps, for what they do not say themselves.
#[derive(Default)]
pub(super) struct Defaults {
    pub(super) pool: PoolName,
    pub(super) timeout: Option<Duration>,
    pub(super) retry: RetryPolicy,
    pub(super) working_dir: Option<String>,
}

/// A step that was read, and is not held against the others yet.
pub(super) struct ParsedStep<'t> {
    pub(super) at: Position,
    /// The name as it was written, whether or not it is one.
    pub(super) name: Option<&'t str>,
    pub(super) depends_on: Vec<(&'t str, Position)>,
    pub(super) outputs: Vec<OutputUse>,
    /// The step; `None` when something is wrong with it.
    pub(super) step: Option<Step>,
}

/// Reads the step of `node`.
pub(super) fn read_step<'t>(
    node: &'t Node,
    defaults: &Defaults,
    names: Names<'_>,
    checker: &mut Checker,
) -> Option<ParsedStep<'t>> {
    let fields = STEP.read(node, checker)?;
    let mut outputs = Vec::new();
    let written = fields.get("name").map(|name| (name.at, checker.text(name, "name")));
    let (at, text) = written.unwrap_or((node.at, None));
    if written.is_none() {
        let hint = Some("write name: extract".to_owned());
        checker.problem(node.at, "missing-field", "a step needs a `name`", hint);
    }
    let name = text.and_then(|text| {
        text.parse().map_err(|error: IdError| checker.problem(at, "bad-name", error.to_string(), None)).ok()
    });
    let depends_on = fields.get("depends_on").map(|node| read_depends_on(node, checker)).unwrap_or_default();
    let action = read_action(fields, at, names, &mut outputs, checker);
    let env = fields.get("env").map(|node| read_env(node, names, &mut outputs, checker)).unwrap_or_default();
    let pool =
        fields.get("pool").map_or_else(|| Some(defaults.pool.clone()), |node| read_pool(node, checker));
    let timeout = match fields.get("timeout") {
        Some(node) => checker.positive_duration(node, "timeout"),
        None => defaults.timeout,
    };
    let retry = match fields.get("retry") {
        Some(node) => read_retry(node, &defaults.retry, checker),
        None => defaults.retry.clone(),
    };
    let at_most_once =
        fields.get("at_most_once").and_then(|node| checker.boolean(node, "at_most_once")).unwrap_or(false);
    let mut working_dir = defaults.working_dir.clone();
    if let Some((key, node)) = fields.entry("working_dir") {
        working_dir = read_working_dir(node, checker);
        if action.as_ref().is_some_and(|action| action.uses != SHELL) {
            checker.problem(key.at, "bad-field", "`working_dir` goes with `run` only", None);
        }
    }
    let step = match (name, action, pool) {
        (Some(name), Some(action), Some(pool)) => Some(Step {
            name,
            uses: action.uses.to_owned(),
            with: action.with,
            env,
            pool,
            timeout,
            retry,
            at_most_once,
            working_dir: working_dir.filter(|_| action.uses == SHELL),
        }),
        _ => None,
    };
    Some(ParsedStep { at, name: text, depends_on, outputs, step })
}

/// Reads a `pool:`.
pub(super) fn read_pool(node: &Node, checker: &mut Checker) -> Option<PoolName> {
    let text = checker.text(node, "pool")?;
    text.parse().map_err(|error: IdError| checker.problem(node.at, "bad-name", error.to_string(), None)).ok()
}

/// Reads a `working_dir:`.
pub(super) fn read_working_dir(node: &Node, checker: &mut Checker) -> Option<String> {
    let text = checker.text(node, "working_dir")?;
    if text.is_empty() || text.len() > MAX_DIR_BYTES || text.contains('\0') || text.contains("${{") {
        let message = format!(
            "`working_dir` must be a path of at most {MAX_DIR_BYTES} bytes, without NUL bytes and expressions"
        );
        checker.problem(node.at, "bad-value", message, None);
        return None;
    }
    Some(text.to_owned())
}

fn read_depends_on<'t>(node: &'t Node, checker: &mut Checker) -> Vec<(&'t str, Position)> {
    let hint = match &node.content {
        Content::Scalar { text, .. } if !node.is_nothing() => Some(format!("write [{text}]")),
        _ => None,
    };
    let mut names = Vec::new();
    for item in checker.list(node, "depends_on", "step names", hint).unwrap_or_default() {
        if let Content::Map(entries) = &item.content {
            read_condition(item, entries, checker);
        } else if let Some(name) = checker.text(item, "depends_on") {
            names.push((name, item.at));
        }
    }
    names
}

/// Reads a dependency that is a map. That the step has succeeded is what a name alone says.
fn read_condition(node: &Node, entries: &[(Key, Node)], checker: &mut Checker) {
    let text =
        |field: &str| entries.iter().find(|(key, _)| key.text == field).and_then(|(_, node)| node.plain());
    let name = ["step", "task", "name", "job"].into_iter().find_map(text);
    match (name, text("status").or_else(|| text("condition"))) {
        (Some(name), None | Some("success" | "succeeded")) => {
            let message = "`depends_on` is a list of names: a step starts when those have succeeded";
            checker.problem(node.at, "wrong-type", message, Some(format!("write {name}")));
        }
        _ => {
            let message = "`depends_on` with a status is not supported yet";
            let hint = "write the name of the step alone".to_owned();
            checker.problem(node.at, NOT_SUPPORTED, message, Some(hint));
        }
    }
}
