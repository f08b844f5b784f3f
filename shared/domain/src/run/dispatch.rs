//! The task of an attempt: what a worker needs, rendered from the definition and from what the run knows by now.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Map;

use super::{Run, StepState};
use crate::definition::Step;
use crate::environment;
use crate::expression::{Fire, Outputs, Scope};
use crate::params::env_of_params;
use crate::task::Task;
use crate::{Epoch, Seq, StepIndex, Timestamp};

/// Renders the task of `attempt`. Epoch and seq are the shell's to fill in.
///
/// # Errors
/// A text that says which expression could not be rendered, and why.
pub fn task(run: &Run, step: StepIndex, attempt: u32, now: Timestamp) -> Result<Task, String> {
    let workflow = &run.workflow;
    let definition = workflow.step(step).ok_or_else(|| format!("there is no step {}", step.0))?;
    let outputs = |name: &str| outputs_of(run, name);
    let scope = scope(run, &outputs);
    let with = definition.with.render(&scope).map_err(|e| format!("`with` cannot be rendered: {e}"))?;
    Ok(Task {
        v: Task::VERSION,
        run: run.id,
        workflow: run.head.workflow.clone(),
        step: definition.name.clone(),
        index: step,
        item: None,
        attempt,
        epoch: Epoch::default(),
        seq: Seq::default(),
        pool: definition.pool.clone(),
        priority: run.spec.priority,
        uses: definition.uses.clone(),
        with,
        env: env(run, definition, &scope)?,
        working_dir: working_dir(run, definition),
        timeout_ms: definition.timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)),
        scheduled_at: run.spec.scheduled_at,
        dispatched_at: now,
        at_most_once: definition.at_most_once,
        traceparent: run.spec.traceparent.clone(),
    })
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

/// The input of a step, rendered.
///
/// # Errors
/// A text that says which expression could not be rendered, and why.
pub(super) fn input(run: &Run, step: &Step) -> Result<serde_json::Value, String> {
    let outputs = |name: &str| outputs_of(run, name);
    step.with.render(&scope(run, &outputs)).map_err(|e| format!("`with` cannot be rendered: {e}"))
}

/// What the expressions of a run's steps see.
fn scope<'r>(run: &'r Run, outputs: &'r Outputs<'r>) -> Scope<'r> {
    Scope {
        params: &run.spec.params,
        outputs,
        run: Some((run.id, &run.workflow.id)),
        fire: Fire { time: run.spec.scheduled_at, zone: &run.workflow.timezone },
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

/// The working directory of a step: its own, within that of the definition's file when there is one.
fn working_dir(run: &Run, step: &Step) -> Option<String> {
    match (&run.spec.base_dir, &step.working_dir) {
        (Some(base), Some(own)) => Some(Path::new(base).join(own).to_string_lossy().into_owned()),
        (base, own) => base.clone().or_else(|| own.clone()),
    }
}

/// The outputs of a step that has ended.
fn outputs_of<'r>(run: &'r Run, name: &str) -> Option<&'r Map<String, serde_json::Value>> {
    let step = run.workflow.index_of(name)?;
    match &run.steps[step.at()] {
        StepState::Ended(end) => Some(&end.outputs),
        _ => None,
    }
}
