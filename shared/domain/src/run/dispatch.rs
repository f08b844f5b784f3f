//! The task of an attempt: what a worker needs, rendered from the definition and from what the run knows by now.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Map;

use super::large::{MAX_RUN_OUTPUT_BYTES, bytes_of, too_large};
use super::{Run, StepState};
use crate::definition::{LockUse, RunOutputs, Step};
use crate::environment;
use crate::expression::{Fire, Given, Outputs, Scope, Template, Use};
use crate::lock::{LockName, Want};
use crate::nesting::{MAX_NESTING, check_nesting};
use crate::params::env_of_params;
use crate::repeat::Repeat;
use crate::task::Task;
use crate::{Epoch, Hook, IdError, Outcome, Seq, StepIndex, Timestamp, Unit};

/// The greatest size of what a task is given, in bytes. A broker takes messages of 16 MiB.
const MAX_INPUT_BYTES: usize = 10 * 1024 * 1024;

/// Renders the task of an attempt of `unit`. Epoch and seq are the shell's to fill in.
///
/// # Errors
/// A text that says which expression could not be rendered, and why.
pub fn task(run: &Run, unit: Unit, attempt: u32, now: Timestamp) -> Result<Task, String> {
    let workflow = &run.workflow;
    let definition = workflow.step(unit.step).ok_or_else(|| format!("there is no step {}", unit.step.0))?;
    let outputs = |name: &str| outputs_of(run, name);
    let item = item_of(run, unit)?;
    let scope = Scope { item, ..scope(run, &outputs) };
    let with = definition.with.render(&scope).map_err(|e| format!("`with` cannot be rendered: {e}"))?;
    let mut env = env(run, definition, &scope)?;
    if let Some((item, place)) = item {
        env.extend(env_of_item(item, place)?);
        if let (true, Some(StepState::Fanned(fan))) = (definition.is_sharded(), run.steps.get(unit.step.at()))
        {
            env.insert("SHARD_INDEX".to_owned(), place.to_string());
            env.insert("SHARD_TOTAL".to_owned(), fan.fanned.counts.total.to_string());
        }
    }
    env.extend(env_of_hook(run, definition));
    let holds = run.holds_of(unit).copied().unwrap_or_default();
    if let Some(token) = holds.locks.and_then(|hold| hold.token_of(attempt)) {
        env.insert("MILLRACE_LOCK_TOKEN".to_owned(), token.to_string());
    }
    let task = Task {
        v: Task::VERSION,
        run: run.id,
        workflow: run.head.workflow.clone(),
        step: definition.name.clone(),
        index: unit.step,
        item: unit.item,
        attempt,
        epoch: Epoch::default(),
        seq: Seq::default(),
        pool: definition.pool.clone(),
        priority: run.priority(),
        uses: definition.uses.to_owned(),
        with,
        env,
        working_dir: working_dir(run, definition),
        timeout_ms: definition.timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
        scheduled_at: run.spec.scheduled_at,
        dispatched_at: now,
        at_most_once: definition.at_most_once,
        rate: holds.rate.map(|hold| hold.group),
        traceparent: run.spec.traceparent.clone(),
    };
    match task.input_bytes() {
        0..=MAX_INPUT_BYTES => Ok(task),
        bytes => Err(format!(
            "its input (`with` and `env`) is about {bytes} bytes: expected at most {MAX_INPUT_BYTES}; hand big data on in a file"
        )),
    }
}

/// The value of an item, and its place in the list.
fn item_of(run: &Run, unit: Unit) -> Result<Option<(&serde_json::Value, u32)>, String> {
    let Some(place) = unit.item else { return Ok(None) };
    let fan = match run.steps.get(unit.step.at()) {
        Some(StepState::Fanned(fan)) => Some(fan),
        _ => None,
    };
    let item = fan.and_then(|fan| fan.items.get(place as usize));
    item.map(|item| Some((item, place))).ok_or_else(|| format!("there is no item {place}"))
}

/// The items of a step that fans out now.
///
/// # Errors
/// A text that says what was expected.
pub(super) fn items(run: &Run, step: StepIndex) -> Result<Vec<serde_json::Value>, String> {
    let outputs = |name: &str| outputs_of(run, name);
    let fan = run.workflow.step(step).and_then(|step| step.fan.as_deref());
    let fan = fan.ok_or_else(|| format!("step {} does not fan out", step.0))?;
    fan.items(&scope(run, &outputs))
}

/// Whether the condition of a step holds. A step without one starts whatever there is.
///
/// # Errors
/// A text that says why it cannot be told.
pub(super) fn condition_holds(run: &Run, step: &Step) -> Result<bool, String> {
    let Some(condition) = &step.condition else { return Ok(true) };
    let outputs = |name: &str| outputs_of(run, name);
    condition.evaluate(&scope(run, &outputs)).map_err(|e| format!("`if` cannot be evaluated: {e}"))
}

