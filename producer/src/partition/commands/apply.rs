//! A definition is to be stored, as the next version of a workflow.

use std::sync::Arc;

use millrace_domain::definition::{self, Params, Workflow};
use millrace_domain::message::Reply;
use millrace_domain::{Code, Timestamp};
use millrace_store::{Timer, WorkflowDelta};

use super::submit::checked_params;
use crate::partition::answer::{refusal, store_full};
use crate::partition::draft::Draft;
use crate::partition::memory::workflows::Entry;
use crate::partition::turn::Turn;
use crate::workflow_head::WorkflowHead;

/// A definition that is to be stored.
pub(crate) struct Apply {
    pub(crate) workflow: Arc<Workflow>,
    pub(crate) source: Arc<str>,
    pub(crate) base_dir: Option<String>,
}

impl Apply {
    /// A definition as it was sent to its home.
    ///
    /// # Errors
    /// All problems of the source, as one text.
    pub(crate) fn read(source: String, base_dir: Option<String>) -> Result<Self, String> {
        Ok(Self { workflow: Arc::new(parse_one(&source)?), source: source.into(), base_dir })
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
    let name = workflow.id.clone();
    if !workflow.schedules.is_empty()
        && let Err(reply) = checked_params(&workflow, &Params::new(), now)
    {
        return match reply {
            Reply::Error { error } => refusal(
                Code::ParamNeedsDefault,
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
    let before = before.map(|entry| &entry.head).or_else(|| turn.memory.workflows.unreadable(&name)).cloned();
    let mut head = WorkflowHead::of(&workflow, base_dir, before.as_ref(), now);
    head.paused |= !turn.context.options.schedules;
    let version = head.version;
    for trigger in before.iter().flat_map(WorkflowHead::triggers).filter(|id| head.place_of(*id).is_none()) {
        turn.draft.cleared.push(Timer::Fire(name.clone(), trigger));
    }
    plan_fires(&mut head, before.as_ref(), &workflow, turn.draft, now);
    turn.draft.workflows.push(WorkflowDelta::Put {
        workflow: name.clone(),
        version,
        source: Arc::clone(&source),
        head: head.record(),
    });
    turn.memory.workflows.put(&name, Entry { head, source, workflow });
    Reply::Workflow { workflow: name, version, unchanged: false }
}

/// Sets or clears the timer of every schedule. One that `before` has as well, and that is due by now, still fires for what
/// it was due for.
pub(super) fn plan_fires(
    head: &mut WorkflowHead,
    before: Option<&WorkflowHead>,
    workflow: &Workflow,
    draft: &mut Draft,
    now: Timestamp,
) {
    let name = workflow.id.clone();
    head.next.clear();
    for (place, schedule) in workflow.schedules.iter().enumerate() {
        let trigger = head.trigger(place);
        let due = before.and_then(|before| before.next_of(trigger)).filter(|due| *due <= now);
        let next = if head.paused { None } else { due.or_else(|| schedule.next_after(now)) };
        head.next.push(next);
        let timer = Timer::Fire(name.clone(), trigger);
        match next {
            Some(due) => draft.timers.push((due, timer)),
            None => draft.cleared.push(timer),
        }
    }
}
