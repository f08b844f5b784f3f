//! One entry of `steps:`. What steps are to each other is not looked at here.

use std::sync::Arc;
use std::time::Duration;

use super::super::DeclaredOutput;
use super::super::Step;
use super::super::checker::Checker;
use super::super::document::Node;
use super::super::problem::Position;
use super::environment::read_env;
use super::executor::read_action;
use super::expression::{Names, OutputUse, Place};
use super::fan::read_fan;
use super::fields::{Fields, Schema};
use super::locks::read_locks;
use super::outputs::{read_outputs, refuse_never_given};
use super::rate::read_rate;
use super::repeat::read_repeat;
use super::retry::read_retry;
use super::rule::{ParsedDependency, read_condition, read_depends_on, read_not_before, read_trigger_rule};
use super::shell::SHELL;
use super::synonyms;
use super::{child, people, wait};
use crate::child::WORKFLOW;
use crate::expression::Condition;
use crate::people::{APPROVAL, INPUT};
use crate::schedule::TimeOfDay;
use crate::wait::WAIT;
use crate::{Hook, IdError, PoolName, RetryPolicy, TriggerRule, When};

pub(in crate::definition) const MAX_DIR_BYTES: usize = 4096;

pub(in crate::definition) const STEP: Schema = Schema {
    what: "a step",
    known: &[
        "name",
        "depends_on",
        "trigger_rule",
        "if",
        "not_before",
        "continue_on_error",
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
        "foreach",
        "matrix",
        "shards",
        "repeat",
        "on_success",
        "on_failure",
        "on_finish",
        "outputs",
        "locks",
        "rate",
    ],
    later: &[
        "broadcast",
        "resources",
        "breaker",
        "worker_selector",
        "affinity",
        "isolation",
        "secrets",
        "preemptible",
        "checkpoint",
    ],
    synonyms: synonyms::OF_STEP,
};

/// The defaults of steps, for what they do not say themselves.
pub(super) struct Defaults {
    pub(super) pool: PoolName,
    pub(super) timeout: Option<Duration>,
    pub(super) retry: Arc<RetryPolicy>,
    pub(super) working_dir: Option<Arc<str>>,
}

impl ParsedStep {
    /// The name as it was written, and nothing where none was.
    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            pool: PoolName::default(),
            timeout: None,
            retry: RetryPolicy::shared_default(),
            working_dir: None,
        }
    }
}

/// What was read of a step and is to be held against the other steps. The step itself is kept apart: it is what stays. What
/// it was read from is gone by then, since there may be 100,000 of them.
pub(super) struct ParsedStep {
    pub(super) at: Position,
    /// The name as it was written, whether or not it is one.
    pub(super) name: Option<Box<str>>,
    pub(super) depends_on: Vec<ParsedDependency>,
    pub(super) rule: TriggerRule,
    /// Where its rule was written.
    pub(super) rule_at: Option<Position>,
    /// Whether the step starts on a condition only.
    pub(super) is_conditional: bool,
    pub(super) continue_on_error: bool,
    /// What the step is the hook of, once all steps are read.
    pub(super) hook: Option<Hook>,
    pub(super) outputs: Vec<OutputUse>,
    /// How many of the outputs are used before the step has a task: by its condition, and the list of its items.
    pub(super) of_start: usize,
    /// The outputs that the step declares.
    pub(super) declared: Box<[DeclaredOutput]>,
    /// Whether the step has items.
    pub(super) fans_out: bool,
    /// The workflow that the step runs, where that is no expression.
    pub(super) calls: Option<(Position, Box<str>)>,
}

