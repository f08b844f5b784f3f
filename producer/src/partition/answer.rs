//! Who waits for the outcome of a command, and what they are told: in this process, by message, or as a part of an array
//! of submissions. And where a message goes that cannot be accepted.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use millrace_broker::{Broker, Delivery, Outgoing, Properties, Route};
use millrace_domain::message::{Reply, ReplyError};
use millrace_domain::submission::{IdempotencyKey, Submission, SubmissionError};
use millrace_domain::{Code, Priority};
use tokio::sync::oneshot;

/// How long a message waits that was refused for now, before it goes back to its queue.
pub(crate) const COME_AGAIN: Duration = Duration::from_secs(2);

/// How often a rejected message is tried to be put away, and how long apart.
const REJECT_TRIES: u32 = 5;
const REJECT_PAUSE: Duration = Duration::from_secs(1);

/// The one who waits for an outcome, and how they are told.
pub(crate) enum Answer {
    /// Nobody waits.
    Nobody,
    /// Somebody in this process waits. Dropped unanswered means: ask again.
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

    /// Tells whoever waits in this process that it is done, where there is nothing to tell of it.
    pub(crate) fn done(self) {
        if let Self::Local(sender) = self {
            let _ = sender.send(Reply::Many(Vec::new()));
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

    /// Whether anybody waits for the answer.
    pub(crate) fn is_heard(&self) -> bool {
        self.0.lock().is_ok_and(|gathered| gathered.reply_to.is_some() || gathered.local.is_some())
    }

    /// Reads a part of an array that came by message again.
    pub(crate) fn submission(&self, index: usize) -> Option<Submission> {
        let gathered = self.0.lock().ok()?;
        let delivery = gathered.delivery.as_ref()?;
        let mut submission = Submission::parse(&delivery.payload).ok()?.into_iter().nth(index)?.ok()?;
        complete(&mut submission, delivery, Some(index)).ok()?;
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

/// The reply of a refusal.
pub(crate) fn refusal(code: Code, text: impl Into<String>) -> Reply {
    Reply::Error { error: ReplyError::new(code, text) }
}

/// The answer to what the store has no room for.
pub(crate) fn store_full(why: &str) -> Reply {
    refusal(Code::StoreFull, format!("{why}; this was not taken in: try again later"))
}

/// The answer to what is about a run that only a newer version can read.
pub(crate) fn newer_version(why: &str) -> Reply {
    refusal(
        Code::NewerVersion,
        format!(
            "{why}; a newer version of Millrace has written it: ask again when its partition has an owner of that"
        ),
    )
}

/// Whether a reply refuses for now only.
pub(crate) fn is_for_now(reply: &Reply) -> bool {
    matches!(reply, Reply::Error { error } if error.code == Code::StoreFull)
}

/// Whether a reply is about what only a newer version can act on.
pub(crate) fn is_kept(reply: &Reply) -> bool {
    matches!(reply, Reply::Error { error } if error.code == Code::NewerVersion)
}

/// An answer for what cannot be done.
pub(crate) fn unknown_workflow(name: &impl std::fmt::Display) -> Reply {
    refusal(
        Code::UnknownWorkflow,
        format!("there is no workflow {name}; `millrace workflows list` shows what there is"),
    )
}

/// What a message says beside its body: its id is its key when the body has none, its header its trace, its priority
/// how urgent it is. (Many clients send a priority of 0 for none, and RabbitMQ takes none for 0.)
///
/// # Errors
/// When its id is no key.
pub(crate) fn complete(
    submission: &mut Submission,
    delivery: &Delivery,
    index: Option<usize>,
) -> Result<(), SubmissionError> {
    if submission.idempotency_key.is_none()
        && let Some(id) = &delivery.properties.message_id
        && let Some(key) = IdempotencyKey::given(id.as_bytes())?
    {
        submission.idempotency_key = Some(index.map_or_else(|| key.clone(), |index| key.of_part(index)));
    }
    if submission.priority.is_none()
        && let Some(priority @ 1..) = delivery.properties.priority
    {
        submission.priority = Priority::from_number(priority.min(9).into()).ok();
    }
    if submission.traceparent.is_none() {
        let header = delivery.properties.headers.iter().find(|(name, _)| name == "traceparent");
        submission.traceparent = header.map(|(_, value)| value.clone());
    }
    Ok(())
}

/// Puts what cannot be accepted into the `rejected` queue, whole, with the reason beside it. `false` when the
/// broker does not take it for a while: then the message must go back to where it came from.
pub(crate) async fn reject(
    broker: &dyn Broker,
    payload: Bytes,
    properties: Properties,
    error: &ReplyError,
) -> bool {
    metrics::counter!("millrace_rejected_total", "code" => error.code.to_string()).increment(1);
    let message = Outgoing::rejected(payload, properties, error.code.as_str(), &error.message);
    for _ in 0..REJECT_TRIES {
        if broker.publish(vec![message.clone()]).await.into_iter().all(|result| result.is_ok()) {
            return true;
        }
        tokio::time::sleep(REJECT_PAUSE).await;
    }
    false
}

/// Puts a delivery into the `rejected` queue and acks it. When the broker does not take it, the delivery goes back.
pub(crate) async fn put_away(broker: &dyn Broker, delivery: Delivery, error: &ReplyError) {
    let (payload, properties) = (delivery.payload.clone(), delivery.properties.clone());
    if reject(broker, payload, properties, error).await {
        delivery.ack();
    } else {
        delivery.requeue();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;

    fn delivery(payload: &[u8], properties: Properties) -> Delivery {
        Delivery::new(payload.to_vec().into(), properties, false, 1, mpsc::unbounded_channel().0)
    }

    fn read(body: &str, properties: Properties) -> Submission {
        let mut submission = Submission::parse(body.as_bytes()).unwrap().remove(0).unwrap();
        complete(&mut submission, &delivery(body.as_bytes(), properties), None).unwrap();
        submission
    }

    #[test]
    fn a_message_is_as_urgent_as_its_body_says_or_else_its_priority() {
        let with = |priority| Properties { priority, ..Properties::default() };
        for (priority, expected) in [
            (None, None),
            // What many clients send where nobody asked for a priority.
            (Some(0), None),
            (Some(1), Some(Priority::P3)),
            (Some(5), Some(Priority::P1)),
            (Some(9), Some(Priority::P0)),
            (Some(255), Some(Priority::P0)),
        ] {
            assert_eq!(read(r#"{"run":"x"}"#, with(priority)).priority, expected, "{priority:?}");
        }
        assert_eq!(read(r#"{"run":"x","priority":"P3"}"#, with(Some(9))).priority, Some(Priority::P3));
    }
}
