//! Stored workflows whose home is here, and their schedules. The owner of the home partition is their one
//! writer: a fire creates its run and sets the next timer in the same commit, so each instant fires once.

use std::sync::Arc;
use std::time::Duration;

use millrace_domain::definition::{Params, Workflow};
use millrace_domain::message::Reply;
use millrace_domain::run::{Head, Source, Spec, Trigger};
use millrace_domain::{PartitionId, RunId, Timestamp, WorkflowName};
use millrace_store::{Timer, WorkflowDelta};

use super::actor::{Actor, Drafts};
use super::batch::unknown_workflow;
use super::lateness::{Judgement, Missed};
use super::mailbox::{Apply, refusal};
use super::memory::workflows::Entry;
use super::store_full::{self, Fire};
use super::submit::{self, Wanted};
use crate::definitions::{WorkflowHead, zones_of};

/// Stores a definition as a new version, and sets the timers of its schedules.
pub(super) fn apply(
    actor: &mut Actor,
    home: PartitionId,
    apply: Apply,
    drafts: &mut Drafts,
    now: Timestamp,
) -> Reply {
    let Apply { workflow, source, base_dir } = apply;
    let name = workflow.name.clone();
    if !workflow.schedules.is_empty()
        && let Err(reply) = submit::checked_params(&workflow, &Params::new(), now)
    {
        return match reply {
            Reply::Error { error } => refusal(
                "param-needs-default",
                format!("a workflow with a schedule needs a default for each param: {}", error.message),
            ),
            other => other,
        };
    }
    let before = actor.workflows.any(&name);
    if let Some(entry) = before
        && !entry.head.deleted
        && entry.source == source
        && entry.head.base_dir == base_dir
    {
        return Reply::Workflow { workflow: name, version: entry.head.version, unchanged: true };
    }
    if let Some(why) = actor.context.backpressure.why_stopped() {
        return store_full::store_full(&why);
    }
    let last = before.map(|entry| entry.head.version).or_else(|| actor.workflows.unreadable_version(&name));
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
    };
    let workflow = Arc::new(workflow);
    actor.context.definitions.remember(&name, version, &workflow);
    let Some(draft) = actor.draft(drafts, home) else { return unknown_workflow(&name) };
    for index in workflow.schedules.len()..timers_before {
        draft.cleared.push(Timer::Fire(name.clone(), index as u32));
    }
    plan_fires(&mut head, &name, &workflow, draft, now);
    draft.workflows.push(WorkflowDelta::Put {
        workflow: name.clone(),
        version,
        source: source.clone(),
        head: text(&head),
    });
    actor.workflows.put(&name, Entry { head, source, workflow });
    Reply::Workflow { workflow: name, version, unchanged: false }
}