/// Reads the step of `node`; there is no [`Step`] when something is wrong with it.
pub(super) fn read_step(
    node: &Node,
    defaults: &Defaults,
    names: Names<'_>,
    checker: &mut Checker,
) -> Option<(ParsedStep, Option<Step>)> {
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
    let starts = read_start(fields, names, &mut outputs, checker);
    let fan = read_fan(fields, names, &mut outputs, checker);
    let fans_out = fan.is_some();
    let of_start = outputs.len();
    let names = if fans_out { Names { place: Place::Item, ..names } } else { names };
    let mut action = read_action(fields, at, names, &mut outputs, checker);
    let question = action.as_mut().and_then(|action| action.question.take());
    let declared = match &question {
        Some(question) => question.outputs(),
        None => fields.get("outputs").map(|node| read_outputs(node, checker)).unwrap_or_default(),
    };
    let env = fields.get("env").map(|node| read_env(node, names, &mut outputs, checker)).unwrap_or_default();
    let pool =
        fields.get("pool").map_or_else(|| Some(defaults.pool.clone()), |node| read_pool(node, checker));
    let locks = fields.get("locks").map(|node| read_locks(node, names, &mut outputs, checker));
    let rate = fields.get("rate").and_then(|node| read_rate(node, names, &mut outputs, checker));
    let timeout = match fields.get("timeout") {
        Some(node) => checker.positive_duration(node, "timeout"),
        None => defaults.timeout,
    };
    let retry = match fields.get("retry") {
        Some(node) => Arc::new(read_retry(node, &defaults.retry, checker)),
        None => Arc::clone(&defaults.retry),
    };
    let repeat = fields
        .get("repeat")
        .and_then(|node| read_repeat(node, text.unwrap_or_default(), names, &mut outputs, checker));
    let at_most_once =
        fields.get("at_most_once").and_then(|node| checker.boolean(node, "at_most_once")).unwrap_or(false);
    let mut working_dir = defaults.working_dir.clone();
    if let Some((key, node)) = fields.entry("working_dir") {
        working_dir = read_working_dir(node, checker);
        if action.as_ref().is_some_and(|action| action.uses != SHELL) {
            checker.problem(key.at, "bad-field", "`working_dir` goes with `run` only", None);
        }
    }
    if let Some(action) = &action {
        match action.uses {
            WAIT => wait::refuse_fields_of_tasks(fields, checker),
            WORKFLOW => child::refuse_fields_of_tasks(fields, checker),
            APPROVAL | INPUT => people::refuse_fields_of_tasks(action.uses, fields, checker),
            _ => {}
        }
        if let Some(given) = action.gives {
            refuse_never_given(action.uses, given, fields, checker);
        }
    }
    let continue_on_error = fields
        .get("continue_on_error")
        .and_then(|node| checker.boolean(node, "continue_on_error"))
        .unwrap_or(false);
    let parsed = ParsedStep {
        at,
        name: text.map(Box::from),
        depends_on,
        rule: starts.rule,
        rule_at: starts.rule_at,
        is_conditional: starts.condition.is_some(),
        continue_on_error,
        hook: None,
        outputs,
        of_start,
        declared,
        fans_out,
        calls: action.as_mut().and_then(|action| action.calls.take()),
    };
    let step = match (name, action, pool) {
        (Some(name), Some(action), Some(pool)) => Some(Step {
            name,
            uses: action.uses,
            with: action.with,
            question,
            hook: None,
            fan: fan.flatten(),
            repeat: repeat.map(Box::new),
            inputs: Box::default(),
            task_inputs: Box::default(),
            outputs: Box::default(),
            env,
            pool,
            timeout,
            retry,
            at_most_once,
            working_dir: working_dir.filter(|_| action.uses == SHELL),
            rule: starts.rule,
            condition: starts.condition,
            locks: locks.unwrap_or_default(),
            rate: rate.map(Box::new),
            not_before: starts.not_before,
            continue_on_error,
        }),
        _ => None,
    };
    Some((parsed, step))
}

/// The fields of a step, or of a workflow, that hold its hooks.
pub(super) fn hooks_of(node: &Node) -> Vec<(When, &Node)> {
    When::ALL.into_iter().filter_map(|when| Some((when, node.get(when.as_str())?))).collect()
}

/// Reads a `pool:`.
pub(super) fn read_pool(node: &Node, checker: &mut Checker) -> Option<PoolName> {
    let text = checker.text(node, "pool")?;
    text.parse().map_err(|error: IdError| checker.problem(node.at, "bad-name", error.to_string(), None)).ok()
}

/// Reads a `working_dir:`.
pub(super) fn read_working_dir(node: &Node, checker: &mut Checker) -> Option<Arc<str>> {
    let text = checker.text(node, "working_dir")?;
    if text.is_empty() || text.len() > MAX_DIR_BYTES || text.contains('\0') || text.contains("${{") {
        let message = format!(
            "`working_dir` must be a path of at most {MAX_DIR_BYTES} bytes, without NUL bytes and expressions"
        );
        checker.problem(node.at, "bad-value", message, None);
        return None;
    }
    Some(text.into())
}

/// When a step starts, once what it waits for has ended.
#[derive(Default)]
struct Start {
    rule: TriggerRule,
    /// Where the rule was written.
    rule_at: Option<Position>,
    condition: Option<Box<Condition>>,
    not_before: Option<TimeOfDay>,
}

fn read_start(
    fields: Fields<'_>,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Start {
    let mut start = Start::default();
    if let Some(node) = fields.get("trigger_rule")
        && let Some(rule) = read_trigger_rule(node, checker)
    {
        start.rule_at = Some(node.at);
        start.rule = rule;
    }
    let condition = fields.get("if").and_then(|node| read_condition(node, names, outputs, checker));
    start.condition = condition.map(Box::new);
    start.not_before = fields.get("not_before").and_then(|node| read_not_before(node, checker));
    start
}
