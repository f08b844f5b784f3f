//! The way in for everything that somebody waits for: to the loop when the partition is ours, by message to its
//! owner when it is not. The answer comes after the commit either way.

use std::sync::Arc;
use std::time::Duration;

use millrace_broker::{BrokerError, Outgoing, Queue, Route};
use millrace_domain::definition::Workflow;
use millrace_domain::lock::{Asker, LockGroup};
use millrace_domain::message::{Inbox, InboxBody, Reply, ReplyError};
use millrace_domain::run::{Act, Event, RunAct, Trigger};
use millrace_domain::submission::Submission;
use millrace_domain::{Code, PartitionId, RunId, WorkflowId};
use millrace_runtime::{Subscription, Unknown};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::question::{Question, Waiting, answer};
use crate::context::Context;
use crate::link;
use crate::partition::answer::{Answer, Gather, put_away};
use crate::partition::command::Command;
use crate::partition::commands::apply::Apply;
use crate::partition::commands::lock::{Order, Wish};
use crate::partition::commands::retry::Retry;
use crate::partition::commands::submit::Submit;
use crate::partition::mailbox::{Input, Work};

/// How long somebody waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long an owner may take before it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Nobody could do it now. Nothing is known of whether it was done, or will be: the same with the same key is safe.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Unavailable {
    /// No owner has answered in time.
    #[error(
        "no producer could take this in time; try again (with the same idempotency key nothing is done twice)"
    )]
    Late,
    /// It goes by message, and the broker takes none.
    #[error(
        "this goes through the broker, which takes no messages now ({0}): try again later (with the same idempotency key nothing is done twice)"
    )]
    Blocked(Arc<str>),
}

/// The way in.
pub(crate) struct Gateway {
    context: Arc<Context>,
    mailbox: mpsc::Sender<Input>,
    waiting: Waiting,
    replies: Queue,
    reply_to: String,
}

impl Gateway {
    /// The way in; `prefix` names this producer's own queue of answers.
    pub(crate) fn new(context: Arc<Context>, mailbox: mpsc::Sender<Input>, prefix: &str) -> Arc<Self> {
        let replies = Queue::Replies(context.id.0);
        let reply_to = replies.name(prefix);
        Arc::new(Self { context, mailbox, waiting: Waiting::default(), replies, reply_to })
    }

    /// Hands answers of other producers to those who wait for them.
    pub(crate) async fn receive(self: Arc<Self>) {
        let context = &self.context;
        let replies = self.replies.clone();
        let replies =
            Subscription::new(&context.broker, replies, &context.attendance, context.shutdown.clone());
        while !replies.is_over() {
            let tell = |error: &BrokerError| tracing::debug!(%error, "answers cannot be consumed yet");
            let Some(mut consumer) = replies.begin(1_000, tell).await else { continue };
            loop {
                let delivery = tokio::select! {
                    biased;
                    () = context.shutdown.begun() => return,
                    delivery = consumer.recv() => delivery,
                };
                let Some(delivery) = delivery else {
                    replies.ended();
                    break;
                };
                if let Some(problem) = &delivery.properties.unreadable {
                    let error = ReplyError::new(Code::UnreadableProperties, problem.clone());
                    let context = Arc::clone(context);
                    tokio::spawn(async move { put_away(&*context.broker, delivery, &error).await });
                    continue;
                }
                let key = delivery.properties.correlation_id.clone().unwrap_or_default();
                match serde_json::from_slice(&delivery.payload) {
                    Ok(reply) => answer(&self.waiting, &key, reply),
                    // Who waits asks again, and is told in the end that there was no answer.
                    Err(error) => Unknown::Reply.note(error),
                }
                delivery.ack();
            }
        }
    }

    /// Whether this partition is ours. Runs that may go anywhere are at home here once any partition is.
    pub(crate) fn is_here(&self, partition: Option<PartitionId>) -> bool {
        let owned = self.context.owned.borrow();
        match partition {
            Some(partition) => owned.contains(&partition),
            None => !owned.is_empty(),
        }
    }

    /// Puts work into the mailbox.
    pub(crate) async fn post(&self, work: Work) {
        let _ = self.mailbox.send(Input::Work(work)).await;
    }

    /// Makes a submission, and waits until it is committed.
    pub(crate) async fn submit(&self, submit: Submission, trigger: Trigger) -> Result<Reply, Unavailable> {
        let partition =
            Submit::of(submit.clone(), trigger, self.context.partitions).run.map(RunId::partition);
        let body = || InboxBody::Submit { submission: Box::new(submit.clone()) };
        let command =
            || Command::Submit(Box::new(Submit::of(submit.clone(), trigger, self.context.partitions)));
        self.ask(partition, command, body).await
    }

