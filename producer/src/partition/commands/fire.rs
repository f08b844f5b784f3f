//! A schedule is due. The owner of the home partition is the one writer of a workflow: a fire creates its run and sets
//! the next timer in the same commit, so each instant fires once.

use std::sync::Arc;

use millrace_domain::definition::{Params, Workflow};
use millrace_domain::run::{Head, Source, Spec, Trigger};
use millrace_domain::{RunId, Timestamp, TriggerId, WorkflowId};
use millrace_store::{Timer, WorkflowDelta};

use super::submit::checked_params;
use crate::partition::fired::{Fire, Fired};
use crate::partition::lateness::{Judgement, Missed};
use crate::partition::turn::{Turn, Wanted};
use crate::workflow_head::WorkflowHead;

/// Starts the run of a fire that is due, and plans the next one.
pub(crate) fn handle(turn: &mut Turn<'_>, fire: Fire) {
    let (name, trigger, due) = fire.clone();
    let timer = Timer::Fire(name.clone(), trigger);
    let Some(entry) = turn.memory.workflows.get(&name) else {
        // That of a workflow that cannot be read stays, for a producer that can read it.
        if turn.memory.workflows.unreadable(&name).is_none() {
            turn.draft.cleared.push(timer);
        }
        return;
    };
    let Some(place) = entry.head.place_of(trigger) else { return turn.draft.cleared.push(timer) };
    // The head names the instant that is to fire: any other is a timer that was replaced since.
    if entry.head.next.get(place) != Some(&Some(due)) {
        return;
    }
    if due > turn.now {
        // The clock was set back since it was due: its time is to come.
        return turn.memory.timers.set(turn.partition, due, timer);
    }
    let workflow = Arc::clone(&entry.workflow);
    let Some(schedule) = workflow.schedules.get(place) else { return };
    let judgement = match turn.memory.held_fires.contains(&fire) {
        true => Judgement::fires(schedule, due),
        false => Judgement::of(schedule, due, turn.now),
    };
    if judgement.fires.is_some() && turn.context.backpressure.why_stopped().is_some() {
        return turn.hold_fire(fire);
    }
    turn.memory.held_fires.remove(&fire);
    let Judgement { fires, missed, next } = judgement;
    if let Some(Missed { first, last, count: missed, is_more }) = missed {
        // Said before it is committed: whoever dies in between has said so rather than not.
        let and_more = if is_more { ", and more than were counted" } else { "" };
        tracing::warn!(workflow = %name, missed, %first, %last, "fires were missed{and_more}");
    }
    let Some(entry) = turn.memory.workflows.get(&name) else { return };
    entry.head.next[place] = next;
    let head = entry.head.clone();
    let started = fires.map(|instant| start(turn, &name, &head, workflow, trigger, instant));
    let late = turn.now.since(fires.unwrap_or(due));
    turn.draft.then.fires.push(Fired { fire, late, started, missed });
    turn.draft.workflows.push(WorkflowDelta::Head { workflow: name, head: head.record() });
    match next {
        Some(due) => turn.draft.timers.push((due, timer)),
        None => turn.draft.cleared.push(timer),
    }
}

/// Starts the run of a fire, unless its params have no value.
fn start(
    turn: &mut Turn<'_>,
    name: &WorkflowId,
    head: &WorkflowHead,
    workflow: Arc<Workflow>,
    trigger: TriggerId,
    due: Timestamp,
) -> Option<RunId> {
    let id = RunId::of_fire(name, trigger, due, turn.partition);
    let params = match checked_params(&workflow, &Params::new(), due) {
        Ok(params) => params,
        Err(reply) => {
            tracing::error!(workflow = %name, %due, ?reply, "the fire cannot start a run");
            return None;
        }
    };
    let spec = Spec {
        v: Spec::VERSION,
        source: Source::Stored { workflow: name.clone(), version: head.version },
        params,
        scheduled_at: due,
        priority: workflow.priority,
        trigger: Trigger::Schedule,
        traceparent: None,
        base_dir: head.base_dir.clone(),
    };
    let version = Some(head.version);
    let head = Head { labels: workflow.labels.clone(), ..Head::new(name.clone(), version, turn.now) };
    turn.create(Wanted { id, keyed: true, workflow, spec, head, carried: Vec::new(), stopped: None });
    Some(id)
}