/// Whether the condition is true until which a unit is repeated, which has just succeeded with these outputs.
///
/// # Errors
/// A text that says why it cannot be told.
pub(super) fn is_repeated_enough(
    run: &Run,
    unit: Unit,
    repeat: &Repeat,
    own: &Map<String, serde_json::Value>,
) -> Result<bool, String> {
    let name = run.workflow.step(unit.step).map(|step| step.name.as_str());
    let outputs =
        |asked: &str| if Some(asked) == name { Some(Given::Step(own)) } else { outputs_of(run, asked) };
    let scope = Scope { item: item_of(run, unit)?, ..scope(run, &outputs) };
    repeat.until.evaluate(&scope).map_err(|e| format!("`repeat.until` cannot be evaluated: {e}"))
}

/// The input of a step, rendered.
///
/// # Errors
/// A text that says which expression could not be rendered, and why.
pub(super) fn input(run: &Run, step: &Step) -> Result<serde_json::Value, String> {
    let outputs = |name: &str| outputs_of(run, name);
    step.with.render(&scope(run, &outputs)).map_err(|e| format!("`with` cannot be rendered: {e}"))
}

/// The input of a unit that makes no task, rendered: that of a run of another workflow, or of a question.
///
/// # Errors
/// A text that says which expression could not be rendered, and why.
pub(super) fn unit_input(run: &Run, unit: Unit) -> Result<serde_json::Value, String> {
    let step = run.workflow.step(unit.step).ok_or_else(|| format!("there is no step {}", unit.step.0))?;
    let outputs = |name: &str| outputs_of(run, name);
    let scope = Scope { item: item_of(run, unit)?, ..scope(run, &outputs) };
    step.with.render(&scope).map_err(|e| format!("`with` cannot be rendered: {e}"))
}

/// The names of the locks of a unit, rendered, in the order in which they are declared.
///
/// # Errors
/// A text that says which name could not be rendered, and why.
pub(super) fn lock_names(run: &Run, unit: Unit) -> Result<Vec<String>, String> {
    let step = run.workflow.step(unit.step).ok_or_else(|| format!("there is no step {}", unit.step.0))?;
    let outputs = |name: &str| outputs_of(run, name);
    let scope = Scope { item: item_of(run, unit)?, ..scope(run, &outputs) };
    let name = |lock: &LockUse| lock.name.render_text(&scope).map_err(|e| e.to_string());
    step.locks
        .iter()
        .map(name)
        .collect::<Result<_, _>>()
        .map_err(|e| format!("`locks` cannot be rendered: {e}"))
}

/// What a unit wants of the rate of its step, rendered.
///
/// # Errors
/// A text that says what cannot be told, and why.
pub(super) fn rate_wanted(run: &Run, unit: Unit) -> Result<Want, String> {
    let step = run.workflow.step(unit.step).ok_or_else(|| format!("there is no step {}", unit.step.0))?;
    let rate = step.rate.as_deref().ok_or_else(|| format!("step {} has no rate", step.name))?;
    let outputs = |name: &str| outputs_of(run, name);
    let scope = Scope { item: item_of(run, unit)?, ..scope(run, &outputs) };
    let key = rate.key.as_ref().map(|key| key.render_text(&scope)).transpose();
    let key = key.map_err(|e| format!("`rate.key` cannot be rendered: {e}"))?;
    let name = match &rate.name {
        Some(name) => LockName::of_rate(name, key.as_deref()),
        None => LockName::of_rate(&format!("{}/{}", run.head.workflow, step.name), key.as_deref()),
    };
    let name = name.map_err(|IdError(why)| format!("`rate.key`: {why}"))?;
    let cost = match &rate.cost {
        None => 1,
        Some(cost) => {
            let text =
                cost.render_text(&scope).map_err(|e| format!("`rate.cost` cannot be rendered: {e}"))?;
            let number: Option<f64> = text.trim().parse().ok();
            let number = number.filter(|number| (0.0..=f64::from(u32::MAX)).contains(number));
            number.ok_or_else(|| format!("`rate.cost` is {text:?}: expected a number from 0 on"))?.ceil()
                as u32
        }
    };
    Ok(Want::of_rate(name, rate.limit, rate.per, cost))
}

/// The key of a run, rendered: only runs with the same key limit each other.
///
/// # Errors
/// A text that says why it could not be rendered.
pub(super) fn slot_key(run: &Run, key: &Template) -> Result<String, String> {
    let scope = scope(run, &|_| None);
    key.render_text(&scope).map_err(|e| format!("`concurrency.key` cannot be rendered: {e}"))
}

/// The outputs of a run, rendered.
///
/// # Errors
/// A text that says which of them cannot be made, and why.
pub(super) fn run_outputs(run: &Run, outputs: &RunOutputs) -> Result<Map<String, serde_json::Value>, String> {
    let of_steps = |name: &str| outputs_of(run, name);
    let scope = scope(run, &of_steps);
    let mut rendered = Map::new();
    for (key, value) in &outputs.values {
        let value = value.render(&scope).map_err(|e| format!("output `{key}` cannot be rendered: {e}"))?;
        check_nesting(&value, MAX_NESTING).map_err(|e| format!("output `{key}` is {e}"))?;
        rendered.insert(key.to_string(), value);
    }
    match bytes_of(&rendered) {
        0..=MAX_RUN_OUTPUT_BYTES => Ok(rendered),
        bytes => Err(too_large(bytes, MAX_RUN_OUTPUT_BYTES)),
    }
}

