//! What a broker is to Millrace.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use crate::Queue;

/// An error of the broker. Each says what to do about it by being what it is: retry, or not.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BrokerError {
    /// The broker is not connected now; the supervisor keeps trying.
    #[error("the broker at {0} is not reachable: {1}")]
    Unavailable(String, String),
    /// No confirm came within the bound. The message may or may not be there: publish it again.
    #[error("the broker did not confirm within {0} s")]
    Unconfirmed(u64),
    /// The broker refused the message (a negative confirm). Publish it again later.
    #[error("the broker refused the message")]
    Refused,
    /// No queue takes the message.
    #[error("no queue takes messages for {0:?}")]
    Unroutable(String),
    /// The address or the settings are wrong; trying again does not help.
    #[error("{0}")]
    Configuration(String),
    /// The broker was closed by us.
    #[error("the broker connection was closed")]
    Closed,
}

/// The route of a message: where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To the queue.
    Queue(Queue),
    /// To every worker's control queue. Nobody there is fine.
    Control,
    /// To a client's `reply_to`: the name of its queue. A client that is gone is [`BrokerError::Unroutable`].
    ReplyTo(String),
}

/// The properties of a message: what travels beside its payload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    /// The id of the message.
    pub message_id: Option<String>,
    /// The correlation id, which an answer must carry.
    pub correlation_id: Option<String>,
    /// The queue for an answer.
    pub reply_to: Option<String>,
    /// The priority as a client gives it: 0 to 9. What a task queue goes by is [`Outgoing::level`].
    pub priority: Option<u8>,
    /// The encoding of the payload, as a client calls it.
    pub content_encoding: Option<String>,
    /// The headers that are text; others are left out when received. Their order is the broker's. What a frame has no
    /// room for is left out when published, and the header [`LEFT_OUT_HEADER`] says so.
    pub headers: Vec<(String, String)>,
    /// The property or header of a received message that cannot be read, with what was expected and what was found.
    /// All others are as ever. Such a message is for [`Outgoing::rejected`]: nobody knows what its sender meant.
    pub unreadable: Option<String>,
}

/// The header that names the headers which were left out.
pub const LEFT_OUT_HEADER: &str = "x-millrace-left-out";

/// The greatest length of an error's text in a rejected message.
const ERROR_BYTES: usize = 1_000;

/// A message to publish. It is persistent where the queue is durable.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The route of the message.
    pub route: Route,
    /// The payload of the message.
    pub payload: Bytes,
    /// The level on a task queue, 0..=3; 0 elsewhere.
    pub level: u8,
    /// The properties of the message.
    pub properties: Properties,
}

impl Outgoing {
    /// A message without properties.
    pub fn new(route: Route, payload: impl Into<Bytes>) -> Self {
        Self { route, payload: payload.into(), level: 0, properties: Properties::default() }
    }

    /// The message with which a payload that could not be accepted goes, whole, to the queue of such messages: with a
    /// code, for programs, and a text, for people, in the headers `x-millrace-error-code` and `x-millrace-error`. Its
    /// sender is answered by now, so that it has no `reply_to`.
    pub fn rejected(payload: Bytes, properties: Properties, code: &str, text: &str) -> Self {
        let text = &text[..text.floor_char_boundary(ERROR_BYTES)];
        let ours = [("x-millrace-error-code", code), ("x-millrace-error", text)];
        // First, so that there is room for them; of a message that was rejected before, they are others.
        let mut headers: Vec<_> =
            ours.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        headers.extend(
            properties.headers.into_iter().filter(|(name, _)| ours.iter().all(|(own, _)| own != name)),
        );
        let properties = Properties { reply_to: None, headers, unreadable: None, ..properties };
        Self { properties, ..Self::new(Route::Queue(Queue::Rejected), payload) }
    }
}

/// A delivery: a message that arrived. It is settled exactly once: with [`Delivery::ack`] or [`Delivery::requeue`],
/// or else by being dropped, which requeues it. It outlives its [`Consumer`]: a task may go on for hours after that
/// was dropped, and ack then. When the connection or channel under it is lost, or the broker closes, it goes back to
/// its queue, flagged [`Delivery::redelivered`], and settling it does nothing.
#[derive(Debug)]
pub struct Delivery {
    /// The payload of the message.
    pub payload: Bytes,
    /// The properties of the message.
    pub properties: Properties,
    /// Whether the message was delivered before, to somebody.
    pub redelivered: bool,
    tag: u64,
    /// The channel for the settlement; `None` once it is settled.
    settle: Option<mpsc::UnboundedSender<Settle>>,
}

/// A settlement: what the broker is told about a delivery, by its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// The delivery is done with.
    Ack(u64),
    /// The delivery goes back to its queue, for anybody.
    Requeue(u64),
}

impl Delivery {
    /// A delivery whose settlement is told to `settle` under `tag`, exactly once. For implementations.
    pub fn new(
        payload: Bytes,
        properties: Properties,
        redelivered: bool,
        tag: u64,
        settle: mpsc::UnboundedSender<Settle>,
    ) -> Self {
        Self { payload, properties, redelivered, tag, settle: Some(settle) }
    }

