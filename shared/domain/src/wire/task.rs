//! What a worker needs to execute one attempt, complete in itself: no store is read to start a task.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::lock::LockGroup;
use crate::{
    Epoch, Lane, Outcome, PoolName, Priority, RunId, Seq, StepIndex, StepName, TaskId, TaskQueue, Timestamp,
    Unit, WorkflowId,
};

/// A task: one dispatch of one step, as it travels on the queue of its pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The version of this message; readers refuse one they do not know.
    pub v: u8,
    /// The run that the task belongs to.
    pub run: RunId,
    /// The id of the workflow, or `adhoc`.
    pub workflow: WorkflowId,
    /// The step's name, for people and the environment.
    pub step: StepName,
    /// The step's place in the definition.
    pub index: StepIndex,
    /// The item of a step that fans out, by its place in the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The epoch of the commit that dispatched the task.
    pub epoch: Epoch,
    /// The number of that commit.
    pub seq: Seq,
    /// The pool that the task was queued for.
    pub pool: PoolName,
    /// The priority of the task.
    pub priority: Priority,
    /// The name of the executor.
    pub uses: String,
    /// The input of the executor.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub with: Value,
    /// The task's own environment (`env`, then params), without what the worker adds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The directory where a shell task starts; the worker's own default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// The timeout of the task, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// The instant the run stands for: its fire, or its creation.
    pub scheduled_at: Timestamp,
    /// When the task was dispatched.
    pub dispatched_at: Timestamp,
    /// Whether the task is not to be started again after a loss.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_most_once: bool,
    /// The rate of which the task has a reserve: its home is told when the task has started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<LockGroup>,
    /// The W3C trace context of the submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// The bytes of all texts of a value, and one for each other value in it.
