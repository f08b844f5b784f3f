//! A definition is to be stored, as the next version of a workflow.

use std::sync::Arc;

use millrace_domain::definition::{self, Params, Workflow};
use millrace_domain::message::Reply;
use millrace_domain::{Timestamp, WorkflowName};
use millrace_store::{Timer, WorkflowDelta};

use super::submit::checked_params;
use crate::definitions::{WorkflowHead, zones_of};
use crate::partition::answer::{refusal, store_full};
use crate::partition::draft::Draft;
use crate::partition::memory::workflows::Entry;
use crate::partition::turn::Turn;

/// A definition that is to be stored.
pub(crate) struct Apply {
    pub(crate) workflow: Workflow,
    pub(crate) source: String,
    pub(crate) base_dir: Option<String>,
}

impl Apply {
    /// A definition as it was sent to its home.
    ///
    /// # Errors
    /// All problems of the source, as one text.
    pub(crate) fn read(source: String, base_dir: Option<String>) -> Result<Self, String> {
        Ok(Self { workflow: parse_one(&source)?, source, base_dir })
    }
}

/// A source that holds exactly one workflow; all problems as one text otherwise.
pub(crate) fn parse_one(source: &str) -> Result<Workflow, String> {
    let mut parsed = definition::parse(source, "definition").map_err(|problems| problems.to_string())?;
    match (parsed.pop(), parsed.is_empty()) {
        (Some(one), true) => Ok(one.workflow),
        _ => Err("expected one workflow in a document of its own".to_owned()),
    }
}

/// Stores a definition as a new version, and sets the timers of its schedules.
pub(crate) fn handle(turn: &mut Turn<'_>, apply: Apply) -> Reply {
    let now = turn.now;
    let Apply { workflow, source, base_dir } = apply;
    let name = workflow.name.clone();
    if !workflow.schedules.is_empty()
        && let Err(reply) = checked_params(&workflow, &Params::new(), now)
    {
        return match reply {
            Reply::Error { error } => refusal(
                "param-needs-default",
                format!("a workflow with a schedule needs a default for each param: {}", error.message),
            ),
            other => other,
        };
    }
    let before = turn.memory.workflows.any(&name);
    if let Some(entry) = before
        && !entry.head.deleted
        && entry.source == source
        && entry.head.base_dir == base_dir
    {
        return Reply::Workflow { workflow: name, version: entry.head.version, unchanged: true };
    }
    if let Some(why) = turn.context.backpressure.why_stopped() {
        return store_full(&why);
    }
    let last =
        before.map(|entry| entry.head.version).or_else(|| turn.memory.workflows.unreadable_version(&name));
    let version = last.unwrap_or(0) + 1;
    let paused = before.is_some_and(|entry| entry.head.paused && !entry.head.deleted);
    let timers_before = before.map_or(0, |entry| entry.workflow.schedules.len());
    let mut head = WorkflowHead {
        version,
        paused,
        deleted: false,
        applied_at: now,
        base_dir,
        next: Vec::new(),
        description: workflow.description.clone(),
        schedules: workflow.schedules.iter().map(ToString::to_string).collect(),
        zones: Vec::new(),
        steps: workflow.steps.len(),
        carried: before.map(|entry| entry.head.carried.clone()).unwrap_or_default(),
    };
    let workflow = Arc::new(workflow);
    turn.context.definitions.remember(&name, version, &workflow);
    for index in workflow.schedules.len()..timers_before {
        turn.draft.cleared.push(Timer::Fire(name.clone(), index as u32));
    }
    plan_fires(&mut head, &name, &workflow, turn.draft, now);
    turn.draft.workflows.push(WorkflowDelta::Put {
        workflow: name.clone(),
        version,
        source: source.clone(),
        head: head.record(),
    });
    turn.memory.workflows.put(&name, Entry { head, source, workflow });
    Reply::Workflow { workflow: name, version, unchanged: false }
}

/// Sets or clears the timer of every schedule.
pub(super) fn plan_fires(
    head: &mut WorkflowHead,
    name: &WorkflowName,
    workflow: &Workflow,
    draft: &mut Draft,
    now: Timestamp,
) {
    head.zones = zones_of(workflow);
    head.next =
        workflow.schedules.iter().map(|s| if head.paused { None } else { s.next_after(now) }).collect();
    for (index, next) in head.next.iter().enumerate() {
        let timer = Timer::Fire(name.clone(), index as u32);
        match next {
            Some(due) => draft.timers.push((*due, timer)),
            None => draft.cleared.push(timer),
        }
    }
}
