//! Where a run and its steps can stand. Each state says who moves it on.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Spec;
use crate::definition::Workflow;
use crate::{Outcome, RunId, StepIndex, Timestamp, WorkflowName};

/// A run in its owner's memory.
#[derive(Debug, Clone)]
pub struct Run {
    /// Which one.
    pub id: RunId,
    /// What it runs: one version, to the end.
    pub workflow: Arc<Workflow>,
    /// What was asked for.
    pub spec: Arc<Spec>,
    /// How it stands as a whole.
    pub head: Head,
    /// How each step stands, by its place in the definition.
    pub steps: Vec<StepState>,
    /// How many dependencies of each step have not succeeded yet.
    pub(super) unmet: Vec<u32>,
    /// How many steps have not ended yet.
    pub(super) open: u32,
}

/// A run as a whole: what lists show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// Where it stands.
    pub state: RunState,
    /// Its workflow, or `adhoc`.
    pub workflow: WorkflowName,
    /// The version of a stored workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it is to start, if that is later than its creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Timestamp>,
    /// Its start is so long after its creation, rather than at an instant that somebody has named.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub delayed: bool,
    /// When its first steps were dispatched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Why it did not succeed, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// It is being stopped, and will end with this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping: Option<Outcome>,
    /// When it began to be stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping_since: Option<Timestamp>,
    /// What it will end with: the outcome of the first step that did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Outcome>,
    /// For people and filters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// A digest of a keyed submission's body: over REST another body under the same key is a conflict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

impl Head {
    /// The head of a run that is about to start.
    pub fn new(workflow: WorkflowName, version: Option<u32>, created_at: Timestamp) -> Self {
        Self {
            state: RunState::Running,
            workflow,
            version,
            created_at,
            start_at: None,
            delayed: false,
            started_at: None,
            ended_at: None,
            reason: None,
            stopping: None,
            stopping_since: None,
            verdict: None,
            labels: BTreeMap::new(),
            digest: None,
        }
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Its start lies ahead. Its `start` timer moves it on.
    Waiting,
    /// Results of its tasks move it on.
    Running,
    /// It ended well.
    Succeeded,
    /// A step failed for good.
    Failed,
    /// A step, or the run, took too long.
    TimedOut,
    /// Somebody stopped it.
    Cancelled,
}

impl RunState {
    /// Terminal states never change.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }

    /// The word in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
        }
    }
}

impl From<Outcome> for RunState {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded | Outcome::Skipped => Self::Succeeded,
            Outcome::Failed | Outcome::Lost => Self::Failed,
            Outcome::TimedOut => Self::TimedOut,
            Outcome::Cancelled => Self::Cancelled,
        }
    }
}

/// Where a step stands, for its owner. Whether a dispatched attempt is still queued or already running is
/// known to the store alone.
#[derive(Debug, Clone, PartialEq)]
pub enum StepState {
    /// Its dependencies move it on.
    Waiting,
    /// An attempt is with the fleet. Its result, or the watch, moves it on.
    Dispatched(Attempts),
    /// It waits for its next attempt. Its `retry` timer moves it on.
    Backoff {
        /// So far.
        attempts: Attempts,
        /// When the next one is due.
        until: Timestamp,
        /// Why the last one did not do.
        reason: Option<String>,
    },
    /// Nothing moves it any more.
    Ended(Box<Ended>),
}

/// The attempts of a step so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Attempts {
    /// The current, or last, attempt, from 1.
    pub attempt: u32,
    /// How many of them were retries after an outcome.
    #[serde(default)]
    pub retries: u32,
    /// How many were lost.
    #[serde(default)]
    pub lost: u32,
    /// When the current one was dispatched.
    #[serde(default)]
    pub dispatched_at: Timestamp,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// The attempts it took; 0 when it never started.
    pub attempts: Attempts,
    /// When its last attempt started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Timestamp,
    /// Exit code or status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// Why it did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it hands on.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub outputs: Map<String, Value>,
    /// Who ran it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub worker: String,
}

impl Run {
    /// The attempts that are with the fleet now.
    pub fn dispatched(&self) -> impl Iterator<Item = (StepIndex, Attempts)> + '_ {
        self.steps.iter().enumerate().filter_map(|(index, step)| match step {
            StepState::Dispatched(attempts) => Some((index.into(), *attempts)),
            _ => None,
        })
    }

    /// The attempt of `step` that is with the fleet now.
    pub fn current_attempt(&self, step: StepIndex) -> Option<u32> {
        match self.steps.get(step.at()) {
            Some(StepState::Dispatched(attempts)) => Some(attempts.attempt),
            _ => None,
        }
    }

    /// How many steps have not ended.
    pub fn open(&self) -> u32 {
        self.open
    }

    /// How many dependencies of `step` have not succeeded yet; 0 for a step that there is not.
    pub fn unmet(&self, step: StepIndex) -> u32 {
        self.unmet.get(step.at()).copied().unwrap_or_default()
    }
}