fn text_bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(text_bytes).sum::<usize>() + items.len(),
        Value::Object(fields) => fields.iter().map(|(key, value)| key.len() + text_bytes(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

impl Task {
    /// The queue in which the task waits.
    pub fn queue(&self) -> TaskQueue {
        self.pool.clone().into()
    }

    /// The lane in which the task waits.
    pub fn lane(&self) -> Lane {
        Lane { queue: self.queue(), priority: self.priority }
    }

    /// The version of tasks that this code writes.
    pub const VERSION: u8 = 1;

    /// About how many bytes its input takes, which is the part of a task that may be large.
    pub fn input_bytes(&self) -> usize {
        let env: usize = self.env.iter().map(|(name, value)| name.len() + value.len()).sum();
        env + text_bytes(&self.with)
    }

    /// The id of the task: which dispatch it is.
    pub fn id(&self) -> TaskId {
        let unit = Unit { step: self.index, item: self.item };
        TaskId { run: self.run, unit, attempt: self.attempt }
    }

    /// The idempotency key that a task gives to the outside, `<run>:<name of the step>` with `.<item>` behind it for an
    /// item of a step that fans out: the same over all attempts.
    pub fn idempotency_key(&self) -> String {
        match self.item {
            None => format!("{}:{}", self.run, self.step),
            Some(item) => format!("{}:{}.{item}", self.run, self.step),
        }
    }

    /// Reads the tasks of one message: one task, or an array of them, a *bundle*.
    ///
    /// # Errors
    /// What the message is instead.
    pub fn read(payload: &[u8]) -> Result<Vec<Self>, TaskError> {
        let read: serde_json::Result<Vec<Self>> = if is_bundle(payload) {
            serde_json::from_slice(payload)
        } else {
            serde_json::from_slice(payload).map(|task| vec![task])
        };
        match read {
            Ok(tasks) if tasks.is_empty() => Err(TaskError::Empty),
            Ok(tasks) => match tasks.iter().find(|task| task.v != Self::VERSION) {
                Some(task) => Err(TaskError::Version(u64::from(task.v))),
                None => Ok(tasks),
            },
            // Of another version, other fields may be missing: its number says more.
            Err(error) => Err(match version_of(payload) {
                Some(other) if other != u64::from(Self::VERSION) => TaskError::Version(other),
                _ => TaskError::Unreadable(error.to_string()),
            }),
        }
    }

    /// The texts of the tasks of one message, word for word, each with its run: that much is the same in all versions.
    ///
    /// # Errors
    /// When it is no message of tasks in any version.
    pub fn texts(payload: &[u8]) -> serde_json::Result<Vec<(RunId, &RawValue)>> {
        #[derive(Deserialize)]
        struct OfRun {
            run: RunId,
        }
        let texts: Vec<&RawValue> = match is_bundle(payload) {
            true => serde_json::from_slice(payload)?,
            false => vec![serde_json::from_slice(payload)?],
        };
        texts
            .into_iter()
            .map(|text| serde_json::from_str(text.get()).map(|OfRun { run }| (run, text)))
            .collect()
    }

    /// The fields of a task that are not known here; `text` is the task as it was sent.
    pub fn unknown_fields(text: &Value) -> Vec<String> {
        #[derive(Deserialize)]
        struct Carried {
            #[serde(flatten)]
            _known: Task,
            #[serde(flatten)]
            rest: Map<String, Value>,
        }
        let carried = Carried::deserialize(text);
        carried.map(|carried| carried.rest.into_iter().map(|(name, _)| name).collect()).unwrap_or_default()
    }

    /// The message of these tasks, at least one, as [`Task::read`] reads it.
    pub fn message(tasks: &[Self]) -> Vec<u8> {
        match tasks {
            [one] => serde_json::to_vec(one),
            many => serde_json::to_vec(many),
        }
        .unwrap_or_default()
    }

    /// The timeout of the task.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }
}

/// The error of a message on a task queue that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// The message is something else.
    #[error("expected a task or an array of tasks: {0}")]
    Unreadable(String),
    /// The message is an array without tasks.
    #[error("expected at least one task in the array")]
    Empty,
    /// The message was written by a newer program.
    #[error("a task of version {0}; this worker reads version {version}", version = Task::VERSION)]
    Version(u64),
}

impl TaskError {
    /// Whether it is a message of tasks that a newer program can read.
    pub fn is_newer(&self) -> bool {
        matches!(self, Self::Version(version) if *version > u64::from(Task::VERSION))
    }
}

/// Whether a message is an array.
fn is_bundle(payload: &[u8]) -> bool {
    payload.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

/// The version that a message names, whatever else it says.
fn version_of(payload: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Versioned {
        v: u64,
    }
    let one = serde_json::from_slice::<Versioned>(payload).ok();
    let first = || serde_json::from_slice::<Vec<Versioned>>(payload).ok()?.into_iter().next();
    one.or_else(first).map(|versioned| versioned.v)
}

/// The result of one attempt: stored by the worker, then reported, word for word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    /// The run that the task belongs to.
    pub run: RunId,
    /// The step's place in the definition.
    pub step: StepIndex,
    /// The item of a step that fans out, by its place in the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The outcome of the attempt.
    pub outcome: Outcome,
    /// When the worker started the attempt.
    pub started_at: Timestamp,
    /// When the attempt ended.
    pub ended_at: Timestamp,
    /// The exit code of a shell task, the status of an HTTP one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// Why the attempt did not succeed, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The outputs for the steps after it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub outputs: Map<String, Value>,
    /// For how long everybody is to wait, as the other side has said. In milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Whether the outputs have kinds of their own, since they came as JSON. Otherwise texts may stand for other values.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_typed: bool,
    /// The host name of the worker that ran the attempt.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub worker: String,
}

impl TaskResult {
    /// The id of the task that this is the result of.
    pub fn id(&self) -> TaskId {
        let unit = Unit { step: self.step, item: self.item };
        TaskId { run: self.run, unit, attempt: self.attempt }
    }
}