    /// Makes many submissions; answers them in order.
    pub(crate) async fn submit_many(
        self: &Arc<Self>,
        many: Vec<Submission>,
        trigger: Trigger,
    ) -> Result<Vec<Reply>, Unavailable> {
        let mut replies: Vec<Option<Reply>> = many.iter().map(|_| None).collect();
        let mut local = Vec::new();
        let mut others = Vec::new();
        for (index, submission) in many.into_iter().enumerate() {
            let submit = Submit::of(submission, trigger, self.context.partitions);
            match self.is_here(submit.run.map(RunId::partition)) {
                true => local.push((index, submit)),
                false => others.push((index, submit)),
            }
        }
        // All or nothing: whoever is told to come again would start once more what has no key.
        if let (false, Some(why)) = (others.is_empty(), &*self.context.broker.blocked().borrow()) {
            return Err(Unavailable::Blocked(Arc::clone(why)));
        }
        let mut elsewhere = tokio::task::JoinSet::new();
        for (index, submit) in others {
            let gateway = Arc::clone(self);
            elsewhere.spawn(async move { (index, gateway.submit(submit.submission, trigger).await) });
        }
        if !local.is_empty() {
            let (sender, receiver) = oneshot::channel();
            let gather = Gather::new(local.len(), None, None, Some(sender));
            let indexes: Vec<usize> = local.iter().map(|(index, _)| *index).collect();
            for (part, (_, submit)) in local.into_iter().enumerate() {
                let command = Command::Submit(Box::new(submit));
                self.post(Work { command, delivery: None, answer: Answer::Part(Arc::clone(&gather), part) })
                    .await;
            }
            drop(gather);
            let answered = tokio::time::timeout(PATIENCE, self.heard(receiver)).await;
            let Some(Reply::Many(parts)) = answered.unwrap_or(Err(Unavailable::Late))? else {
                return Err(Unavailable::Late);
            };
            for (index, reply) in indexes.into_iter().zip(parts) {
                replies[index] = Some(reply);
            }
        }
        while let Some(Ok((index, reply))) = elsewhere.join_next().await {
            replies[index] = Some(reply?);
        }
        replies.into_iter().collect::<Option<Vec<_>>>().ok_or(Unavailable::Late)
    }

    /// Stores a definition, as the next version of its workflow.
    pub(crate) async fn apply(
        &self,
        workflow: Arc<Workflow>,
        source: Arc<str>,
        base_dir: Option<String>,
    ) -> Result<Reply, Unavailable> {
        let home = PartitionId::home_of(&workflow.id, self.context.partitions);
        let body = || InboxBody::Apply { source: source.to_string(), base_dir: base_dir.clone() };
        let command = || {
            let apply = Apply {
                workflow: Arc::clone(&workflow),
                source: Arc::clone(&source),
                base_dir: base_dir.clone(),
            };
            Command::Apply(Box::new(apply))
        };
        self.ask(Some(home), command, body).await
    }

    /// Lets the schedules of a workflow rest, or go on.
    pub(crate) async fn pause(&self, workflow: &WorkflowId, paused: bool) -> Result<Reply, Unavailable> {
        let home = PartitionId::home_of(workflow, self.context.partitions);
        let body = || InboxBody::Pause { workflow: workflow.clone(), paused };
        self.ask(Some(home), || Command::Pause(workflow.clone(), paused), body).await
    }

    /// Deletes a workflow.
    pub(crate) async fn delete(&self, workflow: &WorkflowId) -> Result<Reply, Unavailable> {
        let home = PartitionId::home_of(workflow, self.context.partitions);
        let body = || InboxBody::Delete { workflow: workflow.clone() };
        self.ask(Some(home), || Command::Delete(workflow.clone()), body).await
    }

    /// Cancels a run.
    pub(crate) async fn cancel(&self, run: RunId, reason: &str) -> Result<Reply, Unavailable> {
        let body = || InboxBody::Cancel { run, reason: reason.to_owned() };
        let command = || Command::Event(run, Event::Cancel { reason: reason.to_owned() });
        self.ask(Some(run.partition()), command, body).await
    }

    /// Has a run that has ended go on from where it failed. However often the owner has to be asked, there is one continuation for
    /// a request.
    pub(crate) async fn retry(
        &self,
        run: RunId,
        id: String,
        by: String,
        why: String,
    ) -> Result<Reply, Unavailable> {
        let body = || InboxBody::Retry { run, id: id.clone(), by: by.clone(), why: why.clone() };
        let command = || {
            let (id, by, why) = (id.clone(), by.clone(), why.clone());
            Command::Retry(Box::new(Retry { run, id, by, why, last: None }))
        };
        self.ask(Some(run.partition()), command, body).await
    }

    /// Has the secret made with which links are signed, unless there is one.
    pub(crate) async fn make_secret(&self) -> Result<Reply, Unavailable> {
        self.ask(Some(link::HOME), || Command::MakeSecret, || InboxBody::MakeLinkSecret).await
    }