/// What the expressions of a run's steps see.
fn scope<'r>(run: &'r Run, outputs: &'r Outputs<'r>) -> Scope<'r> {
    Scope {
        params: &run.spec.params,
        outputs,
        run: Some((run.id, &run.workflow.id)),
        fire: Fire { time: run.spec.scheduled_at, zone: &run.workflow.timezone },
        item: None,
    }
}

/// The environment of a task: the workflow's `env`, then the step's, then the params.
fn env(run: &Run, step: &Step, scope: &Scope<'_>) -> Result<BTreeMap<String, String>, String> {
    let mut env = BTreeMap::new();
    for (name, template) in run.workflow.env.iter().chain(&step.env) {
        let value =
            template.render_text(scope).map_err(|e| format!("`env.{name}` cannot be rendered: {e}"))?;
        environment::check_value(name, &value).map_err(|e| e.to_string())?;
        env.insert(name.clone(), value);
    }
    env.extend(env_of_params(&run.spec.params));
    Ok(env)
}

/// The variables of an item: its value as JSON, and its place in the list.
fn env_of_item(item: &serde_json::Value, place: u32) -> Result<[(String, String); 2], String> {
    let value = item.to_string();
    environment::check_value("MILLRACE_ITEM", &value).map_err(|e| e.to_string())?;
    Ok([("MILLRACE_ITEM".to_owned(), value), ("MILLRACE_ITEM_INDEX".to_owned(), place.to_string())])
}

/// The most bytes that a hook is told of a reason.
const MAX_REASON_BYTES: usize = 8 * 1024;

/// The variables of a hook: what it is one of, how that ended, and why.
fn env_of_hook(run: &Run, step: &Step) -> Vec<(String, String)> {
    let (of, outcome, reason) = match step.hook {
        None => return Vec::new(),
        Some(Hook::Step(_, owner)) => {
            let name = run.workflow.step(owner).map(|step| step.name.to_string()).unwrap_or_default();
            (name, run.outcome_of(owner), run.reason_of(owner).map(str::to_owned))
        }
        Some(Hook::Run(_)) => {
            let stopped = run.head.stopping.map(|outcome| (outcome, run.head.reason.clone()));
            let ended = stopped
                .or_else(|| run.verdict_before_hooks().map(|(outcome, reason)| (outcome, Some(reason))));
            let (outcome, reason) = ended.unwrap_or((Outcome::Succeeded, None));
            (run.head.workflow.to_string(), Some(outcome), reason)
        }
    };
    let mut reason = reason.unwrap_or_default().replace('\0', " ");
    reason.truncate(reason.floor_char_boundary(MAX_REASON_BYTES));
    let outcome = outcome.map(|outcome| outcome.as_str().to_owned()).unwrap_or_default();
    let names = ["MILLRACE_HOOK_OF", "MILLRACE_HOOK_OUTCOME", "MILLRACE_HOOK_REASON"];
    names.map(str::to_owned).into_iter().zip([of, outcome, reason]).collect()
}

/// The working directory of a step: its own, within that of the definition's file when there is one.
fn working_dir(run: &Run, step: &Step) -> Option<String> {
    match (&run.spec.base_dir, &step.working_dir) {
        (Some(base), Some(own)) => Some(Path::new(base).join(&**own).to_string_lossy().into_owned()),
        (base, own) => base.clone().or_else(|| own.as_deref().map(str::to_owned)),
    }
}

/// What is known by now of the names that an expression uses.
pub(super) fn known_values<'u>(
    run: &Run,
    uses: impl Iterator<Item = &'u Use>,
) -> BTreeMap<String, serde_json::Value> {
    let value = |name: &Use| match name {
        Use::Param(param) => Some((format!("params.{param}"), run.spec.params.get(param)?.clone())),
        Use::Output { step, key: Some(key) } => match outputs_of(run, step)? {
            Given::Step(outputs) => Some((format!("outputs.{step}.{key}"), outputs.get(key)?.clone())),
            Given::Items(_) => None,
        },
        _ => None,
    };
    uses.filter_map(value).collect()
}

/// What a step gives that fans out and has no items.
static NO_ITEMS: serde_json::Value = serde_json::Value::Array(Vec::new());

/// The outputs of a step that has ended, as far as they are here.
fn outputs_of<'r>(run: &'r Run, name: &str) -> Option<Given<'r>> {
    let step = run.workflow.index_of(name)?;
    if let Some(lent) = run.lent.get(&step) {
        return Some(lent.as_object().map_or(Given::Items(lent), Given::Step));
    }
    match &run.steps[step.at()] {
        // It has not come to any items: it was skipped, or its list was none.
        StepState::Ended(end) if end.items.is_none() && run.workflow.steps[step.at()].fan.is_some() => {
            Some(Given::Items(&NO_ITEMS))
        }
        StepState::Ended(end) if !end.is_apart() => Some(Given::Step(&end.outputs)),
        _ => None,
    }
}
