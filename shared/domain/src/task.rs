//! What a worker needs to execute one attempt, complete in itself: no store is read to start a task.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Epoch, Outcome, PoolName, Priority, RunId, Seq, StepIndex, StepName, TaskId, Timestamp, WorkflowName,
};

/// One dispatch of one step, as it travels on the queue of its pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The version of this message; readers refuse one they do not know.
    pub v: u8,
    /// The run.
    pub run: RunId,
    /// The workflow, or `adhoc`.
    pub workflow: WorkflowName,
    /// The step's name, for people and the environment.
    pub step: StepName,
    /// The step's place in the definition.
    pub index: StepIndex,
    /// From 1.
    pub attempt: u32,
    /// The epoch of the commit that dispatched it.
    pub epoch: Epoch,
    /// The number of that commit.
    pub seq: Seq,
    /// The pool it was queued for.
    pub pool: PoolName,
    /// Its priority.
    pub priority: Priority,
    /// The executor's name.
    pub uses: String,
    /// The executor's input.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub with: Value,
    /// The task's own environment (`env`, then params), without what the worker adds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Where a shell task starts; the worker's own default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// How long it may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// The instant the run stands for: its fire, or its creation.
    pub scheduled_at: Timestamp,
    /// When it was dispatched.
    pub dispatched_at: Timestamp,
    /// Do not start it again after a loss.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_most_once: bool,
    /// W3C trace context of the submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

impl Task {
    /// The version this code writes.
    pub const VERSION: u8 = 1;

    /// Which dispatch this is.
    pub fn id(&self) -> TaskId {
        TaskId { run: self.run, step: self.index, attempt: self.attempt }
    }

    /// The same over all attempts of the step: what a task gives to the outside as its idempotency key.
    pub fn idempotency_key(&self) -> String {
        format!("{}:{}", self.run, self.step)
    }

    /// How long it may take.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }
}

/// How one attempt ended: stored by the worker, then reported, word for word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    /// The run.
    pub run: RunId,
    /// The step's place in the definition.
    pub step: StepIndex,
    /// The attempt.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// When the worker started it.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The exit code of a shell task, the status of an HTTP one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// Why it did not succeed, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it gives to the steps after it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub outputs: Map<String, Value>,
    /// Who ran it: the worker's host name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub worker: String,
}

impl TaskResult {
    /// Which dispatch this is the end of.
    pub fn id(&self) -> TaskId {
        TaskId { run: self.run, step: self.step, attempt: self.attempt }
    }
}
