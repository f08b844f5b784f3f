//! `rate:`: so much in any period, for each key, of which each attempt of a step takes its part.

use std::sync::Arc;

use super::super::RateUse;
use super::super::checker::Checker;
use super::super::document::{Content, Node};
use super::expression::{Names, OutputUse, read_template};
use super::fields::Schema;
use crate::expression::Template;
use crate::lock::{LockName, MAX_RATE};

pub(in crate::definition) const RATE: Schema = Schema {
    what: "`rate`",
    known: &["limit", "per", "name", "key", "cost"],
    later: &[],
    synonyms: &[
        (
            &["max", "rate", "count", "requests", "tokens", "burst", "quota", "units", "calls", "amount"],
            "write limit: 100",
        ),
        (&["period", "interval", "window", "duration", "every", "unit", "within", "time"], "write per: 1m"),
        (&["group", "by", "keys", "partition", "scope", "tenant"], "write key: ${{ params.tenant }}"),
        (&["weight", "price", "takes", "uses", "consume", "points"], "write cost: 5"),
        (&["id", "resource", "shared", "bucket", "limiter"], "write name: openai"),
    ],
};

/// Reads the rate of a step.
pub(super) fn read_rate(
    node: &Node,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<RateUse> {
    let hint = || Some("write rate: {limit: 100, per: 1m}".to_owned());
    if !matches!(node.content, Content::Map(_)) {
        checker.wrong_type(node, "rate", "a map with `limit` and `per`", hint());
        return None;
    }
    let fields = RATE.read(node, checker)?;
    for missing in ["limit", "per"].into_iter().filter(|name| fields.get(name).is_none()) {
        checker.problem(node.at, "missing-field", format!("a rate needs `{missing}`"), hint());
    }
    let limit = fields.get("limit").and_then(|node| checker.integer(node, "limit", 1..=MAX_RATE));
    let per = fields.get("per").and_then(|node| checker.positive_duration(node, "per"));
    let name = fields.get("name").map(|node| read_name(node, checker));
    let key = fields.get("key").map(|node| read_template(node, "key", names, outputs, checker));
    let cost = fields.get("cost").map(|node| read_cost(node, limit, names, outputs, checker));
    Some(RateUse {
        limit: limit?,
        per: per?,
        name: name.map_or(Some(None), |name| name.map(Some))?,
        key: key.map_or(Some(None), |key| key.map(Some))?,
        cost: cost.map_or(Some(None), |cost| cost.map(Some))?,
    })
}

fn read_name(node: &Node, checker: &mut Checker) -> Option<Arc<str>> {
    let text = checker.text(node, "name")?;
    let is_name = !text.contains('/') && LockName::of_rate(text, None).is_ok();
    if !is_name {
        let shown: String = text.chars().take(70).collect();
        let message = format!("the name of a rate, {shown:?}, must match {}", LockName::RATE_PATTERN);
        let hint = match text.contains("{{") {
            true => "what differs from run to run is the key: write key: ${{ ... }}",
            false => "write name: openai",
        };
        checker.problem(node.at, "bad-name", message, Some(hint.to_owned()));
        return None;
    }
    Some(text.into())
}

/// Reads how much an attempt takes: a number, or an expression that gives one.
fn read_cost(
    node: &Node,
    limit: Option<u32>,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<Template> {
    let template = read_template(node, "cost", names, outputs, checker)?;
    if template.is_literal() {
        let cost = checker.integer(node, "cost", 0..=MAX_RATE)?;
        if let Some(limit) = limit.filter(|limit| cost > *limit) {
            let message = format!("`cost: {cost}` is more than there ever is: `limit` is {limit}");
            let hint = Some(format!("write limit: {cost}, or more"));
            checker.problem(node.at, "out-of-range", message, hint);
            return None;
        }
    }
    Some(template)
}