    /// Does something to a step of a run. However often the owner has to be asked, it is done once.
    pub(crate) async fn act(&self, run: RunId, act: Act) -> Result<Reply, Unavailable> {
        let body = || InboxBody::Act { run, act: Box::new(act.clone()) };
        let command = || Command::Event(run, Event::Act(Box::new(act.clone())));
        self.ask(Some(run.partition()), command, body).await
    }

    /// Does something to a run as a whole.
    pub(crate) async fn run_act(&self, run: RunId, act: RunAct) -> Result<Reply, Unavailable> {
        let body = || InboxBody::RunAct { run, act: Box::new(act.clone()) };
        let command = || Command::Event(run, Event::RunAct(Box::new(act.clone())));
        self.ask(Some(run.partition()), command, body).await
    }

    /// Takes locks away from a step that holds them, or a slot from a run.
    pub(crate) async fn take_locks(
        &self,
        asker: Asker,
        group: LockGroup,
        by: String,
        why: Option<String>,
    ) -> Result<Reply, Unavailable> {
        let partitions = self.context.partitions;
        let body = || InboxBody::TakeLocks { asker, group, by: by.clone(), why: why.clone() };
        let command = || {
            let wish = Wish::Take { asker, by: by.clone(), why: why.clone() };
            Command::Lock(Box::new(Order::of(group, wish, partitions)))
        };
        self.ask(Some(group.home(partitions)), command, body).await
    }

    /// Asks the loop, or the partition's owner, until there is an answer.
    async fn ask(
        &self,
        partition: Option<PartitionId>,
        command: impl Fn() -> Command,
        body: impl Fn() -> InboxBody,
    ) -> Result<Reply, Unavailable> {
        let asking = async {
            let mut again = ASK_AGAIN;
            loop {
                let began = Instant::now();
                if self.is_here(partition) {
                    let (sender, receiver) = oneshot::channel();
                    self.post(Work { command: command(), delivery: None, answer: Answer::Local(sender) })
                        .await;
                    if let Some(reply) = self.heard(receiver).await? {
                        return Ok(reply);
                    }
                } else if let Some(partition) = partition {
                    // Once the shutdown has begun, nobody receives a reply here.
                    let reply = tokio::select! {
                        biased;
                        () = self.context.shutdown.begun() => return Err(Unavailable::Late),
                        reply = self.forward(partition, body(), again) => reply,
                    };
                    if let Some(reply) = reply? {
                        return Ok(reply);
                    }
                }
                // What was asked is still in the owner's inbox. An owner that is behind must not get ever more of it.
                if began.elapsed() >= again {
                    again = (again * 2).min(PATIENCE);
                }
                if self.context.shutdown.has_begun() {
                    return Err(Unavailable::Late);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.unwrap_or(Err(Unavailable::Late))
    }

    /// Waits for the loop's answer; `None` when it has to be asked again. A loop that waits for the broker does not answer.
    async fn heard(&self, answer: oneshot::Receiver<Reply>) -> Result<Option<Reply>, Unavailable> {
        tokio::select! {
            biased;
            reply = answer => Ok(reply.ok()),
            why = async {
                tokio::time::sleep(ASK_AGAIN).await;
                self.blocked().await
            } => Err(Unavailable::Blocked(why)),
        }
    }

    /// Asks the owner of a partition by message, and waits so long for the reply. Not while the broker takes no
    /// messages: that may last, and what waits to be written is done when nobody waits for it any more.
    async fn forward(
        &self,
        partition: PartitionId,
        body: InboxBody,
        within: Duration,
    ) -> Result<Option<Reply>, Unavailable> {
        let key = self.context.options.ambient.random_id().simple().to_string();
        let Ok(payload) = serde_json::to_vec(&Inbox::new(body)) else { return Ok(None) };
        let mut message = Outgoing::new(Route::Queue(Queue::Inbox(partition.0)), payload);
        message.properties.reply_to = Some(self.reply_to.clone());
        message.properties.correlation_id = Some(key.clone());
        let mut question = Question::ask(&self.waiting, key);
        let asking = async {
            let sent =
                self.context.broker.publish(vec![message]).await.into_iter().collect::<Result<(), _>>();
            if let Err(error) = sent {
                tracing::debug!(%partition, %error, "its owner cannot be asked yet");
                return None;
            }
            tokio::time::timeout(within, question.reply()).await.ok().and_then(Result::ok)
        };
        tokio::select! {
            biased;
            why = self.blocked() => Err(Unavailable::Blocked(why)),
            reply = asking => Ok(reply),
        }
    }

    /// Waits until the broker takes no messages, and says why.
    async fn blocked(&self) -> Arc<str> {
        let mut blocked = self.context.broker.blocked();
        loop {
            if let Some(why) = &*blocked.borrow_and_update() {
                return Arc::clone(why);
            }
            if blocked.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}
