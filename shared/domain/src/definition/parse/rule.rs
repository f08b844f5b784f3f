//! When a step starts: `depends_on`, `trigger_rule`, `if`, `not_before`.

use super::super::checker::Checker;
use super::super::document::{Content, Node};
use super::super::problem::Position;
use super::expression::{Names, OutputUse, told};
use super::fields::Schema;
use super::synonyms;
use crate::TriggerRule;
use crate::expression::Condition;
use crate::rule::Status;
use crate::schedule::TimeOfDay;

/// The other word for `success`: that of an outcome.
pub(in crate::definition) const SUCCEEDED: &str = "succeeded";

pub(in crate::definition) const DEPENDENCY: Schema = Schema {
    what: "a dependency",
    known: &["step", "status"],
    later: &[],
    synonyms: synonyms::OF_DEPENDENCY,
};

/// A dependency that was read, and is not held against the steps yet.
pub(super) struct ParsedDependency {
    pub(super) name: Box<str>,
    pub(super) at: Position,
    pub(super) status: Status,
}

/// Reads a `depends_on:`.
pub(super) fn read_depends_on(node: &Node, checker: &mut Checker) -> Vec<ParsedDependency> {
    let hint = match &node.content {
        Content::Scalar { text, .. } if !node.is_nothing() => Some(format!("write [{text}]")),
        Content::Map(_) => Some("write a list: [{step: extract, status: failed}]".to_owned()),
        _ => None,
    };
    let items = checker.list(node, "depends_on", "step names", hint).unwrap_or_default();
    let mut dependencies = Vec::with_capacity(items.len());
    dependencies.extend(items.iter().filter_map(|item| read_dependency(item, checker)));
    dependencies
}

fn read_dependency(item: &Node, checker: &mut Checker) -> Option<ParsedDependency> {
    let Content::Map(entries) = &item.content else {
        let name = checker.text(item, "depends_on")?.into();
        return Some(ParsedDependency { name, at: item.at, status: Status::default() });
    };
    let fields = DEPENDENCY.read(item, checker)?;
    let status = fields.get("status").map_or(Some(Status::default()), |node| read_status(node, checker));
    let Some(step) = fields.get("step") else {
        // Another word for it was answered with this one.
        if entries.iter().all(|(key, _)| &*key.text == "status") {
            let hint = Some("write {step: extract, status: failed}".to_owned());
            checker.problem(item.at, "missing-field", "a dependency needs a `step`", hint);
        }
        return None;
    };
    let name = checker.text(step, "step")?.into();
    Some(ParsedDependency { name, at: step.at, status: status? })
}

fn read_status(node: &Node, checker: &mut Checker) -> Option<Status> {
    let text = checker.text(node, "status")?;
    let status = match text {
        SUCCEEDED => Some(Status::Success),
        _ => Status::ALL.into_iter().find(|status| status.as_str() == text),
    };
    if status.is_none() {
        let hint = match text {
            "always" | "any" | "all" | "done" | "completed" => Some("write finished".to_owned()),
            "failure" | "fail" | "error" | "timed_out" | "cancelled" => Some("write failed".to_owned()),
            "ok" | "succeed" | "successful" => Some("write success".to_owned()),
            _ => checker.did_you_mean(text, Status::ALL.map(Status::as_str)),
        };
        let all = Status::ALL.map(Status::as_str).join(", ");
        let message = format!("`status` must be one of {all}, found {}", node.describe());
        checker.problem(node.at, "bad-value", message, hint);
    }
    status
}

/// Reads a `trigger_rule:`.
pub(super) fn read_trigger_rule(node: &Node, checker: &mut Checker) -> Option<TriggerRule> {
    let text = checker.text(node, "trigger_rule")?;
    let rule = TriggerRule::ALL.into_iter().find(|rule| rule.as_str() == text);
    if rule.is_none() {
        let hint = match text {
            "all_done" | "always" | "dummy" => Some("write all_finished".to_owned()),
            "none_failed_min_one_success"
            | "none_failed_or_skipped"
            | "one_done"
            | "all_skipped"
            | "all_done_setup_success"
            | "all_done_min_one_success" => {
                Some("no rule says that: write a `status` for each dependency".to_owned())
            }
            _ => checker.did_you_mean(text, TriggerRule::ALL.map(TriggerRule::as_str)),
        };
        let all = TriggerRule::ALL.map(TriggerRule::as_str).join(", ");
        let message = format!("`trigger_rule` must be one of {all}, found {}", node.describe());
        checker.problem(node.at, "bad-value", message, hint);
    }
    rule
}

/// Reads an `if:`.
pub(super) fn read_condition(
    node: &Node,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<Condition> {
    let text = checker.text(node, "if")?;
    let condition = told(Condition::parse(text), node.at, checker)?;
    names.check(node.at, condition.uses(), outputs, checker);
    Some(condition)
}

/// Reads a `not_before:`.
pub(super) fn read_not_before(node: &Node, checker: &mut Checker) -> Option<TimeOfDay> {
    let text = checker.text(node, "not_before")?;
    let time = TimeOfDay::parse(text);
    time.map_err(|why| checker.problem(node.at, "bad-value", format!("`not_before`: {why}"), None)).ok()
}
