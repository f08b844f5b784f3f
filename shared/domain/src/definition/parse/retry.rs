//! `retry:` of a step, of `defaults` and of a submission.

use std::time::Duration;

use serde_json::Value;

use super::super::checker::Checker;
use super::super::document::Node;
use super::fields::{Fields, Schema};
use super::json;
use super::synonyms;
use crate::{Outcome, RetryPolicy};

/// The greatest number of retries. Past so many, something else is wrong.
pub(in crate::definition) const MAX_LIMIT: u32 = 100;

pub(in crate::definition) const MAX_BACKOFF: f64 = 100.0;

/// How long somebody is asked, unless the definition says otherwise.
pub(in crate::definition) const ASK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The outcomes of an attempt that may be retried.
pub(in crate::definition) const RETRIED: [Outcome; 2] = [Outcome::Failed, Outcome::TimedOut];

pub(in crate::definition) const RETRY: Schema = Schema {
    what: "a retry policy",
    known: &["limit", "delay", "backoff", "max_delay", "jitter", "outcomes", "then", "ask_timeout"],
    later: &[],
    synonyms: synonyms::OF_RETRY,
};

/// Reads the policy that `node` describes; what it does not say is as in `base`.
pub(super) fn read_retry(node: &Node, base: &RetryPolicy, checker: &mut Checker) -> RetryPolicy {
    let mut policy = base.clone();
    if node.plain().is_some_and(|word| word.parse::<u32>().is_ok()) {
        let hint = Some(format!("write {{limit: {}}}", node.plain().unwrap_or_default()));
        checker.problem(node.at, "wrong-type", "`retry` must be a map", hint);
        return policy;
    }
    let Some(fields) = RETRY.read(node, checker) else { return policy };
    if let Some(node) = fields.get("limit") {
        policy.limit = checker.integer(node, "limit", 0..=MAX_LIMIT).unwrap_or(policy.limit);
    }
    if let Some(node) = fields.get("delay") {
        policy.delay = checker.duration(node, "delay").unwrap_or(policy.delay);
    }
    if let Some(node) = fields.get("backoff") {
        policy.backoff = read_backoff(node, checker).unwrap_or(policy.backoff);
    }
    if let Some(node) = fields.get("max_delay") {
        policy.max_delay = checker.duration(node, "max_delay").unwrap_or(policy.max_delay);
    } else if policy.max_delay < policy.delay {
        // A long first delay alone is no contradiction: it is also the longest.
        policy.max_delay = policy.delay;
    }
    if let Some(node) = fields.get("jitter") {
        policy.jitter = checker.boolean(node, "jitter").unwrap_or(policy.jitter);
    }
    if let Some(node) = fields.get("outcomes") {
        policy.outcomes = read_outcomes(node, checker);
    }
    read_ask(fields, &mut policy, checker);
    if let Some(node) = fields.get("max_delay")
        && policy.max_delay < policy.delay
    {
        checker.problem(node.at, "out-of-range", "`max_delay` must not be shorter than `delay`", None);
    }
    policy
}

/// Reads what is to be done once the retries are used up.
fn read_ask(fields: Fields<'_>, policy: &mut RetryPolicy, checker: &mut Checker) {
    if let Some(node) = fields.get("then") {
        policy.ask = match checker.text(node, "then") {
            Some("ask") => Some(policy.ask.unwrap_or(ASK)),
            Some("fail") => None,
            Some(other) => {
                let hint = checker.did_you_mean(other, ["ask", "fail"]);
                let message = format!("`then` must be ask or fail, found {}", node.describe());
                checker.problem(node.at, "bad-value", message, hint);
                None
            }
            None => None,
        };
    }
    if let Some((key, node)) = fields.entry("ask_timeout") {
        if policy.ask.is_none() {
            let hint = Some("write then: ask beside it".to_owned());
            checker.problem(key.at, "bad-field", "`ask_timeout` goes with `then: ask` only", hint);
        } else {
            policy.ask = checker.positive_duration(node, "ask_timeout").or(policy.ask);
        }
    }
}

/// Reads the policy that a client wrote as JSON.
///
/// # Errors
/// All that is wrong, in one text.
pub(crate) fn retry_of_json(value: &Value) -> Result<RetryPolicy, String> {
    let mut checker = Checker::default();
    let policy = read_retry(&json::to_node(value), &RetryPolicy::default(), &mut checker);
    if checker.is_clean() { Ok(policy) } else { Err(checker.into_text().1) }
}

fn read_backoff(node: &Node, checker: &mut Checker) -> Option<f64> {
    match node.plain().and_then(|word| word.parse::<f64>().ok()) {
        Some(factor) if (1.0..=MAX_BACKOFF).contains(&factor) => Some(factor),
        Some(factor) => {
            let message = format!("`backoff` must be a number from 1 to {MAX_BACKOFF}, found {factor}");
            checker.problem(node.at, "out-of-range", message, None);
            None
        }
        None => {
            checker.wrong_type(node, "backoff", "a number from 1 to 100", None);
            None
        }
    }
}

fn read_outcomes(node: &Node, checker: &mut Checker) -> Vec<Outcome> {
    let hint = node.plain().map(|word| format!("write [{word}]"));
    let mut outcomes = Vec::new();
    for item in checker.list(node, "outcomes", "outcomes", hint).unwrap_or_default() {
        match checker.text(item, "outcomes") {
            Some("lost") => {
                let hint = "a lost attempt is repeated by itself; see at_most_once".to_owned();
                checker.problem(item.at, "bad-value", "`lost` is not retried here", Some(hint));
            }
            Some(word) if let Some(outcome) = RETRIED.into_iter().find(|one| one.as_str() == word) => {
                outcomes.push(outcome);
            }
            Some(other) => {
                let near = checker.did_you_mean(other, RETRIED.map(Outcome::as_str));
                let shown = item.describe();
                checker.problem(
                    item.at,
                    "bad-value",
                    format!("`outcomes` must be of failed and timed_out, found {shown}"),
                    near,
                );
            }
            None => {}
        }
    }
    outcomes.dedup();
    outcomes
}