    /// Acks the delivery. Never waits; when the channel under it is lost, the message comes back as a duplicate.
    pub fn ack(mut self) {
        self.tell(Settle::Ack);
    }

    /// Puts the delivery back into its queue, as dropping it does.
    pub fn requeue(self) {
        drop(self);
    }

    fn tell(&mut self, settle: fn(u64) -> Settle) {
        if let Some(told) = self.settle.take() {
            // Nobody there: the channel is lost, and the message went back with it.
            let _ = told.send(settle(self.tag));
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.tell(Settle::Requeue);
    }
}

/// A consumer: a stream of deliveries. It ends (`None`) when the connection or channel under it ended: consume again.
///
/// Dropped, it stops consuming: nothing new is delivered to it, and what it holds that was not received goes back
/// to the queue at once. What was received stays valid and is settled as ever, so that a worker drains by dropping
/// its consumers while its tasks finish. What is under it goes with the last settlement. An exclusive queue goes
/// with its last consumer, and then nothing of it comes back.
#[derive(Debug)]
pub struct Consumer {
    deliveries: mpsc::Receiver<Delivery>,
}

impl Consumer {
    /// A consumer of these deliveries. For implementations: when the other end of `deliveries` is closed, the
    /// consumer was dropped.
    pub fn new(deliveries: mpsc::Receiver<Delivery>) -> Self {
        Self { deliveries }
    }

    /// Receives the next delivery.
    pub async fn recv(&mut self) -> Option<Delivery> {
        self.deliveries.recv().await
    }

    /// Polls for the next delivery, see [`Consumer::recv`].
    pub(crate) fn poll_recv(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Delivery>> {
        self.deliveries.poll_recv(context)
    }

    /// Receives at least one and at most `limit` deliveries: all that are here now. Empty when the stream ended.
    pub async fn recv_many(&mut self, limit: usize) -> Vec<Delivery> {
        let mut batch = Vec::new();
        self.deliveries.recv_many(&mut batch, limit).await;
        batch
    }
}

/// The depth of a queue: how much waits in it, and who consumes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// The number of messages that wait.
    pub ready: u64,
    /// The number of consumers.
    pub consumers: u32,
}

/// A message broker.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Makes sure that the queue is there, with its binding, now and after every reconnection.
    async fn declare(&self, queue: &Queue) -> Result<(), BrokerError>;

    /// Publishes all messages, pipelined, and answers for each in order: `Ok` once the broker has it for good and a
    /// queue took it. A durable queue that is not there, or has lost its binding, is made. Waits have a bound.
    async fn publish(&self, messages: Vec<Outgoing>) -> Vec<Result<(), BrokerError>>;

    /// Consumes `queue` with at most `prefetch` unsettled deliveries, at least one. Waits (bounded) for the
    /// connection. A durable queue that was not declared is [`BrokerError::Unroutable`]; an exclusive one is made,
    /// since it goes with its last consumer.
    async fn consume(&self, queue: &Queue, prefetch: u16) -> Result<Consumer, BrokerError>;

    /// The depth of a queue. One that is not there is [`BrokerError::Unroutable`].
    async fn depth(&self, queue: &Queue) -> Result<Depth, BrokerError>;

    /// The kind of its durable queues, in one word: all processes of a cluster have the same.
    fn queue_kind(&self) -> &'static str;

    /// Whether the broker holds what it has confirmed when this process ends. What it does not hold, the owner of a
    /// partition publishes again.
    fn is_durable(&self) -> bool {
        true
    }

    /// Whether the broker is connected, now and later. For `/readyz`.
    fn ready(&self) -> watch::Receiver<bool>;

    /// The reason why the broker takes no messages, now and later, though it is connected: it is short of memory or
    /// disk. `None` while it takes them. A server says so only to those who publish: known from the first message on
    /// that it did not take.
    fn blocked(&self) -> watch::Receiver<Option<Arc<str>>>;

    /// Sends what must still be sent, and closes the broker: every stream ends, and what is unsettled goes back to
    /// its queue.
    async fn close(&self);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery() -> (Delivery, mpsc::UnboundedReceiver<Settle>) {
        let (settle, settled) = mpsc::unbounded_channel();
        (Delivery::new(Bytes::new(), Properties::default(), false, 7, settle), settled)
    }

    /// All that was told, to the end.
    fn told(mut settled: mpsc::UnboundedReceiver<Settle>) -> Vec<Settle> {
        std::iter::from_fn(|| settled.blocking_recv()).collect()
    }

    #[test]
    fn a_delivery_is_settled_exactly_once() {
        for (settle, expected) in [
            (Delivery::ack as fn(Delivery), Settle::Ack(7)),
            (Delivery::requeue, Settle::Requeue(7)),
            (drop, Settle::Requeue(7)),
        ] {
            let (delivery, settled) = delivery();
            settle(delivery);
            assert_eq!(told(settled), [expected]);
        }
    }
}
