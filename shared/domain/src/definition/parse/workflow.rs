//! One document: the fields of a workflow.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::checker::Checker;
use super::super::document::Node;
use super::super::{MAX_ACTIONS, Places, Workflow};
use super::child::{read_recursive, refuse_recursion};
use super::concurrency::read_concurrency;
use super::environment::read_env;
use super::expression::{Names, Place};
use super::fields::{NOT_SUPPORTED, Schema};
use super::param::read_params;
use super::retry::read_retry;
use super::schedule::{read_schedules, read_zone};
use super::step::{Defaults, read_pool, read_working_dir};
use super::steps::{ParsedSteps, read_steps};
use super::synonyms;
use crate::expression::Template;
use crate::schedule::Zone;
use crate::{IdError, Priority, TriggerRule, WorkflowName};

pub(in crate::definition) const MAX_LABELS: usize = 64;
pub(in crate::definition) const MAX_LABEL_BYTES: usize = 256;

pub(in crate::definition) const WORKFLOW: Schema = Schema {
    what: "a workflow",
    known: &[
        "name",
        "description",
        "labels",
        "schedule",
        "timezone",
        "catchup",
        "timeout",
        "priority",
        "params",
        "env",
        "defaults",
        "steps",
        "outputs",
        "concurrency",
        "recursive",
        "on_success",
        "on_failure",
        "on_finish",
    ],
    later: &[
        "namespace",
        "triggers",
        "deadline",
        "calendar",
        "catchup_window",
        "dst_gap",
        "dst_fold",
        "template",
        "alerts",
    ],
    synonyms: synonyms::OF_WORKFLOW,
};

pub(in crate::definition) const DEFAULTS: Schema = Schema {
    what: "defaults",
    known: &["pool", "timeout", "retry", "env", "working_dir"],
    later: &[],
    synonyms: synonyms::OF_DEFAULTS,
};

/// Reads the workflow of a document, unless something is wrong with it.
pub(super) fn read_workflow(root: &mut Node, checker: &mut Checker) -> Option<Workflow> {
    let steps = root.take("steps");
    let root = &*root;
    let fields = WORKFLOW.read(root, checker)?;
    let name = match fields.get("name") {
        Some(node) => read_name(node, checker),
        None => {
            let hint = Some("write name: daily_sales".to_owned());
            checker.problem(root.at, "missing-field", "a workflow needs a `name`", hint);
            None
        }
    };
    let description =
        fields.get("description").and_then(|node| checker.text(node, "description")).map(str::to_owned);
    let labels = fields.get("labels").map(|node| read_labels(node, checker)).unwrap_or_default();
    let zone = fields.get("timezone").and_then(|node| read_zone(node, checker)).unwrap_or_else(Zone::utc);
    let schedules =
        fields.get("schedule").map(|node| read_schedules(node, &zone, checker)).unwrap_or_default();
    if let Some(node) = fields.get("catchup") {
        read_catchup(node, checker);
    }
    let timeout = fields.get("timeout").and_then(|node| checker.positive_duration(node, "timeout"));
    let priority = fields.get("priority").and_then(|node| read_priority(node, checker)).unwrap_or_default();
    let params = fields.get("params").map(|node| read_params(node, checker)).unwrap_or_default();
    if let (Some((key, _)), Some(param)) =
        (fields.entry("schedule"), params.iter().find(|p| p.default.is_none()))
    {
        let message = format!("scheduled runs cannot start: param `{}` has no default", param.name);
        checker.problem(key.at, "param-without-default", message, Some("give it a default".to_owned()));
    }
    let names = Names { params: &params, place: Place::Workflow };
    let mut env =
        fields.get("env").map(|node| read_env(node, names, &mut Vec::new(), checker)).unwrap_or_default();
    let concurrency = fields.get("concurrency").and_then(|node| read_concurrency(node, names, checker));
    let mut defaults = Defaults::default();
    if let Some(node) = fields.get("defaults") {
        let own = read_defaults(node, &mut defaults, names, checker);
        env.retain(|(name, _)| !own.iter().any(|(own, _)| own == name));
        env.extend(own);
    }
    let Some(steps) = steps else {
        let hint = Some("write steps: and under it - {name: extract, run: ...}".to_owned());
        checker.problem(root.at, "missing-field", "a workflow needs `steps`", hint);
        return None;
    };
    let names = Names { params: &params, place: Place::Step };
    let recursive = fields.get("recursive").map(|node| read_recursive(node, checker).unwrap_or(1));
    let ParsedSteps { steps, graph, outputs, calls } = read_steps(steps, root, &defaults, names, checker)?;
    if let Some(name) = &name {
        refuse_recursion(name.as_str(), &calls, recursive, checker);
    }
    let run_hooks = steps.iter().filter(|step| step.is_run_hook()).count() as u32;
    let fans_out = steps.iter().any(|step| step.fan.is_some());
    let success_only = !graph.has_statuses() && steps.iter().all(|step| step.rule == TriggerRule::default());
    Some(Workflow {
        id: name?.into(),
        description,
        labels,
        schedules,
        timezone: zone.time_zone().clone(),
        timeout,
        priority,
        params,
        env,
        steps,
        outputs: outputs.map(Box::new),
        graph,
        success_only,
        run_hooks,
        fans_out,
        places: Places::default(),
        concurrency: concurrency.map(Box::new),
        recursive: recursive.unwrap_or_default(),
        max_actions: MAX_ACTIONS,
    })
}

