//! What is set for a step, as a plan shows it.

use millrace_domain::child::WORKFLOW;
use millrace_domain::definition::{Concurrency, SHELL, Step, Tolerance, Wants, Workflow};
use millrace_domain::lock::{AtLimit, OnFull};
use millrace_domain::people::{APPROVAL, INPUT};
use millrace_domain::quantity::format_duration;
use millrace_domain::run::{Plan, PlannedStep};
use millrace_domain::wait::WAIT;
use millrace_domain::{Hook, Outcome, RetryPolicy, Timestamp, TriggerRule};
use serde_json::{Map, Value, json};

/// A setting of a step: its name, its value for programs, and for people; an empty text is not shown.
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) value: Value,
    pub(super) text: String,
}

/// All that a plan says of a step, in the order in which it is shown. A new field of a step is a line here.
pub(super) fn settings(step: &Step, planned: &PlannedStep, now: Timestamp) -> Vec<Setting> {
    let rule = if step.rule == TriggerRule::default() { String::new() } else { step.rule.to_string() };
    let makes_tasks = ![WAIT, WORKFLOW, APPROVAL, INPUT].contains(&step.uses);
    let mut settings = vec![
        setting("trigger_rule", step.rule.as_str(), rule),
        condition(step, planned),
        not_before(step, planned, now),
        optional("pool", makes_tasks.then(|| step.pool.to_string())),
        plain("executor", step.uses),
        fan_out(step, planned),
        repeat(step),
        outputs(step),
        optional("hook", step.hook.map(hook)),
        optional("timeout", step.timeout.map(format_duration)),
        retry(&step.retry),
        flag("at_most_once", step.at_most_once),
        flag("continue_on_error", step.continue_on_error),
        optional("working_dir", step.working_dir.as_deref().map(str::to_owned)),
        env(planned, makes_tasks),
        locks(planned),
        rate(planned),
    ];
    settings.extend(input(step, planned));
    settings.push(question(step));
    settings.push(optional("waits_until", planned.waits_until.map(|until| until.to_string())));
    settings
}

/// How many runs may be under way at a time, and what becomes of one more; `None` where any number may.
pub(super) fn concurrency(workflow: &Workflow, plan: &Plan) -> Option<Setting> {
    let Concurrency { limit, at_limit, .. } = workflow.concurrency.as_deref()?;
    let key = plan.key.as_ref().map(|key| key.as_ref().map_or_else(Clone::clone, Clone::clone));
    let of_key = match &plan.key {
        None => String::new(),
        Some(Ok(key)) if key.is_empty() => " with key \"\"".to_owned(),
        Some(Ok(key)) => format!(" with key {key}"),
        Some(Err(why)) => format!(" (this run would fail, for its key: {why})"),
    };
    let (max_queued, on_full) = match at_limit {
        AtLimit::Queue { max_queued: Some(most), on_full } => (Some(*most), Some(on_full.as_str())),
        _ => (None, None),
    };
    let one_more = match at_limit {
        AtLimit::Queue { max_queued: None, .. } => "waits".to_owned(),
        AtLimit::Queue { max_queued: Some(0), .. } => "fails, since none may wait".to_owned(),
        AtLimit::Queue { max_queued: Some(most), on_full } => match on_full {
            OnFull::Reject => format!("waits, or fails when {most} wait already"),
            OnFull::DropOldest => {
                format!("waits, and when {most} wait already the oldest of them is dropped")
            }
            OnFull::Merge => format!("waits, or is merged into the last of those when {most} wait already"),
        },
        AtLimit::Skip => "is skipped".to_owned(),
        AtLimit::Replace => "takes the place of the oldest".to_owned(),
        AtLimit::Fail => "fails".to_owned(),
    };
    let runs = if *limit == 1 { "1 run".to_owned() } else { format!("{limit} runs") };
    let value = json!({"limit": limit, "key": key, "policy": at_limit.as_str(), "max_queued": max_queued, "on_full": on_full});
    Some(setting("concurrency", value, format!("{runs}{of_key} at a time; one more {one_more}")))
}

