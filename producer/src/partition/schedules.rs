//! Stored workflows whose home is here, and their schedules. The owner of the home partition is their one
//! writer: a fire creates its run and sets the next timer in the same commit, so each instant fires once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_domain::definition::{self, Params, Workflow};
use millrace_domain::message::Reply;
use millrace_domain::run::{Head, Source, Spec, Trigger};
use millrace_domain::{PartitionId, RunId, Timestamp, WorkflowName};
use millrace_store::{Timer, WorkflowDelta};

use super::actor::{Actor, Drafts};
use super::batch::unknown_workflow;
use super::mailbox::{Apply, refusal};
use super::refused;
use super::submit::{self, Wanted};
use crate::context::Context;
use crate::definitions::WorkflowHead;

/// A fire that is later than this was missed (`catchup: none`); one that is less late still fires.
const LATEST: Duration = Duration::from_secs(60);

/// Workflows at home here, as last committed.
#[derive(Default)]
pub(crate) struct Workflows(HashMap<WorkflowName, Option<Entry>>);

struct Entry {
    head: WorkflowHead,
    source: String,
    workflow: Arc<Workflow>,
}

impl Workflows {
    /// Makes sure that a workflow is here if it exists. `None` when the store does not answer.
    pub(super) async fn load(
        &mut self,
        context: &Context,
        home: PartitionId,
        name: &WorkflowName,
    ) -> Option<()> {
        if self.0.contains_key(name) {
            return Some(());
        }
        let stored = match context.store.load_workflow(home, name, None).await {
            Ok(stored) => stored,
            Err(error) => {
                tracing::warn!(%error, workflow = %name, "the workflow cannot be loaded");
                return None;
            }
        };
        let entry = stored.and_then(|stored| {
            let head = serde_json::from_str(&stored.head).ok()?;
            let workflow = definition::parse(&stored.source, "stored definition").ok()?.pop()?.workflow;
            Some(Entry { head, source: stored.source, workflow: Arc::new(workflow) })
        });
        self.0.insert(name.clone(), entry);
        Some(())
    }

    /// What is here of a workflow was not committed: the store knows what holds.
    pub(super) fn read_again(&mut self, name: &WorkflowName) {
        self.0.remove(name);
    }

    /// A partition is not ours any more.
    pub(super) fn forget(&mut self, partition: PartitionId, partitions: u16) {
        self.0.retain(|name, _| PartitionId::home_of(name, partitions) != partition);
    }

    /// A workflow that exists and was not deleted.
    fn get(&mut self, name: &WorkflowName) -> Option<&mut Entry> {
        self.0.get_mut(name)?.as_mut().filter(|entry| !entry.head.deleted)
    }
}

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
    let before = actor.workflows.0.get(&name).and_then(Option::as_ref);
    if let Some(entry) = before
        && !entry.head.deleted
        && entry.source == source
        && entry.head.base_dir == base_dir
    {
        return Reply::Workflow { workflow: name, version: entry.head.version, unchanged: true };
    }
    if let Some(why) = actor.context.room.why_stopped() {
        return refused::store_full(&why);
    }
    let version = before.map_or(0, |entry| entry.head.version) + 1;
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
    actor.workflows.0.insert(name.clone(), Some(Entry { head, source, workflow }));
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
        if let Some(draft) = actor.draft(drafts, home) {
            draft.cleared.push(stale);
        }
        return;
    };
    let slot = index as usize;
    // The head names the instant that is to fire: any other is a timer that was replaced since.
    if entry.head.next.get(slot) != Some(&Some(due)) {
        return;
    }
    let workflow = Arc::clone(&entry.workflow);
    let Some(schedule) = workflow.schedules.get(slot) else { return };
    let late = now.since(due);
    let fire = (name.clone(), index, due);
    let missed = late > LATEST && !actor.held_fires.contains(&fire);
    if !missed && actor.context.room.why_stopped().is_some() {
        return actor.hold_fire(fire);
    }
    actor.held_fires.remove(&fire);
    metrics::histogram!("millrace_schedule_lag_seconds").record(late.as_secs_f64());
    let Some(entry) = actor.workflows.get(name) else { return };
    let next = if missed { schedule.next_after(now - LATEST) } else { schedule.next_after(due) };
    entry.head.next[slot] = next;
    let (head, workflow) = (entry.head.clone(), Arc::clone(&workflow));
    let result = if missed {
        tracing::warn!(workflow = %name, %due, late_s = late.as_secs(), "the fire was missed");
        "missed"
    } else {
        start(actor, home, name, &head, workflow, (slot, due), drafts, now)
    };
    metrics::counter!("millrace_fires_total", "result" => result).increment(1);
    let Some(draft) = actor.draft(drafts, home) else { return };
    draft.then.fires.push((fire, missed));
    draft.workflows.push(WorkflowDelta::Head { workflow: name.clone(), head: text(&head) });
    match next {
        Some(due) => draft.timers.push((due, stale)),
        None => draft.cleared.push(stale),
    }
}

/// Starts the run of a fire.
fn start(
    actor: &mut Actor,
    home: PartitionId,
    name: &WorkflowName,
    head: &WorkflowHead,
    workflow: Arc<Workflow>,
    (index, due): (usize, Timestamp),
    drafts: &mut Drafts,
    now: Timestamp,
) -> &'static str {
    let id = fire_id(name, index, due, home);
    let params = match submit::checked_params(&workflow, &Params::new(), due) {
        Ok(params) => params,
        Err(reply) => {
            tracing::error!(workflow = %name, %due, ?reply, "the fire cannot start a run");
            return "failed";
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
    "fired"
}

fn fire_id(name: &WorkflowName, index: usize, due: Timestamp, home: PartitionId) -> RunId {
    RunId::of_fire(name, index, due, home)
}

fn text(head: &WorkflowHead) -> String {
    serde_json::to_string(head).unwrap_or_default()
}
