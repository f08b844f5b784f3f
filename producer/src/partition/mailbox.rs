//! What can happen to the partitions of this producer, and who wants to know.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use millrace_broker::{Broker, Delivery, Outgoing, Properties, Route};
use millrace_domain::definition::Workflow;
use millrace_domain::message::{Reply, ReplyError};
use millrace_domain::run::{Event, Trigger};
use millrace_domain::submission::Submission;
use millrace_domain::{Epoch, PartitionId, RunId, SessionId, TaskId, Timestamp, WorkflowName};
use tokio::sync::oneshot;

use super::replan::Planned;
use crate::intake::amqp;

/// An entry of the mailbox.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every entry is work: a box would cost each an allocation"
)]
pub(crate) enum Input {
    /// Something happened to a partition.
    Work(Work),
    /// A partition is ours now.
    Took { partition: PartitionId, epoch: Epoch, published_until: Timestamp },
    /// A partition is not ours any more: forget it.
    Lost(PartitionId),
    /// Stop working on a partition, then say so.
    GiveUp(PartitionId, oneshot::Sender<()>),
    /// Dispatched attempts that the broker does not have: (task, dispatched at).
    Missing(Vec<(TaskId, Timestamp)>),
    /// Entries of the watch whose attempt is not current any more.
    Forget(Vec<TaskId>),
}

/// Something that happened, and what to settle once it is committed.
pub(crate) struct Work {
    pub(crate) what: What,
    /// The message that brought it.
    pub(crate) delivery: Option<Delivery>,
    pub(crate) answer: Answer,
}

impl Work {
    /// Something that nobody waits for.
    pub(crate) fn silent(what: What) -> Self {
        Self { what, delivery: None, answer: Answer::Nobody }
    }

    /// The partition it belongs to; `None` for what may go anywhere.
    pub(crate) fn partition(&self, partitions: u16) -> Option<PartitionId> {
        self.what.partition(partitions)
    }

    /// It could not be done here: the message goes back, and whoever waits asks again.
    pub(crate) fn hand_back(self) {
        if let Some(delivery) = self.delivery {
            delivery.requeue();
        }
    }
}

/// What happened.
pub(crate) enum What {
    /// A run is wanted.
    Submit(Box<Submit>),
    /// A run is wanted that the store has lost.
    Restore(Box<Submit>),
    /// Something happened to a run.
    Event(RunId, Event),
    /// Attempts ended, all of one partition.
    Results(Vec<(RunId, Event)>),
    /// A worker found a task held by another session.
    Held(TaskId, SessionId),
    /// A definition is to be stored.
    Apply(Box<Apply>),
    /// Schedules are to rest, or go on.
    Pause(WorkflowName, bool),
    /// A workflow is to be forgotten.
    Delete(WorkflowName),
    /// A schedule is due: which of the workflow's, and at which instant.
    Fire(WorkflowName, u32, Timestamp),
    /// What was planned by a clock that was ahead is to be planned anew.
    Replan(PartitionId, Planned),
}

impl What {
    /// The partition it belongs to; `None` for what may go anywhere.
    pub(crate) fn partition(&self, partitions: u16) -> Option<PartitionId> {
        match self {
            Self::Submit(submit) | Self::Restore(submit) => submit.run.map(RunId::partition),
            Self::Event(run, _) => Some(run.partition()),
            Self::Results(results) => results.first().map(|(run, _)| run.partition()),
            Self::Held(task, _) => Some(task.run.partition()),
            Self::Replan(partition, _) => Some(*partition),
            Self::Apply(apply) => Some(PartitionId::home_of(&apply.workflow.name, partitions)),
            Self::Pause(name, _) | Self::Delete(name) | Self::Fire(name, ..) => {
                Some(PartitionId::home_of(name, partitions))
            }
        }
    }
}

/// A run that is wanted.
pub(crate) struct Submit {
    pub(crate) submission: Submission,
    /// Its id, when a key decides it.
    pub(crate) run: Option<RunId>,
    pub(crate) trigger: Trigger,
    /// A digest of the body, for keyed submissions.
    pub(crate) digest: Option<String>,
}

/// A definition that is to be stored.
pub(crate) struct Apply {
    pub(crate) workflow: Workflow,
    pub(crate) source: String,
    pub(crate) base_dir: Option<String>,
}

/// Who waits for the outcome.
pub(crate) enum Answer {
    /// Nobody.
    Nobody,
    /// Somebody in this process. Dropped unanswered means: ask again.
    Local(oneshot::Sender<Reply>),
    /// A client, by message.
    Message { reply_to: String, correlation_id: Option<String> },
    /// A part of an array of submissions.
    Part(Arc<Gather>, usize),
}

