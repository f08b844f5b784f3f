//! Where a run can stand. What moves each state on is in `mover`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::act::Done;
use super::child::Parent;
use super::hold::Holds;
use super::{Continuation, Paused, RetryOf, Slot, Spec, StepState};
use crate::definition::Workflow;
use crate::rule::{Ending, Tally};
use crate::{Outcome, Priority, RunId, StepIndex, Timestamp, Unit, WorkflowId};

/// A run in its owner's memory.
#[derive(Debug, Clone)]
pub struct Run {
    /// The id of the run.
    pub id: RunId,
    /// The version of the workflow that the run executes, to the end.
    pub workflow: Arc<Workflow>,
    /// The specification: what was asked for.
    pub spec: Arc<Spec>,
    /// The head: the state of the run as a whole.
    pub head: Head,
    /// The state of each step, by its place in the definition.
    pub steps: Vec<StepState>,
    /// The count of the dependencies of each step by how they are judged.
    pub(super) tallies: Vec<Tally>,
    /// The number of steps that have not ended yet.
    pub(super) open: u32,
    /// The number of steps that have ended and whose outputs are not in memory, but for those that were lent.
    pub(super) elsewhere: u32,
    /// Outputs that are kept elsewhere, lent for the time in which a batch of events is applied.
    pub(super) lent: BTreeMap<StepIndex, Arc<Value>>,
    /// What units hold of locks, or have asked for: only those that wait for locks, or have an attempt under way with them.
    pub(super) holds: BTreeMap<Unit, Holds>,
    /// The number of the last advance that changed the run, see [`Run::last_advance`].
    pub(super) advance: u64,
}

/// The head of a run: its state as a whole, which lists show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// The state of the run.
    pub state: RunState,
    /// The name of the workflow, or `adhoc`.
    pub workflow: WorkflowId,
    /// The version of a stored workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// When the run was accepted.
    pub created_at: Timestamp,
    /// When the run is to start, if that is later than its creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Timestamp>,
    /// Whether its start was given as a delay after its creation, rather than as an instant that somebody has named.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delayed: bool,
    /// The slot that the run has or waits for, where its workflow allows only so many runs at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Box<Slot>>,
    /// When its first steps were dispatched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When the run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Why the run did not succeed, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The outcome with which a run that is being stopped will end; `None` while nobody stops it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping: Option<Outcome>,
    /// When the run began to be stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping_since: Option<Timestamp>,
    /// Since when the hooks of the run have their turn: all other steps have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hooks_since: Option<Timestamp>,
    /// Whether the hooks of the run are being stopped, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hooks_stopped: bool,
    /// The outcome of the first step that did not succeed, noted when it ended. Version 0.1 ends the run by this note;
    /// we go by the steps, see [`Run::verdict`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Outcome>,
    /// The outputs of the run, once all steps have ended: only a run that succeeds has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Map<String, Value>>,
    /// Why the outputs of the run could not be made, for which it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs_missing: Option<String>,
    /// The pause of the run, while nothing of it is to begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Box<Paused>>,
    /// The priority that somebody has given it since it was created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_priority: Option<Priority>,
    /// What people did to the run and its steps: the last of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acts: Vec<Done>,
    /// The step of another run that this one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Box<Parent>>,
    /// The run that this one goes on with: it is a continuation of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<Box<RetryOf>>,
    /// The continuations of the run, once it has ended: the last of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub continuations: Vec<Continuation>,
    /// The labels of the run, for people and filters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The digest of a keyed submission's body: over REST another body under the same key is a conflict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The number of the advance that changed the head last; 0 when version 0.1 did, which does not count them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub advance: u64,
    /// What a newer version has written into the run's records and this one does not know.
    #[serde(skip)]
    pub carried: Option<Box<Carried>>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Fields of a run's records that are not known here. They go back into the records when these are rewritten.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Carried {
    /// The fields of the head.
    pub(super) head: Map<String, Value>,
    /// The fields of the records of units that have not ended.
    pub(super) units: BTreeMap<Unit, Map<String, Value>>,
}

impl Head {
    /// The head of a run that is about to start.
    pub fn new(workflow: WorkflowId, version: Option<u32>, created_at: Timestamp) -> Self {
        Self {
            state: RunState::Running,
            workflow,
            version,
            created_at,
            start_at: None,
            delayed: false,
            slot: None,
            started_at: None,
            ended_at: None,
            reason: None,
            stopping: None,
            stopping_since: None,
            hooks_since: None,
            hooks_stopped: false,
            verdict: None,
            outputs: None,
            outputs_missing: None,
            paused: None,
            given_priority: None,
            acts: Vec::new(),
            parent: None,
            retry_of: None,
            continuations: Vec::new(),
            labels: BTreeMap::new(),
            digest: None,
            advance: 0,
            carried: None,
        }
    }

