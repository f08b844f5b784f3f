//! Every due instant of a schedule is fired or missed: exactly one of the two.

use std::time::Duration;

use millrace_domain::definition::{self, Workflow};
use millrace_domain::{PartitionId, RunId, Timestamp, WorkflowName};
use millrace_store::{Commit, Timer, WorkflowDelta};
use serde_json::Value;

use super::Auditor;
use crate::store::Memory;

/// A fire may be missed that is later than this, and must be made otherwise.
const LATEST: Duration = Duration::from_secs(60);

/// How far an owner's idea of the store's clock may be off.
const TOLERANCE: Duration = Duration::from_secs(2);

/// The schedules of a workflow, and when each fires next.
pub(crate) struct Fires {
    workflow: Workflow,
    version: u64,
    next: Vec<Option<Timestamp>>,
}

impl Auditor {
    /// What a commit did to schedules.
    pub(super) fn scheduled(&mut self, memory: &Memory, commit: &Commit, now: Timestamp) {
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
            let key = (commit.partition, name.clone());
            let Some(mut fires) = self.heads.remove(&key).filter(|fires| fires.version == version) else {
                let stored = memory.catalog(commit.partition).and_then(|catalog| catalog.load(name, None));
                let parsed =
                    stored.and_then(|stored| definition::parse(&stored.source, "stored").ok()?.pop());
                let Some(parsed) = parsed else { continue };
                self.heads.insert(key, Fires { workflow: parsed.workflow, version, next });
                continue;
            };
            for (index, due) in std::mem::replace(&mut fires.next, next.clone()).into_iter().enumerate() {
                if let Some(due) = due
                    && next.get(index) != Some(&Some(due))
                {
                    self.fired(&fires.workflow, commit.partition, index, due, now);
                    self.follows(&fires.workflow, index, due, next.get(index).copied().flatten(), now);
                }
            }
            self.heads.insert(key, fires);
        }
    }

    /// A schedule went past `due`: with a run, or because it was missed.
    fn fired(
        &mut self,
        workflow: &Workflow,
        home: PartitionId,
        index: usize,
        due: Timestamp,
        now: Timestamp,
    ) {
        let run = RunId::of_fire(&workflow.name, index, due, home);
        let name = &workflow.name;
        let is_late = now.since(due) + TOLERANCE > LATEST;
        if !self.runs.contains_key(&run) && !is_late {
            self.object(1, || format!("{name} neither fired for {due} nor was it too late for that"));
        }
        if due > now + TOLERANCE {
            self.object(1, || format!("{name} fired for {due} ahead of its time"));
        }
    }

    /// What comes after `due` is the next instant, unless some were missed.
    fn follows(
        &mut self,
        workflow: &Workflow,
        index: usize,
        due: Timestamp,
        next: Option<Timestamp>,
        now: Timestamp,
    ) {
        let expected = workflow.schedules.get(index).and_then(|schedule| schedule.next_after(due));
        let is_late = now.since(due) + TOLERANCE > LATEST;
        if next != expected && !is_late {
            let name = &workflow.name;
            self.object(1, || format!("{name}: after {due} comes {expected:?}, but {next:?} was set"));
        }
    }

    /// Schedules whose next fire has no timer, or lies behind.
    pub(crate) fn unfired(&self, memory: &Memory, now: Timestamp) -> Option<String> {
        self.heads.iter().find_map(|((home, name), fires)| {
            fires.next.iter().enumerate().find_map(|(index, next)| {
                let due = (*next)?;
                let timer = timer_of(memory, *home, name, index);
                let wrong = timer != Some(due) || now.since(due) > TOLERANCE;
                wrong.then(|| {
                    format!("{name} fires at {due} by its head and at {timer:?} by its timer; it is {now}")
                })
            })
        })
    }
}

fn timer_of(memory: &Memory, home: PartitionId, name: &WorkflowName, index: usize) -> Option<Timestamp> {
    let Timer::Fire(name, index) = Timer::Fire(name.clone(), u32::try_from(index).ok()?) else { return None };
    memory.fire_of(home, &name, index)
}