/// Sets or clears the timer of every schedule.
fn plan_fires(
    head: &mut WorkflowHead,
    name: &WorkflowName,
    workflow: &Workflow,
    draft: &mut super::draft::Draft,
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

/// Lets the schedules of a workflow rest, or go on. What falls due while they rest is missed.
pub(super) fn pause(
    actor: &mut Actor,
    home: PartitionId,
    name: &WorkflowName,
    paused: bool,
    drafts: &mut Drafts,
    now: Timestamp,
) -> Reply {
    let Some(owned) = actor.owned.get(&home) else { return unknown_workflow(name) };
    let Some(entry) = actor.workflows.get(name) else { return unknown_workflow(name) };
    let unchanged = entry.head.paused == paused;
    if !unchanged {
        let draft = drafts.entry(home).or_insert_with(|| super::draft::Draft::new(owned.epoch, owned.seq));
        entry.head.paused = paused;
        let workflow = Arc::clone(&entry.workflow);
        plan_fires(&mut entry.head, name, &workflow, draft, now);
        draft.workflows.push(WorkflowDelta::Head { workflow: name.clone(), head: text(&entry.head) });
    }
    Reply::Workflow { workflow: name.clone(), version: entry.head.version, unchanged }
}

/// Forgets a workflow. Its runs go on with the version they have.
pub(super) fn delete(
    actor: &mut Actor,
    home: PartitionId,
    name: &WorkflowName,
    drafts: &mut Drafts,
    now: Timestamp,
) -> Reply {
    let Some(owned) = actor.owned.get(&home) else { return unknown_workflow(name) };
    let Some(entry) = actor.workflows.get(name) else { return unknown_workflow(name) };
    let draft = drafts.entry(home).or_insert_with(|| super::draft::Draft::new(owned.epoch, owned.seq));
    for index in 0..entry.workflow.schedules.len() {
        draft.cleared.push(Timer::Fire(name.clone(), index as u32));
    }
    entry.head.deleted = true;
    entry.head.applied_at = now;
    entry.head.next.clear();
    draft.workflows.push(WorkflowDelta::Unlist { workflow: name.clone(), head: text(&entry.head) });
    Reply::Workflow { workflow: name.clone(), version: entry.head.version, unchanged: false }
}

/// Plans the fires of workflows anew where an instant lies before the one that is next: that was planned by a clock
/// that was ahead. An instant that has fired then fires no second run, since its run is there already.
pub(super) fn replan(
    actor: &mut Actor,
    home: PartitionId,
    names: &[WorkflowName],
    drafts: &mut Drafts,
    now: Timestamp,
) {
    for name in names {
        let Some(entry) = actor.workflows.get(name) else { continue };
        if entry.head.paused {
            continue;
        }
        let workflow = Arc::clone(&entry.workflow);
        let mut changed = Vec::new();
        for (index, (schedule, next)) in workflow.schedules.iter().zip(&mut entry.head.next).enumerate() {
            if let Some(first) = schedule.next_after(now)
                && next.is_none_or(|next| first < next)
            {
                *next = Some(first);
                changed.push((first, Timer::Fire(name.clone(), index as u32)));
            }
        }
        if changed.is_empty() {
            continue;
        }
        let head = text(&entry.head);
        let Some(draft) = actor.draft(drafts, home) else { return };
        draft.timers.extend(changed);
        draft.workflows.push(WorkflowDelta::Head { workflow: name.clone(), head });
    }
}

/// A schedule is due.
pub(super) fn fire(
    actor: &mut Actor,
    home: PartitionId,
    name: &WorkflowName,
    index: u32,
    due: Timestamp,
    drafts: &mut Drafts,
    now: Timestamp,
) {
    let stale = Timer::Fire(name.clone(), index);
    let Some(entry) = actor.workflows.get(name) else {
        // That of a workflow that cannot be read stays, for a producer that can read it.
        if actor.workflows.unreadable_version(name).is_none()
            && let Some(draft) = actor.draft(drafts, home)
        {
            draft.cleared.push(stale);
        }
        return;
    };
    let slot = index as usize;
    // The head names the instant that is to fire: any other is a timer that was replaced since.
    if entry.head.next.get(slot) != Some(&Some(due)) {
        return;
    }
    let timer = stale;
    if due > now {
        // The clock was set back since it was due: its time is to come.
        return actor.timers.set(home, due, timer);
    }
    let workflow = Arc::clone(&entry.workflow);
    let Some(schedule) = workflow.schedules.get(slot) else { return };
    let fire = (name.clone(), index, due);
    let judgement = match actor.held_fires.contains(&fire) {
        true => Judgement::fires(schedule, due),
        false => Judgement::of(schedule, due, now),
    };
    if judgement.fires.is_some() && actor.context.backpressure.why_stopped().is_some() {
        return actor.hold_fire(fire);
    }
    actor.held_fires.remove(&fire);
    let Judgement { fires, missed, next } = judgement;
    if let Some(Missed { first, last, count: missed, is_more }) = missed {
        // Said before it is committed: whoever dies in between has said so rather than not.
        let and_more = if is_more { ", and more than were counted" } else { "" };
        tracing::warn!(workflow = %name, missed, %first, %last, "fires were missed{and_more}");
    }
    let Some(entry) = actor.workflows.get(name) else { return };
    entry.head.next[slot] = next;
    let head = entry.head.clone();
    let started =
        fires.map(|instant| start(actor, home, name, &head, workflow, (slot, instant), drafts, now));
    let Some(draft) = actor.draft(drafts, home) else { return };
    draft.then.fires.push(Fired { fire, late: now.since(fires.unwrap_or(due)), started, missed });
    draft.workflows.push(WorkflowDelta::Head { workflow: name.clone(), head: text(&head) });
    match next {
        Some(due) => draft.timers.push((due, timer)),
        None => draft.cleared.push(timer),
    }
}

/// A fire that was judged. It counts once the commit holds; otherwise it comes again.
pub(crate) struct Fired {
    pub(crate) fire: Fire,
    /// How late its run is.
    late: Duration,
    /// The run that was started, if one could be; absent when none was to be.
    pub(crate) started: Option<Option<RunId>>,
    missed: Option<Missed>,
}

impl Fired {
    /// The commit holds, but for these runs, which there were already.
    pub(super) fn count(&self, duplicates: &[RunId]) {
        let count = |result| metrics::counter!("millrace_fires_total", "result" => result);
        if let Some(missed) = self.missed {
            count("missed").increment(missed.count);
        }
        match self.started {
            None => {}
            Some(None) => count("failed").increment(1),
            // It has fired before: the clock was ahead then.
            Some(Some(run)) if duplicates.contains(&run) => {}
            Some(Some(_)) => {
                metrics::histogram!("millrace_schedule_lag_seconds").record(self.late.as_secs_f64());
                count("fired").increment(1);
            }
        }
    }
}

/// Starts the run of a fire, unless its params have no value.
fn start(
    actor: &mut Actor,
    home: PartitionId,
    name: &WorkflowName,
    head: &WorkflowHead,
    workflow: Arc<Workflow>,
    (index, due): (usize, Timestamp),
    drafts: &mut Drafts,
    now: Timestamp,
) -> Option<RunId> {
    let id = RunId::of_fire(name, index, due, home);
    let params = match submit::checked_params(&workflow, &Params::new(), due) {
        Ok(params) => params,
        Err(reply) => {
            tracing::error!(workflow = %name, %due, ?reply, "the fire cannot start a run");
            return None;
        }
    };
    let source = Source::Stored { workflow: name.clone(), version: head.version };
    let spec = Spec {
        v: 1,
        source,
        params,
        scheduled_at: due,
        priority: workflow.priority,
        trigger: Trigger::Schedule,
        traceparent: None,
        base_dir: head.base_dir.clone(),
    };
    let version = Some(head.version);
    let head = Head { labels: workflow.labels.clone(), ..Head::new(name.clone(), version, now) };
    submit::draft(actor, home, Wanted { id, keyed: true, workflow, spec, head }, drafts, now);
    Some(id)
}

fn text(head: &WorkflowHead) -> String {
    serde_json::to_string(head).unwrap_or_default()
}
