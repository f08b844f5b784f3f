//! Brings letters to where they go. They are stored with the commit that sent them, and hold the watermark back until they
//! have arrived: with the broker, or, where their destination is ours, in a commit of that. Whoever takes a partition over
//! sends again what is not below the watermark. So a crash makes a duplicate, never a loss.

use std::sync::Arc;
use std::time::Duration;

use millrace_broker::BrokerError;
use millrace_domain::Timestamp;
use millrace_domain::message::{InboxBody, Reply};
use millrace_runtime::Backoff;
use millrace_store::StoredLetter;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use crate::context::Context;
use crate::failpoint;
use crate::partition::answer::{Answer, is_for_now, is_kept};
use crate::partition::command::Command;
use crate::partition::letter::Sent;
use crate::partition::mailbox::{Input, Work};

/// The first and the longest wait before a letter that has not arrived is sent again.
const WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Sends letters in the background, each until it has arrived.
pub(crate) fn send(context: &Arc<Context>, inner: &UnboundedSender<Input>, letters: Vec<Sent>) {
    let Some(first) = letters.iter().map(|sent| sent.stored.letter.at).min() else { return };
    let hold = Hold::new(context, first, letters.len());
    let (context, inner) = (Arc::clone(context), inner.clone());
    tokio::spawn(async move {
        if deliver(&context, &inner, letters).await {
            hold.release(&context);
        }
    });
}

/// A hold on the watermark, by letters that have not arrived.
pub(crate) struct Hold(Option<(Timestamp, u64)>);

impl Hold {
    /// Holds the watermark back, to an instant at which so many letters were sent.
    pub(crate) fn new(context: &Context, at: Timestamp, letters: usize) -> Self {
        Self((!failpoint::is_removed("letters")).then(|| context.published.send(at, letters)))
    }

    /// Lets the watermark go: they have arrived.
    pub(crate) fn release(self, context: &Context) {
        if let Some(batch) = self.0 {
            context.published.confirm(batch);
        }
    }
}

/// Sends letters until all have arrived. `false` when the process ends first.
pub(crate) async fn deliver(
    context: &Context,
    inner: &UnboundedSender<Input>,
    mut letters: Vec<Sent>,
) -> bool {
    let mut backoff = Backoff::new(WAITS.0, WAITS.1);
    loop {
        let (mut handed, mut published, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for sent in letters {
            let command = command(&sent, context.partitions);
            let is_here = context.owned.borrow().contains(&sent.stored.letter.to);
            match command {
                Some(command) if is_here => handed.push((hand_over(inner, command), sent)),
                // With a broker that ends with this process, it would be lost with that: it waits until it is ours.
                Some(_) if !context.broker.is_durable() => left.push(sent),
                // What cannot be read goes that way too, and ends in the rejected queue.
                _ => published.push(sent),
            }
        }
        left.extend(publish(context, published).await);
        let mut kept = Vec::new();
        for (arrival, sent) in handed {
            // Unanswered, it was not committed; and what there was no room for comes again.
            match arrival.await {
                Ok(reply) if is_kept(&reply) => kept.push(sent),
                Ok(reply) if !is_for_now(&reply) => {}
                _ => left.push(sent),
            }
        }
        // Only a newer version can act on these: as messages, they are parked for it.
        match context.broker.is_durable() {
            true => left.extend(publish(context, kept).await),
            false => left.extend(kept),
        }
        if left.is_empty() {
            return true;
        }
        if context.shutdown.has_begun() {
            return false;
        }
        letters = left;
        backoff.wait().await;
    }
}

/// The command that a letter is to its destination; `None` when it cannot be read here.
fn command(sent: &Sent, partitions: u16) -> Option<Command> {
    let StoredLetter { epoch, seq, letter } = &sent.stored;
    let body = Box::new(serde_json::from_str(&letter.body).ok()?);
    let envelope = InboxBody::Letter { from: sent.from, epoch: *epoch, seq: *seq, n: letter.n, body };
    Command::read(envelope, partitions).ok()
}

/// Gives a command to our own loop, which answers when its commit holds.
fn hand_over(inner: &UnboundedSender<Input>, command: Command) -> oneshot::Receiver<Reply> {
    let (answer, arrival) = oneshot::channel();
    let _ = inner.send(Input::Work(Work { command, delivery: None, answer: Answer::Local(answer) }));
    arrival
}

/// Publishes letters, and returns those that the broker has not confirmed.
async fn publish(context: &Context, letters: Vec<Sent>) -> Vec<Sent> {
    let (mut messages, mut open) = (Vec::with_capacity(letters.len()), Vec::with_capacity(letters.len()));
    for sent in letters {
        match sent.message() {
            Some(message) => {
                messages.push(message);
                open.push(sent);
            }
            None => {
                let StoredLetter { epoch, seq, letter } = &sent.stored;
                tracing::error!(
                    from = %sent.from, epoch = epoch.0, seq = seq.0, n = letter.n, to = %letter.to,
                    "a letter is dropped: what is stored of it is no JSON"
                );
            }
        }
    }
    if messages.is_empty() {
        return Vec::new();
    }
    let mut results = context.broker.publish(messages).await.into_iter();
    open.retain(|sent| match results.next() {
        Some(Ok(())) => false,
        Some(Err(error)) => {
            let to = sent.stored.letter.to;
            match error {
                BrokerError::Configuration(_) => tracing::warn!(%to, %error, "a letter cannot be published"),
                _ => tracing::debug!(%to, %error, "a letter is not confirmed; sending it again"),
            }
            true
        }
        None => true,
    });
    open
}
