//! What arrives for a partition by message: results, cancels, and what other producers forward.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_broker::{BrokerError, Delivery, Queue};
use millrace_domain::message::{Inbox, InboxBody, MessageError, Reply, ReplyError};
use millrace_domain::task::Task;
use millrace_domain::{Code, PartitionId};
use millrace_runtime::{Shutdown, Subscription, Unknown};
use millrace_store::StoreError;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::parked::park;
use crate::context::Context;
use crate::failpoint;
use crate::partition::answer::{Answer, COME_AGAIN, put_away};
use crate::partition::command::Command;
use crate::partition::mailbox::{Input, Work};
use crate::partition::recovery::orphan::{self, Fate};

/// Unsettled messages of one inbox, at most.
const PREFETCH: u16 = 1_000;

/// The interval at which it is logged again that an inbox cannot be consumed.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// The inboxes of the owned partitions.
pub(crate) struct Inboxes {
    context: Arc<Context>,
    mailbox: mpsc::Sender<Input>,
    open: HashMap<PartitionId, (Shutdown, JoinHandle<()>)>,
}

impl Inboxes {
    pub(crate) fn new(context: Arc<Context>, mailbox: mpsc::Sender<Input>) -> Self {
        Self { context, mailbox, open: HashMap::new() }
    }

    /// Begins to consume the inbox of a partition.
    pub(crate) fn open(&mut self, partition: PartitionId) {
        let stop = self.context.shutdown.child();
        let consuming = consume(Arc::clone(&self.context), self.mailbox.clone(), partition, stop.clone());
        let task = tokio::spawn(self.context.shutdown.vital("inbox", consuming));
        self.open.insert(partition, (stop, task));
    }

    /// Stops consuming the inbox of a partition. What was delivered and not settled goes back to the queue.
    pub(crate) async fn close(&mut self, partition: PartitionId) {
        if let Some((stop, task)) = self.open.remove(&partition) {
            stop.begin();
            let _ = tokio::time::timeout(Duration::from_secs(5), task).await;
        }
    }
}

/// Consumes one inbox for as long as the partition is ours, through all losses of the connection.
async fn consume(
    context: Arc<Context>,
    mailbox: mpsc::Sender<Input>,
    partition: PartitionId,
    stop: Shutdown,
) {
    let queue = Queue::Inbox(partition.0);
    let inbox = Subscription::new(&context.broker, queue, &context.attendance, stop.clone());
    let mut said: Option<Instant> = None;
    while !inbox.is_over() {
        let tell = |error: &BrokerError| match error {
            BrokerError::Configuration(_) if said.is_none_or(|said| said.elapsed() > SAY_AGAIN) => {
                tracing::error!(%partition, %error, "the inbox cannot be consumed: what is sent to it waits");
                said = Some(Instant::now());
            }
            _ => tracing::debug!(%partition, %error, "the inbox cannot be consumed yet"),
        };
        let Some(mut consumer) = inbox.begin(PREFETCH, tell).await else { continue };
        loop {
            let batch = tokio::select! {
                biased;
                () = stop.begun() => return,
                batch = consumer.recv_many(256) => batch,
            };
            if batch.is_empty() {
                inbox.ended();
                break;
            }
            for delivery in batch {
                accept(&context, &mailbox, partition, delivery).await;
            }
        }
    }
}