fn read_name(node: &Node, checker: &mut Checker) -> Option<WorkflowName> {
    let text = checker.text(node, "name")?;
    match text.parse::<WorkflowName>() {
        Ok(name) if name.as_str() == WorkflowName::ADHOC => {
            let message = "the name `adhoc` is taken: it is what tasks without a definition are called";
            checker.problem(node.at, "bad-name", message, Some("choose another name".to_owned()));
            None
        }
        Ok(name) => Some(name),
        Err(IdError(message)) => {
            let fixed = text.to_lowercase().replace([' ', '.'], "_");
            let hint = fixed.parse::<WorkflowName>().is_ok().then(|| format!("write {fixed}"));
            checker.problem(node.at, "bad-name", message, hint);
            None
        }
    }
}

fn read_labels(node: &Node, checker: &mut Checker) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let entries = checker.map(node, "labels", "names and texts").unwrap_or_default();
    if entries.len() > MAX_LABELS {
        let message = format!("{} labels: expected at most {MAX_LABELS}", entries.len());
        checker.problem(node.at, "out-of-range", message, None);
        return labels;
    }
    for (key, value) in entries {
        let Some(text) = checker.text(value, &key.text) else { continue };
        if key.text.len() > MAX_LABEL_BYTES || text.len() > MAX_LABEL_BYTES {
            let message =
                format!("a label is too long: expected at most {MAX_LABEL_BYTES} bytes for name and value");
            checker.problem(key.at, "out-of-range", message, None);
            continue;
        }
        labels.insert(key.text.to_string(), text.to_owned());
    }
    labels
}

fn read_catchup(node: &Node, checker: &mut Checker) {
    match checker.text(node, "catchup") {
        Some("none") | None => {}
        Some(policy @ ("latest" | "all")) => {
            let message = format!("`catchup: {policy}` is not supported yet");
            checker.problem(node.at, NOT_SUPPORTED, message, Some("write none, or remove it".to_owned()));
        }
        Some(_) => {
            let message = format!("`catchup` must be none, found {}", node.describe());
            checker.problem(node.at, "bad-value", message, None);
        }
    }
}

fn read_priority(node: &Node, checker: &mut Checker) -> Option<Priority> {
    let text = checker.text(node, "priority")?;
    match text.parse() {
        Ok(priority) => Some(priority),
        Err(error) => {
            let error: crate::priority::PriorityError = error;
            checker.problem(node.at, "bad-priority", error.to_string(), None);
            None
        }
    }
}

/// Reads `defaults`: answers the environment that it sets; the rest goes into `defaults`.
fn read_defaults(
    node: &Node,
    defaults: &mut Defaults,
    names: Names<'_>,
    checker: &mut Checker,
) -> Vec<(String, Template)> {
    let Some(fields) = DEFAULTS.read(node, checker) else { return Vec::new() };
    if let Some(pool) = fields.get("pool").and_then(|node| read_pool(node, checker)) {
        defaults.pool = pool;
    }
    defaults.timeout = fields.get("timeout").and_then(|node| checker.positive_duration(node, "timeout"));
    if let Some(node) = fields.get("retry") {
        defaults.retry = Arc::new(read_retry(node, &defaults.retry, checker));
    }
    defaults.working_dir = fields.get("working_dir").and_then(|node| read_working_dir(node, checker));
    fields.get("env").map(|node| read_env(node, names, &mut Vec::new(), checker)).unwrap_or_default()
}
