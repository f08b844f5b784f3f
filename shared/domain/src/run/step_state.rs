//! Where a step or an item can stand. What moves each state on is in `mover`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Asks;
use crate::lock::Want;
use crate::{Outcome, RunId, Timestamp, WorkflowId};

/// The state of a step, for its owner. Whether a dispatched attempt is still queued or already running is known to
/// the store alone.
#[derive(Debug, Clone, PartialEq)]
pub enum StepState {
    /// The step waits for its dependencies, which move it on.
    Waiting,
    /// An attempt is with the fleet. Its result, or the watch, moves it on.
    Dispatched(Attempts),
    /// The step waits for a time: that of its next attempt, or of its first; or it is itself a wait. Its `retry` timer
    /// moves it on.
    Backoff {
        /// The attempts so far. A wait that has begun notes in `dispatched_at` when it did.
        attempts: Attempts,
        /// When the time has come.
        until: Timestamp,
        /// Why the last attempt was not enough; before the first attempt, what is waited for.
        reason: Option<String>,
    },
    /// The unit asks people: for approval, for values, or what is to become of it, since its retries are used up. Its `retry`
    /// timer ends it when they have not answered.
    Asking {
        /// What it asks.
        asks: Asks,
        /// The end that it comes to then.
        end: Box<Ended>,
        /// When that is.
        until: Timestamp,
    },
    /// The unit waits for locks before its next attempt. The grant moves it on; its `retry` timer asks again until then.
    Locking {
        /// The attempts so far.
        attempts: Attempts,
        /// Since when it waits.
        since: Timestamp,
        /// What it wants.
        wants: Box<[Want]>,
    },
    /// The unit is a run of another workflow, its child. The end of that moves it on; its `retry` timer asks after it until
    /// then.
    Child {
        /// The attempts so far. The current one is the child.
        attempts: Attempts,
        /// The workflow that the child runs.
        workflow: WorkflowId,
        /// Whether the unit waits for the end of the child, and not only for its start.
        waits: bool,
    },
    /// The step has fanned out, and not all of its items have ended. Its items move it on.
    Fanned(Box<Fan>),
    /// The step has ended. Nothing moves it any more.
    Ended(Box<Ended>),
}

/// The attempts of a step so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Attempts {
    /// The number of the current, or last, attempt, from 1.
    pub attempt: u32,
    /// The number of them that were retries after an outcome.
    #[serde(default)]
    pub retries: u32,
    /// The number of them that were lost.
    #[serde(default)]
    pub lost: u32,
    /// The number of them that succeeded, and were not enough. Retries and losses are counted from the last of these on.
    #[serde(default, skip_serializing_if = "is_zero_u32")]
    pub repeats: u32,
    /// When the current attempt was dispatched.
    #[serde(default)]
    pub dispatched_at: Timestamp,
    /// The number of the advance that made this attempt, or the wait for the next one; 0 for a first attempt that was made
    /// at once, which has no record of its own: the record of what it waited for has the number.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub advance: u64,
}

/// The end of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// The outcome of the step.
    pub outcome: Outcome,
    /// The attempts that the step took; 0 when it never started.
    pub attempts: Attempts,
    /// When the last attempt started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When the step ended, by the clock of whoever ended it.
    pub ended_at: Timestamp,
    /// The number of the advance that ended the step; 0 when version 0.1 ended it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub advance: u64,
    /// The number of steps that the same advance had failed before this one.
    #[serde(default, skip_serializing_if = "is_zero_u32")]
    pub order: u32,
    /// When the owner of the run applied the end, by the store's clock; `None` when version 0.1 did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<Timestamp>,
    /// The exit code of a command, or the status of a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// Why the step did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether the step was skipped after a failure: something that it waited for had failed, at any distance.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_failure: bool,
    /// The outputs that the step hands on.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub outputs: Map<String, Value>,
    /// The bytes (JSON) of outputs that are large: they are kept apart from the run, and `outputs` is empty.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub outputs_bytes: u64,
    /// The worker that ran the last attempt.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub worker: String,
    /// Who has said that the unit ended so; `None` where nobody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The run in which the unit had ended, of which this one is a continuation: its end was carried over from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried: Option<RunId>,
    /// The items of a step that has fanned out. Their ends, with their outputs, are kept apart from the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<ItemCounts>>,
}

/// A step that has fanned out.
#[derive(Debug, Clone, PartialEq)]
pub struct Fan {
    /// What is written down of it.
    pub fanned: Fanned,
    /// The list: empty where the run was restored without it.
    pub items: Arc<[Value]>,
    /// The items that have begun and not ended. Each is dispatched, or waits for its next attempt.
    pub open: BTreeMap<u32, StepState>,
}

/// The record of a step that has fanned out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fanned {
    /// The counts of its items.
    #[serde(flatten)]
    pub counts: ItemCounts,
    /// When the step fanned out.
    pub began_at: Timestamp,
    /// The bytes of its items' outputs so far.
    #[serde(default)]
    pub output_bytes: u64,
    /// The first item that failed, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<(u32, String)>,
    /// Since when the items that are left are given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping_since: Option<Timestamp>,
    /// The number of the last advance that changed it.
    #[serde(default)]
    pub advance: u64,
}

/// The counts of the items of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ItemCounts {
    /// All of them.
    pub total: u32,
    /// Those that have begun: the items below this place.
    pub begun: u32,
    /// Those that have succeeded.
    #[serde(default)]
    pub succeeded: u32,
    /// Those that have failed or timed out.
    #[serde(default)]
    pub failed: u32,
    /// Those that were given up after they had begun.
    #[serde(default)]
    pub cancelled: u32,
    /// Those that were skipped after they had begun.
    #[serde(default, skip_serializing_if = "is_zero_u32")]
    pub skipped: u32,
}

impl ItemCounts {
    /// The items that have ended.
    pub fn ended(&self) -> u32 {
        self.succeeded + self.failed + self.cancelled + self.skipped
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_zero_u32(number: &u32) -> bool {
    *number == 0
}