/// Reads a message and puts it into the mailbox.
async fn accept(
    context: &Arc<Context>,
    mailbox: &mpsc::Sender<Input>,
    partition: PartitionId,
    delivery: Delivery,
) {
    if let Some(problem) = &delivery.properties.unreadable {
        let error = ReplyError::new(Code::UnreadableProperties, problem.clone());
        return put_away(&*context.broker, delivery, &error).await;
    }
    let inbox = match Inbox::read(&delivery.payload) {
        Ok(inbox) => inbox,
        Err(error @ MessageError::Unknown { .. }) => {
            return leave(context, partition, delivery, &error.to_string());
        }
        Err(error @ MessageError::Unreadable(_)) => {
            let error =
                ReplyError::new(Code::UnreadableMessage, format!("not a message of an inbox: {error}"));
            return put_away(&*context.broker, delivery, &error).await;
        }
    };
    let answer = match &delivery.properties.reply_to {
        Some(reply_to) => Answer::Message {
            reply_to: reply_to.clone(),
            correlation_id: delivery.properties.correlation_id.clone(),
        },
        None => Answer::Nobody,
    };
    let command = match inbox.body {
        InboxBody::Orphan { task, ran, unread } => match of_orphan(context, &task, ran, unread).await {
            Ok(Fate::Drop) => return delivery.ack(),
            Ok(Fate::Restore(submit)) => match not_known_of(&task, &delivery) {
                Some(why) => return leave(context, partition, delivery, &why),
                None => Command::Restore(submit),
            },
            Ok(Fate::Reject(error)) => return put_away(&*context.broker, delivery, &error).await,
            Err(error) => {
                tracing::warn!(run = %task.run, %error, "it cannot be told yet what became of this run");
                tokio::spawn(async move {
                    tokio::time::sleep(COME_AGAIN).await;
                    delivery.requeue();
                });
                return;
            }
        },
        body => match Command::read(body, context.partitions) {
            Ok(command) => command,
            // Nobody would hear of it.
            Err(Reply::Error { error }) if matches!(answer, Answer::Nobody) => {
                return put_away(&*context.broker, delivery, &error).await;
            }
            Err(refusal) => {
                let mut messages = Vec::new();
                answer.give(refusal, &mut messages);
                context.broker.publish(messages).await;
                return delivery.ack();
            }
        },
    };
    // Handed back, it would come to this inbox again, for ever.
    if let Some(stray) = command.stray(partition, context.partitions) {
        let error =
            ReplyError::new(Code::WrongInbox, format!("this is inbox {partition}, but it is about {stray}"));
        return put_away(&*context.broker, delivery, &error).await;
    }
    let _ = mailbox.send(Input::Work(Work { command, delivery: Some(delivery), answer })).await;
}

/// Leaves a message to an owner of a newer version.
fn leave(context: &Arc<Context>, partition: PartitionId, delivery: Delivery, why: &str) {
    Unknown::Inbox.note(why);
    if failpoint::is_removed("park") {
        return delivery.ack();
    }
    park(context, partition, delivery, why);
}

/// What this version does not know of a task that came in a message: a run that is made of the rest would be another.
fn not_known_of(task: &Task, delivery: &Delivery) -> Option<String> {
    if task.v > Task::VERSION {
        return Some(format!("a lost run is to be made of a task of version {}", task.v));
    }
    let message: Value = serde_json::from_slice(&delivery.payload).ok()?;
    let fields = Task::unknown_fields(&message["task"]);
    (!fields.is_empty())
        .then(|| format!("a lost run is to be made of a task that has also {}", fields.join(", ")))
}

/// Decides on a task whose run a worker did not find, or which it cannot read.
async fn of_orphan(context: &Context, task: &Task, ran: bool, unread: bool) -> Result<Fate, StoreError> {
    let (partition, partitions) = (task.run.partition().0, context.partitions);
    if partition >= partitions {
        let last = partitions.saturating_sub(1);
        let text = format!(
            "run {} is of partition {partition}, and this cluster has {partitions}: 0 to {last}",
            task.run
        );
        return Ok(Fate::Reject(ReplyError::new(Code::UnknownPartition, text)));
    }
    match task.run.cluster() {
        0 => orphan::judge(context, task, ran, unread).await,
        other => {
            let text = format!("run {} is of cluster {other}, and this one has no number", task.run);
            Ok(Fate::Reject(ReplyError::new(Code::UnknownCluster, text)))
        }
    }
}
