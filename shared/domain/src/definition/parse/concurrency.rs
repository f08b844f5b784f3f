//! `concurrency:`: how many runs of a workflow may be under way at a time, and what becomes of one more.

use super::super::Concurrency;
use super::super::checker::Checker;
use super::super::document::{Content, Node};
use super::expression::{Names, read_template};
use super::fields::{Fields, Schema};
use crate::expression::Template;
use crate::lock::{AtLimit, MAX_SLOTS, OnFull};

pub(in crate::definition) const CONCURRENCY: Schema = Schema {
    what: "`concurrency`",
    known: &["limit", "key", "policy", "max_queued", "on_full"],
    later: &[],
    synonyms: &[
        (
            &["max", "maxruns", "count", "slots", "maxactiveruns", "parallelism", "maxconcurrency", "size"],
            "write limit: 3",
        ),
        (&["group", "by", "keys", "per", "expression", "partitionby"], "write key: ${{ params.region }}"),
        (&["cancelinprogress", "cancelrunning"], "write policy: replace"),
        (&["strategy", "limitstrategy", "mode", "onlimit", "onconflict", "behavior"], "write policy: queue"),
        (
            &["queue", "queuesize", "maxqueue", "maxqueuesize", "queuelimit", "maxpending", "maxwaiting"],
            "write max_queued: 100",
        ),
        (&["overflow", "whenfull", "onoverflow", "onqueuefull"], "write on_full: reject"),
    ],
};

/// What becomes of a run for which there is no slot.
pub(in crate::definition) const POLICIES: [&str; 4] = ["queue", "skip", "replace", "fail"];

/// What becomes of a run when as many wait as may.
pub(in crate::definition) const ON_FULL: [OnFull; 3] = [OnFull::Reject, OnFull::DropOldest, OnFull::Merge];

/// The greatest number of runs that may be bounded to wait.
pub(in crate::definition) const MAX_QUEUED: u32 = 1_000_000;

/// Reads `concurrency`: a number, or a map.
pub(super) fn read_concurrency(node: &Node, names: Names<'_>, checker: &mut Checker) -> Option<Concurrency> {
    let hint = || Some("write concurrency: 1, or {limit: 3, policy: queue}".to_owned());
    if node.plain().is_some_and(|text| text.parse::<f64>().is_ok()) {
        let limit = checker.integer(node, "concurrency", 1..=MAX_SLOTS)?;
        return Some(Concurrency { limit, key: None, at_limit: AtLimit::default() });
    }
    if !matches!(node.content, Content::Map(_)) {
        checker.wrong_type(node, "concurrency", "a number of runs, or a map with `limit`", hint());
        return None;
    }
    let fields = CONCURRENCY.read(node, checker)?;
    let limit = match fields.get("limit") {
        Some(node) => checker.integer(node, "limit", 1..=MAX_SLOTS),
        None => Some(1),
    };
    let key = fields.get("key").map(|node| read_key(node, names, checker));
    let at_limit = read_at_limit(fields, checker);
    Some(Concurrency {
        limit: limit?,
        key: key.map_or(Some(None), |key| key.map(Some))?,
        at_limit: at_limit?,
    })
}

/// Reads the key of a run, which is another for some runs than for others.
fn read_key(node: &Node, names: Names<'_>, checker: &mut Checker) -> Option<Template> {
    let template = read_template(node, "key", names, &mut Vec::new(), checker)?;
    if template.is_literal() {
        let message = "`key` has no expression: it would be the same for all runs";
        let hint = "write key: ${{ params.region }}, or remove it".to_owned();
        checker.problem(node.at, "bad-value", message, Some(hint));
        return None;
    }
    Some(template)
}

fn read_at_limit(fields: Fields<'_>, checker: &mut Checker) -> Option<AtLimit> {
    let policy = match fields.get("policy") {
        None => "queue",
        Some(node) => {
            let word = checker.text(node, "policy")?;
            let Some(known) = POLICIES.into_iter().find(|known| *known == word) else {
                let message =
                    format!("`policy` must be queue, skip, replace or fail, found {}", node.describe());
                let hint = hint_of_policy(&word.to_lowercase(), checker);
                checker.problem(node.at, "bad-value", message, hint);
                return None;
            };
            known
        }
    };
    let not_queued = match policy {
        "skip" => AtLimit::Skip,
        "replace" => AtLimit::Replace,
        "fail" => AtLimit::Fail,
        _ => return read_queue(fields, checker),
    };
    for (key, _) in ["max_queued", "on_full"].iter().filter_map(|name| fields.entry(name)) {
        let message = format!("`{}` goes with `policy: queue` only, and not with {policy}", key.text);
        let hint = Some("remove it, or write policy: queue".to_owned());
        checker.problem(key.at, "bad-field", message, hint);
    }
    Some(not_queued)
}

fn read_queue(fields: Fields<'_>, checker: &mut Checker) -> Option<AtLimit> {
    let max_queued = match fields.get("max_queued") {
        Some(node) => Some(checker.integer(node, "max_queued", 0..=MAX_QUEUED)?),
        None => None,
    };
    let Some(node) = fields.get("on_full") else {
        return Some(AtLimit::Queue { max_queued, on_full: OnFull::Reject });
    };
    let word = checker.text(node, "on_full")?;
    let Some(on_full) = ON_FULL.into_iter().find(|known| known.as_str() == word) else {
        let message = format!("`on_full` must be reject, drop_oldest or merge, found {}", node.describe());
        let hint = checker.did_you_mean(word, ON_FULL.iter().map(|known| known.as_str()));
        checker.problem(node.at, "bad-value", message, hint);
        return None;
    };
    let (what, hint) = match max_queued {
        None => ("any number of runs may wait", "write max_queued: 100 beside it"),
        Some(0) if on_full != OnFull::Reject => ("no run may wait", "write max_queued: 1, or more"),
        Some(_) => return Some(AtLimit::Queue { max_queued, on_full }),
    };
    let message = format!("`on_full: {word}` never has its turn: {what}");
    checker.problem(node.at, "bad-value", message, Some(hint.to_owned()));
    None
}

/// The word for what others call by this one.
fn hint_of_policy(word: &str, checker: &mut Checker) -> Option<String> {
    let hint = match word {
        "forbid" | "cancel_new" | "cancel_newest" | "discard" | "drop" | "ignore" => "write skip",
        "allow" | "parallel" | "none" => "remove `concurrency`: runs may overlap without it",
        "cancel" | "cancel_in_progress" | "cancel_other" | "terminate" | "restart" => "write replace",
        "wait" | "enqueue" | "serial" | "buffer" => "write queue",
        "error" | "reject" => "write fail",
        _ => return checker.did_you_mean(word, POLICIES),
    };
    Some(hint.to_owned())
}