fn setting(name: &'static str, value: impl Into<Value>, text: impl Into<String>) -> Setting {
    Setting { name, value: value.into(), text: text.into() }
}

fn plain(name: &'static str, text: &str) -> Setting {
    setting(name, text, text)
}

fn optional(name: &'static str, text: Option<String>) -> Setting {
    setting(name, text.clone(), text.unwrap_or_default())
}

fn flag(name: &'static str, is_set: bool) -> Setting {
    setting(name, is_set, if is_set { "true" } else { "" })
}

fn condition(step: &Step, planned: &PlannedStep) -> Setting {
    let Some(condition) = &step.condition else { return setting("if", Value::Null, "") };
    let source = condition.source();
    let (holds, told) = match &planned.condition {
        None => (Value::Null, "known only in the run".to_owned()),
        Some(Ok(holds)) => (Value::from(*holds), format!("is {holds}")),
        Some(Err(why)) => (Value::Null, why.clone()),
    };
    setting("if", json!({"expression": source, "holds": holds}), format!("{source}  ({told})"))
}

fn not_before(step: &Step, planned: &PlannedStep, now: Timestamp) -> Setting {
    let (Some(time), Some(at)) = (step.not_before, planned.not_before) else {
        return setting("not_before", Value::Null, "");
    };
    let (time, at, has_passed) = (time.to_string(), at.to_string(), at <= now);
    let told = if has_passed { ", which has passed" } else { "" };
    let text = format!("{time}  ({at}{told})");
    setting("not_before", json!({"time": time, "at": at, "has_passed": has_passed}), text)
}

/// How a step fans out, as far as it is known before the run.
fn fan_out(step: &Step, planned: &PlannedStep) -> Setting {
    let Some(fan) = &step.fan else { return setting("items", Value::Null, "") };
    let (count, told) = match &planned.items {
        None => (Value::Null, "known only in the run".to_owned()),
        Some(Ok(count)) => (Value::from(*count), count.to_string()),
        Some(Err(why)) => (Value::Null, why.clone()),
    };
    let mut text = format!("{told}, {} at once", fan.max_parallel);
    if fan.tolerate != Tolerance::default() {
        text.push_str(&format!(", {} may fail", fan.tolerate));
    }
    if fan.fail_fast {
        text.push_str(", the rest is given up once too many have failed");
    }
    let value = json!({
        "count": count, "max_parallel": fan.max_parallel, "tolerate": fan.tolerate.to_string(), "fail_fast": fan.fail_fast,
    });
    setting("items", value, text)
}

fn repeat(step: &Step) -> Setting {
    let Some(repeat) = &step.repeat else { return setting("repeat", Value::Null, "") };
    let (until, max, delay) = (repeat.until.source(), repeat.max, format_duration(repeat.delay));
    let text = format!("until {until}, at most {max} times, every {delay}");
    setting("repeat", json!({"until": until, "max": max, "delay": delay}), text)
}

/// The names of the locks that the step holds.
fn locks(planned: &PlannedStep) -> Setting {
    let names: Vec<&str> = planned
        .locks
        .iter()
        .map(|name| name.as_ref().unwrap_or_else(|why| why))
        .map(String::as_str)
        .collect();
    setting("locks", names.clone(), names.join(", "))
}

/// What each attempt takes of the rate of the step.
fn rate(planned: &PlannedStep) -> Setting {
    let Some(rate) = &planned.rate else { return setting("rate", Value::Null, "") };
    let told = |text: &Result<String, String>| text.as_ref().unwrap_or_else(|why| why).clone();
    let (key, cost) = (rate.key.as_ref().map(told), rate.cost.as_ref().map(told));
    let of = rate.name.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
    let with = key.as_ref().map(|key| format!(" with key {key:?}")).unwrap_or_default();
    let each = cost.as_ref().map(|cost| format!(", each takes {cost}")).unwrap_or_default();
    let text = format!("{}{of}{with}{each}", rate.limit);
    setting("rate", json!({"limit": rate.limit, "name": rate.name, "key": key, "cost": cost}), text)
}