impl Answer {
    /// Tells whoever waits. What must go out by message is added to `messages`.
    pub(crate) fn give(self, reply: Reply, messages: &mut Vec<Outgoing>) {
        match self {
            Self::Nobody => {}
            Self::Local(sender) => drop(sender.send(reply)),
            Self::Message { reply_to, correlation_id } => {
                messages.push(message(&reply_to, correlation_id, &reply));
            }
            Self::Part(gather, index) => gather.give(index, reply, messages),
        }
    }
}

/// An array of submissions: answered, and its message acked, when all its parts are.
pub(crate) struct Gather(Mutex<Gathered>);

struct Gathered {
    replies: Vec<Option<Reply>>,
    missing: usize,
    delivery: Option<Delivery>,
    reply_to: Option<(String, Option<String>)>,
    local: Option<oneshot::Sender<Reply>>,
}

impl Gather {
    /// An array of `count` that arrived as `delivery`, or from somebody in this process.
    pub(crate) fn new(
        count: usize,
        delivery: Option<Delivery>,
        reply_to: Option<(String, Option<String>)>,
        local: Option<oneshot::Sender<Reply>>,
    ) -> Arc<Self> {
        let replies = (0..count).map(|_| None).collect();
        Arc::new(Self(Mutex::new(Gathered { replies, missing: count, delivery, reply_to, local })))
    }

    /// Does anybody wait for the answer?
    pub(crate) fn is_heard(&self) -> bool {
        self.0.lock().is_ok_and(|gathered| gathered.reply_to.is_some() || gathered.local.is_some())
    }

    /// What a part of an array that came by message asks for, read again.
    pub(crate) fn submission(&self, index: usize) -> Option<Submission> {
        let gathered = self.0.lock().ok()?;
        let delivery = gathered.delivery.as_ref()?;
        let mut submission = Submission::parse(&delivery.payload).ok()?.into_iter().nth(index)?.ok()?;
        amqp::complete(&mut submission, delivery, Some(index)).ok()?;
        Some(submission)
    }

    /// Answers for one part.
    pub(crate) fn give(&self, index: usize, reply: Reply, messages: &mut Vec<Outgoing>) {
        let Ok(mut gathered) = self.0.lock() else { return };
        match gathered.replies.get_mut(index) {
            Some(slot @ None) => *slot = Some(reply),
            _ => return,
        }
        gathered.missing -= 1;
        if gathered.missing > 0 {
            return;
        }
        let all = Reply::Many(gathered.replies.iter_mut().filter_map(Option::take).collect());
        if let Some((reply_to, correlation_id)) = gathered.reply_to.take() {
            messages.push(message(&reply_to, correlation_id, &all));
        }
        if let Some(local) = gathered.local.take() {
            let _ = local.send(all);
        }
        if let Some(delivery) = gathered.delivery.take() {
            delivery.ack();
        }
    }
}

impl Drop for Gathered {
    /// A part could not be done here: all of it goes back. Keys make the parts that were done duplicates.
    fn drop(&mut self) {
        if let Some(delivery) = self.delivery.take() {
            delivery.requeue();
        }
    }
}

fn message(reply_to: &str, correlation_id: Option<String>, reply: &Reply) -> Outgoing {
    let payload = serde_json::to_vec(reply).unwrap_or_default();
    let mut message = Outgoing::new(Route::ReplyTo(reply_to.to_owned()), payload);
    message.properties.correlation_id = correlation_id;
    message
}

/// A refusal.
pub(crate) fn refusal(code: &str, text: impl Into<String>) -> Reply {
    Reply::Error { error: ReplyError::new(code, text) }
}

/// How often, and how long apart, a rejected message is tried to be put away.
const REJECT_TRIES: u32 = 5;
const REJECT_PAUSE: Duration = Duration::from_secs(1);

/// Puts what cannot be accepted into the `rejected` queue, whole, with the reason beside it. `false` when the
/// broker does not take it for a while: then the message must go back to where it came from.
pub(crate) async fn reject(
    broker: &dyn Broker,
    payload: Bytes,
    properties: Properties,
    error: &ReplyError,
) -> bool {
    metrics::counter!("millrace_rejected_total", "code" => error.code.clone()).increment(1);
    let message = Outgoing::rejected(payload, properties, &error.code, &error.message);
    for _ in 0..REJECT_TRIES {
        if broker.publish(vec![message.clone()]).await.into_iter().all(|result| result.is_ok()) {
            return true;
        }
        tokio::time::sleep(REJECT_PAUSE).await;
    }
    false
}
