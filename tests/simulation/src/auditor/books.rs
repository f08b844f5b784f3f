//! What the auditor remembers: of runs, claims, schedules and sessions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use millrace_domain::definition::{self, Workflow};
use millrace_domain::rule::{Ending, Readiness, Tally};
use millrace_domain::run::history::Entry;
use millrace_domain::run::{Act, Ended, Event, RunState};
use millrace_domain::{ClaimToken, Outcome, SessionId, StepIndex, TaskId, Timestamp, TriggerId, Unit};
use millrace_store::SESSION_LEASE_MS;

/// What the auditor knows of a run.
pub(crate) struct Book {
    pub(super) workflow: Arc<Workflow>,
    pub(super) state: RunState,
    /// Whether what is under way is being stopped.
    pub(super) stopping: bool,
    /// Whether the hooks of the run have their turn.
    pub(super) hooks: bool,
    /// Since when it is paused.
    pub(super) paused: Option<Timestamp>,
    /// The number of the last advance that a record of it has named.
    pub(super) advance: u64,
    pub(super) steps: Vec<Step>,
    /// The items of steps that have fanned out, as far as something of them was heard.
    pub(super) items: BTreeMap<Unit, Step>,
    pub(super) past: Past,
}

/// What a run has left of its past: what a history is read from.
#[derive(Default)]
pub(super) struct Past {
    /// The specification, as it was written when the run was created.
    pub(super) spec: String,
    /// The head, as it was written last.
    pub(super) head: String,
    /// The entries of its history.
    pub(super) entries: BTreeMap<u64, String>,
    /// The ends of steps and items.
    pub(super) ends: BTreeMap<Unit, Ended>,
    /// What its steps keep apart.
    pub(super) apart: BTreeMap<StepIndex, String>,
}

/// What the auditor knows of a step.
#[derive(Debug, Clone, Default)]
pub(super) struct Step {
    /// The last attempt that was dispatched.
    pub(super) attempt: u32,
    /// When that was.
    pub(super) dispatched_at: Timestamp,
    /// Whether that attempt is with the fleet.
    pub(super) current: bool,
    pub(super) retries: u32,
    pub(super) repeats: u32,
    pub(super) lost: u32,
    pub(super) ended: Option<Outcome>,
    /// Whether it was skipped after a failure.
    pub(super) after_failure: bool,
    /// Whether somebody has said that it ended so.
    pub(super) by_somebody: bool,
    /// Those who may answer what it asks; nobody is named where anybody may.
    pub(super) may: Option<Vec<String>>,
    /// What was done to it by people.
    pub(super) acts: Vec<Act>,
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {:?}, stopping: {}, {:?}, {:?}",
            self.workflow.id, self.state, self.stopping, self.steps, self.items
        )
    }
}

impl Book {
    /// Has the run ended?
    pub(crate) fn has_ended(&self) -> bool {
        self.state.is_terminal()
    }

    /// Has the run ended in this state?
    pub(super) fn ended_as(&self, state: RunState) -> bool {
        self.state == state
    }

    /// What is known of a unit; `None` when its step does not exist.
    pub(super) fn unit(&self, unit: Unit) -> Option<Step> {
        let step = self.steps.get(unit.step.at())?;
        match unit.item {
            None => Some(step.clone()),
            Some(_) => Some(self.items.get(&unit).cloned().unwrap_or_default()),
        }
    }

    pub(super) fn unit_mut(&mut self, unit: Unit) -> &mut Step {
        match unit.item {
            None => &mut self.steps[unit.step.at()],
            Some(_) => self.items.entry(unit).or_default(),
        }
    }

    /// What is known of the items of a step.
    pub(super) fn items_of(&self, step: StepIndex) -> impl Iterator<Item = &Step> {
        self.items.iter().filter(move |(unit, _)| unit.step == step).map(|(_, item)| item)
    }

    /// The number of attempts that were lost.
    pub(super) fn lost(&self) -> u64 {
        self.steps.iter().chain(self.items.values()).map(|step| u64::from(step.lost)).sum()
    }

