//! The words spoken on the wire between producers and workers, versioned. What clients submit is in
//! [`crate::submission`]; what travels to a worker is [`crate::task::Task`].

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::lock::{Ask, Asker, LockGroup, LockName, Used};
use crate::run::{Act, ChildStart, RunAct};
use crate::submission::Submission;
use crate::task::{Task, TaskResult};
use crate::{Epoch, Outcome, PartitionId, RunId, Seq, SessionId, TaskId, WorkflowId};

pub use super::reply::{Reply, ReplyError};

/// The version of messages that this code writes.
pub const VERSION: u8 = 1;

/// A message to the owner of a partition, which arrives in `inbox.<partition>`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inbox {
    /// The version of this message.
    pub v: u8,
    /// What is reported or asked for.
    #[serde(flatten)]
    pub body: InboxBody,
}

impl Inbox {
    /// A message of the current version.
    pub fn new(body: InboxBody) -> Self {
        Self { v: VERSION, body }
    }

    /// The text of an [`InboxBody::Orphan`], with its task word for word as it was delivered: also with what only a newer
    /// version knows of it.
    pub fn orphan(task: &RawValue, ran: bool, unread: bool) -> Vec<u8> {
        #[derive(Serialize)]
        struct Orphan<'t> {
            v: u8,
            kind: &'static str,
            task: &'t RawValue,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            ran: bool,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            unread: bool,
        }
        serde_json::to_vec(&Orphan { v: VERSION, kind: "orphan", task, ran, unread }).unwrap_or_default()
    }

    /// Reads a message.
    ///
    /// # Errors
    /// What the message is instead.
    pub fn read(payload: &[u8]) -> Result<Self, MessageError> {
        match serde_json::from_slice(payload) {
            Ok(ResultsAlone { v, results, .. }) if v <= VERSION => {
                Ok(Self { v, body: InboxBody::Results { results } })
            }
            _ => read(payload, |message: &Self| message.v),
        }
    }
}

/// The message that nearly all of an inbox are. A body that is told by its kind is read into a buffer first, and from
/// there; this one is read at once. Of another kind, it fails at that word.
#[derive(Deserialize)]
struct ResultsAlone {
    v: u8,
    #[serde(rename = "kind")]
    _kind: ResultsKind,
    results: Vec<TaskResult>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum ResultsKind {
    Results,
}

/// The error of a message that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The message says its version and its kind, and more cannot be read of it: a newer program has written it.
    #[error("a message of version {v} and kind {kind:?}: {why}")]
    Unknown {
        /// The version of the message.
        v: u64,
        /// The kind of the message.
        kind: String,
        /// What of the message cannot be read.
        why: String,
    },
    /// The message is something else.
    #[error("{0}")]
    Unreadable(String),
}

/// Reads a message that says its version and its kind, as all between producers and workers do in all versions.
fn read<T: DeserializeOwned>(payload: &[u8], version: impl Fn(&T) -> u8) -> Result<T, MessageError> {
    #[derive(Deserialize)]
    struct Envelope {
        v: u64,
        kind: String,
    }
    let why = match serde_json::from_slice(payload) {
        Ok(message) if version(&message) <= VERSION => return Ok(message),
        Ok(_) => format!("this program reads version {VERSION}"),
        Err(error) => error.to_string(),
    };
    Err(match serde_json::from_slice(payload) {
        Ok(Envelope { v, kind }) => MessageError::Unknown { v, kind, why },
        Err(_) => MessageError::Unreadable(why),
    })
}

