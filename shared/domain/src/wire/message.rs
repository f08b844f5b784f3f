//! The words spoken on the wire between producers and workers, versioned. What clients submit is in
//! [`crate::submission`]; what travels to a worker is [`crate::task::Task`].

use serde::{Deserialize, Serialize};

use crate::submission::Submission;
use crate::task::{Task, TaskResult};
use crate::{RunId, SessionId, TaskId, WorkflowName};

/// The version this code writes.
pub const VERSION: u8 = 1;

/// What arrives in `inbox.<partition>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inbox {
    /// The version of this message.
    pub v: u8,
    /// What happened.
    #[serde(flatten)]
    pub body: InboxBody,
}

impl Inbox {
    /// A message of the current version.
    pub fn new(body: InboxBody) -> Self {
        Self { v: VERSION, body }
    }
}

/// What can happen to a partition from outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum InboxBody {
    /// Attempts ended. Workers put as many as are ready into one message.
    Results {
        /// All of one partition.
        results: Vec<TaskResult>,
    },
    /// A submission that another producer took in, for a run that lives here. Answered with a [`Reply`].
    Submit {
        /// As the client gave it.
        submission: Box<Submission>,
    },
    /// Somebody wants a run stopped.
    Cancel {
        /// Which one.
        run: RunId,
        /// Who, or why, for people.
        reason: String,
    },
    /// A worker was handed a task that somebody else holds: look whether that session is over.
    Held {
        /// The task.
        task: TaskId,
        /// Who holds it.
        session: SessionId,
    },
    /// A worker has a task of a run that is not stored (any more).
    Orphan {
        /// The task, whole.
        task: Box<Task>,
        /// It was carried out, and there was no place to store its outcome.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ran: bool,
    },
    /// Store a definition: a new version of a workflow whose home is here. Answered with a [`Reply`].
    Apply {
        /// The definition's source, one document.
        source: String,
        /// Where its shell steps start that do not say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base_dir: Option<String>,
    },
    /// Stop or resume the schedules of a workflow whose home is here. Answered with a [`Reply`].
    Pause {
        /// Which one.
        workflow: WorkflowName,
        /// Paused, or not.
        paused: bool,
    },
    /// Forget a workflow whose home is here. Its runs go on. Answered with a [`Reply`].
    Delete {
        /// Which one.
        workflow: WorkflowName,
    },
}

/// What a producer answers to a message that has `reply_to`, after the commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Reply {
    /// Refused, for good.
    Error {
        /// Why.
        error: ReplyError,
    },
    /// A run was accepted, or the key was known and this is its run.
    Run {
        /// The run.
        run_id: RunId,
        /// The key was known: nothing new was started.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        duplicate: bool,
    },
    /// An array was submitted: one answer for each, in order.
    Many(Vec<Reply>),
    /// A workflow was changed.
    Workflow {
        /// Which one.
        workflow: WorkflowName,
        /// Its version now.
        version: u32,
        /// The definition was the same already.
        #[serde(default)]
        unchanged: bool,
    },
}

/// A refusal with a stable code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplyError {
    /// Stable, for programs.
    pub code: String,
    /// For people: what was expected, and the fix.
    pub message: String,
}

impl ReplyError {
    /// A refusal.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

/// What goes to every worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// The version of this message.
    pub v: u8,
    /// What to do.
    #[serde(flatten)]
    pub body: ControlBody,
}

/// What a worker can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ControlBody {
    /// Kill these, wherever they run.
    Cancel {
        /// The tasks.
        tasks: Vec<TaskId>,
    },
}

impl Control {
    /// A message of the current version.
    pub fn new(body: ControlBody) -> Self {
        Self { v: VERSION, body }
    }
}