    /// Is a step to start, by its rule and by how the steps that it waits for have ended?
    pub(super) fn readiness(&self, step: StepIndex) -> Readiness {
        let mut tally = Tally::open(self.workflow.graph.dependencies(step).len());
        for (on, status) in self.workflow.graph.dependency_edges(step) {
            let known = &self.steps[on.at()];
            let ending = match known.ended {
                None => continue,
                Some(Outcome::Succeeded) => Ending::Succeeded,
                Some(Outcome::Skipped) if known.after_failure => Ending::SkippedAfterFailure,
                Some(Outcome::Skipped) => Ending::Skipped,
                Some(_) if self.workflow.steps[on.at()].continue_on_error => Ending::Succeeded,
                Some(_) => Ending::Failed,
            };
            tally.count(status.judge(ending));
        }
        self.workflow.steps[step.at()].rule.readiness(tally)
    }

    /// A step that was skipped although its rule holds, and no condition kept it from starting.
    pub(super) fn wrongly_skipped(&self) -> Option<StepIndex> {
        let places = (0..self.steps.len()).map(StepIndex::from);
        // Those of a run that is skipped as a whole are.
        let is_open = self.state != RunState::Skipped;
        let mut skipped =
            places.filter(|step| is_open && self.steps[step.at()].ended == Some(Outcome::Skipped));
        skipped.find(|step| {
            let definition = &self.workflow.steps[step.at()];
            definition.condition.is_none()
                && !definition.is_run_hook()
                && !self.steps[step.at()].by_somebody
                && self.readiness(*step) == Readiness::Starts
        })
    }

    /// How often its history tells of this act.
    pub(super) fn tells_of(&self, act: &str) -> usize {
        let is_it = |entry: &Entry| match &entry.event {
            Event::Act(told) => told.id == act,
            Event::RunAct(told) => told.id == act,
            _ => false,
        };
        let entries = self.past.entries.values().filter_map(|entry| serde_json::from_str(entry).ok());
        entries.filter(is_it).count()
    }

    /// Is this the attempt that is with the fleet?
    pub(super) fn is_current(&self, task: TaskId) -> bool {
        self.unit(task.unit).is_some_and(|step| step.current && step.attempt == task.attempt)
    }
}

/// What the auditor knows of a claim: somebody's hold on an attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) token: ClaimToken,
    pub(super) session: SessionId,
    pub(super) since: Timestamp,
    pub(super) finished: bool,
}

/// What the auditor knows of the schedules of a workflow, by their places: their ids, and when each fires next.
pub(super) struct Fires {
    pub(super) workflow: Workflow,
    pub(super) version: u64,
    pub(super) triggers: Vec<TriggerId>,
    pub(super) next: Vec<Option<Timestamp>>,
}

impl Fires {
    /// The schedules that are to fire, and when.
    pub(super) fn due(&self) -> impl Iterator<Item = (TriggerId, Timestamp)> {
        self.triggers.iter().zip(&self.next).filter_map(|(trigger, next)| Some((*trigger, (*next)?)))
    }
}

/// What the auditor knows of a session.
#[derive(Debug, Clone)]
pub(super) struct Presence {
    pub(super) process: u16,
    /// The times at which the store last heard of it, and at which it last heard that the store had.
    pub(super) renewed: Timestamp,
    pub(super) heard: Timestamp,
    /// The ends of the times of a whole lease in which one of the two did not happen.
    pub(super) silences: Vec<Timestamp>,
}

/// The lease of a session.
pub(super) const LEASE: Duration = Duration::from_millis(SESSION_LEASE_MS);

impl Presence {
    /// Notes when a time of a whole lease ends in which one of the two did not happen.
    pub(super) fn gap(&mut self, now: Timestamp) {
        if now.since(self.renewed) >= LEASE || now.since(self.heard) >= LEASE {
            self.silences.push(now);
        }
    }
}

/// Whether attempts of a step may leave numbers out: what was asked of locks or a rate for an attempt, and given back, has used
/// its number.
pub(super) fn may_leave_out(step: &definition::Step) -> bool {
    !step.locks.is_empty() || step.rate.is_some()
}