/// The outputs that the step declares.
fn outputs(step: &Step) -> Setting {
    let keys: Vec<&str> = step.outputs.iter().map(|output| output.key.as_str()).collect();
    setting("outputs", keys.clone(), keys.join(", "))
}

fn hook(hook: Hook) -> String {
    match hook {
        Hook::Step(when, _) => format!("{when} of a step"),
        Hook::Run(when) => when.to_string(),
    }
}

fn retry(policy: &RetryPolicy) -> Setting {
    if policy.limit == 0 && policy.ask.is_none() {
        return setting("retry", json!({"limit": 0}), "");
    }
    let RetryPolicy { limit, delay, backoff, max_delay, jitter, outcomes, ask } = policy;
    let (delay, max_delay) = (format_duration(*delay), format_duration(*max_delay));
    let outcomes: Vec<&str> = outcomes.iter().copied().map(Outcome::as_str).collect();
    let mut text = format!(
        "limit {limit}, delay {delay}, backoff {backoff}, max_delay {max_delay}, jitter {jitter}, outcomes {}",
        outcomes.join(" ")
    );
    let ask = ask.map(format_duration);
    if let Some(ask) = &ask {
        text.push_str(&format!(", then somebody is asked for {ask}"));
    }
    let value = json!({
        "ask": ask, "limit": limit, "delay": delay, "backoff": backoff, "max_delay": max_delay, "jitter": jitter, "outcomes": outcomes,
    });
    setting("retry", value, text)
}

fn env(planned: &PlannedStep, makes_tasks: bool) -> Setting {
    let mut values = Map::new();
    let mut lines = Vec::new();
    for (name, value) in planned.env.iter().filter(|_| makes_tasks) {
        let (value, line) = match value {
            Ok(text) => (json!(text), format!("{name}={text}")),
            Err(why) => (Value::Null, format!("{name}: cannot be rendered: {why}")),
        };
        values.insert(name.clone(), value);
        lines.push(line);
    }
    setting("env", values, lines.join("\n"))
}

/// The input of the executor, by the names under which it was written.
fn input(step: &Step, planned: &PlannedStep) -> Vec<Setting> {
    match &planned.with {
        Err(why) => vec![setting("with", Value::Null, format!("cannot be rendered: {why}"))],
        Ok(with) if step.uses == SHELL => {
            let script = with["run"].as_str().unwrap_or_default();
            let words = with["shell"].as_array().into_iter().flatten().map(word).collect::<Vec<_>>();
            vec![setting("shell", with["shell"].clone(), words.join(" ")), plain("run", script)]
        }
        Ok(with) => {
            let fields = with.as_object().into_iter().flatten();
            let lines: Vec<String> = fields.map(|(name, value)| format!("{name}: {}", word(value))).collect();
            vec![setting("with", with.clone(), lines.join("\n"))]
        }
    }
}

/// What the step asks people, beside what is in its input.
fn question(step: &Step) -> Setting {
    let Some(question) = &step.question else { return setting("question", Value::Null, "") };
    let timeout = format_duration(question.timeout);
    match &question.wants {
        Wants::Approval { of, by_default } => {
            let default = if *by_default { "approve" } else { "reject" };
            let people = if *of == 1 { "1 has" } else { &format!("{of} have") };
            let text = format!("{people} to approve within {timeout}; default: {default}");
            setting("question", json!({"of": of, "timeout": timeout, "default": default}), text)
        }
        Wants::Input { fields, by_default } => {
            let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
            let default = by_default.clone().map(Value::Object);
            let told = default.as_ref().map_or("none".to_owned(), ToString::to_string);
            let text = format!("{} within {timeout}; default: {told}", names.join(", "));
            setting("question", json!({"fields": names, "timeout": timeout, "default": default}), text)
        }
    }
}

/// A value in one word: a text as it is, all else as JSON.
pub(super) fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