    /// Whether what is under way is being stopped. A stop ends the steps, and then the hooks of the run have their turn,
    /// which nothing but a stop of their own ends.
    pub fn is_stopping(&self) -> bool {
        match self.hooks_since {
            None => self.stopping.is_some(),
            Some(_) => self.hooks_stopped,
        }
    }
}

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// The start lies ahead, or the run waits for a slot of its workflow. The `start` timer moves the run on: it is due then,
    /// or asks again.
    Waiting,
    /// Steps are under way. Results of its tasks move the run on.
    Running,
    /// The run ended well.
    Succeeded,
    /// A step failed for good.
    Failed,
    /// A step, or the run, took longer than its timeout.
    TimedOut,
    /// Somebody stopped the run.
    Cancelled,
    /// The run was not wanted after all, and never started. It did not fail.
    Skipped,
}

impl RunState {
    /// All states, in the order in which they are listed.
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Running,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::Skipped,
    ];

    /// Whether the state is terminal: it never changes any more.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Waiting | Self::Running => false,
            Self::Succeeded | Self::Failed | Self::TimedOut | Self::Cancelled | Self::Skipped => true,
        }
    }

    /// The word for the state in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

impl From<Outcome> for RunState {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Succeeded,
            Outcome::Failed | Outcome::Lost => Self::Failed,
            Outcome::TimedOut => Self::TimedOut,
            Outcome::Cancelled => Self::Cancelled,
            Outcome::Skipped => Self::Skipped,
        }
    }
}

impl Run {
    /// The number of the last advance that changed the run: its creation is the first, and each one that changes the
    /// head or a step is the next. Every record that an advance changes has its number, so that the highest of them is
    /// the run's after a reload. A run that version 0.1 had in between goes on after the highest that is left.
    pub fn last_advance(&self) -> u64 {
        self.advance
    }

    /// The number of the advance that is being made.
    pub(super) fn this_advance(&self) -> u64 {
        self.advance + 1
    }

    /// The number of steps that have not ended.
    pub fn open(&self) -> u32 {
        self.open
    }

    /// The count of the dependencies of `step` by how they are judged; nothing for a step that does not exist.
    pub fn tally(&self, step: StepIndex) -> Tally {
        self.tallies.get(step.at()).copied().unwrap_or_default()
    }

    /// The outcome of a step that has ended.
    pub fn outcome_of(&self, step: StepIndex) -> Option<Outcome> {
        match self.steps.get(step.at())? {
            StepState::Ended(end) => Some(end.outcome),
            _ => None,
        }
    }

    /// Why a step that has ended did not succeed.
    pub fn reason_of(&self, step: StepIndex) -> Option<&str> {
        match self.steps.get(step.at())? {
            StepState::Ended(end) => end.reason.as_deref(),
            _ => None,
        }
    }

    /// The way in which a step ended, as those that wait for it see it; `None` while it has not.
    pub fn ending(&self, step: StepIndex) -> Option<Ending> {
        let StepState::Ended(end) = self.steps.get(step.at())? else { return None };
        Some(match end.outcome {
            Outcome::Succeeded => Ending::Succeeded,
            Outcome::Skipped if end.after_failure => Ending::SkippedAfterFailure,
            Outcome::Skipped => Ending::Skipped,
            Outcome::Failed | Outcome::TimedOut | Outcome::Cancelled | Outcome::Lost => {
                let is_excused = self.workflow.step(step).is_some_and(|step| step.continue_on_error);
                if is_excused { Ending::Succeeded } else { Ending::Failed }
            }
        })
    }

    /// Judges the dependencies of all steps by how the steps stand: O(steps + edges).
    pub(super) fn judge_all(&mut self) {
        let graph = &self.workflow.graph;
        let mut tallies: Vec<Tally> =
            (0..self.steps.len()).map(|step| Tally::open(graph.dependencies(step.into()).len())).collect();
        for step in (0..self.steps.len()).map(StepIndex::from) {
            let Some(ending) = self.ending(step) else { continue };
            for (dependent, status) in graph.dependent_edges(step) {
                tallies[dependent.at()].count(status.judge(ending));
            }
        }
        self.tallies = tallies;
    }
}