/// The body of an inbox message: what can happen to a partition from outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum InboxBody {
    /// Attempts have ended. Workers put as many results as are ready into one message.
    Results {
        /// The results, all of one partition.
        results: Vec<TaskResult>,
    },
    /// A submission that another producer took in, for a run that lives here. Answered with a [`Reply`].
    Submit {
        /// The submission as the client gave it.
        submission: Box<Submission>,
    },
    /// A run that is a step of another is to start. Its id follows from the attempt that it is. Answered with a
    /// [`Self::ChildEnded`] where it cannot start, has ended, or is not waited for.
    StartChild {
        /// What is asked for.
        start: Box<ChildStart>,
        /// Whether it was asked for before, and may have ended since.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        again: bool,
    },
    /// A run that is a step of another is to end. One that has not begun is not to begin. Answered as
    /// [`Self::StartChild`].
    StopChild {
        /// What was asked for, without the params.
        start: Box<ChildStart>,
        /// Why it is stopped.
        reason: String,
        /// Whether its hooks are to be stopped, too, where it is being stopped already.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        hooks: bool,
    },
    /// A run has ended that is a step of another, which lives here; or it was started, where nothing else is waited for.
    ChildEnded {
        /// The result of the attempt that it is.
        result: Box<TaskResult>,
    },
    /// A step asks for locks whose home is here, or a run for a slot of its workflow. Answered with a [`Self::LocksGranted`] or
    /// [`Self::LocksRefused`], or with a [`Self::SlotGranted`] or [`Self::SlotRefused`].
    AskLocks {
        /// What is asked for.
        ask: Box<Ask>,
    },
    /// A step or a run does not want any more what it has asked for whose home is here, or was granted.
    ReleaseLocks {
        /// Who had asked.
        #[serde(flatten)]
        asker: Asker,
        /// The group of the locks.
        group: LockGroup,
        /// What was used of the reserve of a rate; `None` where nothing was, as far as is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        used: Option<Used>,
    },
    /// A task has started that has a reserve of a rate whose home is here. Its worker says so, unless the task ends at once.
    RateStarted {
        /// The attempt.
        task: TaskId,
        /// The group of the rate.
        group: LockGroup,
    },
    /// Somebody has a step or a run let go of what it holds whose home is here. Answered with a [`Reply`], and whoever held it
    /// is told with a [`Self::LocksTaken`] or [`Self::SlotTaken`].
    TakeLocks {
        /// Who had asked.
        #[serde(flatten)]
        asker: Asker,
        /// The group of the locks.
        group: LockGroup,
        /// Who does it.
        by: String,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A step is granted the locks that it has asked for. It may be told so more than once.
    LocksGranted {
        /// The attempt for which it was asked.
        task: TaskId,
        /// The locks.
        locks: Vec<LockName>,
        /// The fencing token.
        token: u64,
    },
    /// A step cannot have the locks that it has asked for, ever.
    LocksRefused {
        /// The attempt for which it was asked.
        task: TaskId,
        /// Why not.
        reason: String,
    },
    /// Somebody has released locks that a step holds.
    LocksTaken {
        /// The attempt for which it was asked.
        task: TaskId,
        /// The locks.
        locks: Vec<LockName>,
        /// Who has done it.
        by: String,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// A run is granted a slot of its workflow. It may be told so more than once.
    SlotGranted {
        /// The run.
        run: RunId,
        /// The slots of which it is one.
        slots: LockName,
    },
    /// A run cannot have a slot of its workflow, ever.
    SlotRefused {
        /// The run.
        run: RunId,
        /// How it is to end.
        outcome: Outcome,
        /// Why not.
        reason: String,
    },
    /// A run is to end, since another takes its place.
    Displace {
        /// The run.
        run: RunId,
        /// The slots of which it has one.
        slots: LockName,
        /// Which run takes its place.
        reason: String,
    },
    /// Somebody has released the slot that a run has.
    SlotTaken {
        /// The run.
        run: RunId,
        /// The slots of which it had one.
        slots: LockName,
        /// Who has done it.
        by: String,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// Somebody does something to a step of a run. Answered with a [`Reply`].
    Act {
        /// The run.
        run: RunId,
        /// What is done, to which step, by whom.
        act: Box<Act>,
    },
    /// Somebody wants a run that has ended to go on from where it failed, as another run. Answered with a [`Reply`].
    Retry {
        /// The run that has ended.
        run: RunId,
        /// The id of the request, which no other request has.
        id: String,
        /// Who wants it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        by: String,
        /// Why.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        why: String,
    },
    /// The secret is wanted with which links are signed by which people act: it is made where there is none, and nobody is told
    /// it. Answered with a [`Reply`].
    MakeLinkSecret,
    /// Somebody does something to a run as a whole. Answered with a [`Reply`].
    RunAct {
        /// The run.
        run: RunId,
        /// What is done, by whom.
        act: Box<RunAct>,
    },
    /// Somebody wants a run stopped.
    Cancel {
        /// The run to stop.
        run: RunId,
        /// Who wants it stopped, or why, for people.
        reason: String,
    },
    /// A worker was handed a task that somebody else holds: the owner looks whether that session is over.
    Held {
        /// The task.
        task: TaskId,
        /// The session that holds the task.
        session: SessionId,
    },
    /// A worker has a task of a run that is not stored (any more).
    Orphan {
        /// The task as a whole.
        task: Box<Task>,
        /// Whether the task was carried out, and there was no place to store its outcome.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        ran: bool,
        /// Whether the worker cannot read the task, which is of a newer version: its run may well be stored.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        unread: bool,
    },
    /// A definition is to be stored: a new version of a workflow whose home is here. Answered with a [`Reply`].
    Apply {
        /// The definition's source, one document.
        source: String,
        /// The directory where those of its shell steps start that name none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base_dir: Option<String>,
    },
    /// The schedules of a workflow whose home is here are to be stopped or resumed. Answered with a [`Reply`].
    Pause {
        /// The name of the workflow.
        workflow: WorkflowId,
        /// Whether its schedules are to be paused.
        paused: bool,
    },
    /// A workflow whose home is here is to be forgotten. Its runs go on. Answered with a [`Reply`].
    Delete {
        /// The name of the workflow.
        workflow: WorkflowId,
    },
    /// A letter: what another partition, or this one, has sent with a commit of its own. It comes at least once, and not
    /// always in order, so that what it says must be told apart from a repetition by whom it names and how that stands.
    Letter {
        /// The partition that sent the letter.
        from: PartitionId,
        /// The epoch of the commit that sent it.
        epoch: Epoch,
        /// The seq of that commit.
        seq: Seq,
        /// The number of the letter within that commit.
        n: u32,
        /// What the letter says: any other body but a letter.
        body: Box<InboxBody>,
    },
}

/// A message to every worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// The version of this message.
    pub v: u8,
    /// What the workers are told.
    #[serde(flatten)]
    pub body: ControlBody,
}

/// The body of a control message: what a worker can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ControlBody {
    /// These tasks are to be killed, wherever they run.
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

    /// Reads a message.
    ///
    /// # Errors
    /// What the message is instead.
    pub fn read(payload: &[u8]) -> Result<Self, MessageError> {
        read(payload, |message: &Self| message.v)
    }
}
