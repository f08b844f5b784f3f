//! Every due instant of a schedule is fired or missed: exactly one of the two. Whatever the store's clock does, none is
//! slept through.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_domain::definition::{self, Workflow};
use millrace_domain::{PartitionId, RunId, Timestamp, TriggerId, WorkflowId};
use millrace_store::{Commit, WorkflowDelta};
use serde_json::Value;

use super::Auditor;
use super::books::Fires;
use crate::clock::Believed;
use crate::store::Memory;

/// The latest that a fire must be made: one that is later may be missed.
const LATEST: Duration = Duration::from_secs(60);

/// The latest that a fire keeps its turn: one that is later may give way to one that is less late.
const BUSY: Duration = Duration::from_secs(15);

/// The most that an owner's idea of the store's clock may be off.
const TOLERANCE: Duration = Duration::from_secs(2);

impl Auditor {
    /// Notes what a commit did to schedules.
    pub(super) fn scheduled(&mut self, memory: &Memory, commit: &Commit, believed: Believed) {
        for delta in &commit.workflows {
            let (name, head) = match delta {
                WorkflowDelta::Put { workflow, head, .. }
                | WorkflowDelta::Head { workflow, head }
                | WorkflowDelta::Unlist { workflow, head } => (workflow, head),
            };
            let Ok(head) = serde_json::from_str::<Value>(head) else { continue };
            let version = head["version"].as_u64().unwrap_or_default();
            let instant = |value: &Value| value.as_i64().map(Timestamp::from_millis);
            let next: Vec<_> = head["next"].as_array().into_iter().flatten().map(instant).collect();
            let triggers = match head["triggers"].as_array() {
                Some(ids) => ids.iter().filter_map(Value::as_u64).map(|id| TriggerId(id as u32)).collect(),
                None => (0..next.len() as u32).map(TriggerId).collect::<Vec<_>>(),
            };
            let key = (commit.partition, name.clone());
            let before = self.heads.remove(&key);
            // The same schedule of the version before, wherever it was in the list, fires for what it was due for.
            let due: BTreeMap<TriggerId, Timestamp> = before.iter().flat_map(Fires::due).collect();
            let workflow = match before.filter(|fires| fires.version == version) {
                Some(fires) => fires.workflow,
                None => match current(memory, commit.partition, name) {
                    Some(workflow) => workflow,
                    None => continue,
                },
            };
            for ((place, trigger), next) in triggers.iter().enumerate().zip(&next) {
                match due.get(trigger) {
                    Some(due) if next.is_some_and(|next| next < *due) => {
                        self.replanned(&workflow, *due, *next, believed);
                    }
                    Some(due) if *next != Some(*due) => {
                        let schedule = (place, *trigger);
                        self.went_past(&workflow, commit.partition, schedule, (*due, *next), believed);
                    }
                    Some(_) | None => {}
                }
            }
            self.heads.insert(key, Fires { workflow, version, triggers, next });
        }
    }

    /// Checks a schedule that went from `due` to `next`: one of the instants before that started a run, or all were
    /// missed.
    fn went_past(
        &mut self,
        workflow: &Workflow,
        home: PartitionId,
        (place, trigger): (usize, TriggerId),
        (due, next): (Timestamp, Option<Timestamp>),
        believed: Believed,
    ) {
        self.fires += 1;
        let name = &workflow.id;
        let Some(schedule) = workflow.schedules.get(place) else { return };
        let before = |at: Timestamp| at - Duration::from_millis(1);
        let last = next.and_then(|next| schedule.last_between(before(due), before(next))).unwrap_or(due);
        if last > believed.latest + TOLERANCE {
            self.object(1, || format!("{name} went past {last} ahead of its time"));
        }
        let late = |at: Timestamp| believed.latest.since(at) + TOLERANCE;
        if last > due && late(due) <= BUSY {
            self.object(1, || format!("{name} went past {due}, which was not late, to {next:?}"));
        }
        let run = RunId::of_fire(name, trigger, last, home);
        if !self.runs.contains_key(&run) && late(last) <= LATEST {
            self.object(1, || format!("{name} neither fired for {last} nor was it too late for that"));
        }
    }

    /// Checks a schedule that is to fire for an earlier instant than was planned: that one must lie ahead.
    fn replanned(
        &mut self,
        workflow: &Workflow,
        due: Timestamp,
        next: Option<Timestamp>,
        believed: Believed,
    ) {
        if next.is_some_and(|next| next <= believed.earliest - TOLERANCE) || believed.earliest >= due {
            let name = &workflow.id;
            self.object(1, || format!("{name} goes back from {due} to {next:?}, which is past"));
        }
    }

    /// Finds schedules whose next fire has no timer, lies behind, or lies further ahead than the next instant.
    pub(crate) fn unfired(&self, memory: &Memory, now: Timestamp) -> Option<String> {
        self.heads.iter().find_map(|((home, name), fires)| {
            fires.due().find_map(|(trigger, due)| {
                let timer = memory.fire_of(*home, name, trigger);
                let place = fires.triggers.iter().position(|other| *other == trigger)?;
                let first = fires.workflow.schedules.get(place)?.next_after(now);
                let wrong = timer != Some(due) || now.since(due) > TOLERANCE || Some(due) > first;
                wrong.then(|| {
                    format!("{name} fires at {due} by its head and at {timer:?} by its timer; it is {now}")
                })
            })
        })
    }
}

/// The current version of a stored workflow.
fn current(memory: &Memory, home: PartitionId, name: &WorkflowId) -> Option<Workflow> {
    let stored = memory.catalog(home)?.load(name, None)?;
    Some(definition::parse(&stored.source, "stored").ok()?.pop()?.workflow)
}
