//! What a broker is to Millrace.

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use crate::Queue;

/// What can go wrong. Each says what to do about it by being what it is: retry, or not.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BrokerError {
    /// Not connected now; the supervisor keeps trying.
    #[error("the broker at {0} is not reachable: {1}")]
    Unavailable(String, String),
    /// No confirm came within the bound. The message may or may not be there: publish it again.
    #[error("the broker did not confirm within {0} s")]
    Unconfirmed(u64),
    /// The broker refused it (a negative confirm). Publish it again later.
    #[error("the broker refused the message")]
    Refused,
    /// No queue takes it.
    #[error("no queue takes messages for {0:?}")]
    Unroutable(String),
    /// The address or the settings are wrong; trying again does not help.
    #[error("{0}")]
    Configuration(String),
    /// The broker was closed by us.
    #[error("the broker connection was closed")]
    Closed,
}

/// Where a message goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To this queue.
    Queue(Queue),
    /// To every worker's control queue. Nobody there is fine.
    Control,
    /// To a client's `reply_to`: the name of its queue. A client that is gone is [`BrokerError::Unroutable`].
    ReplyTo(String),
}

/// What travels beside a payload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    /// The message's id.
    pub message_id: Option<String>,
    /// What an answer must carry.
    pub correlation_id: Option<String>,
    /// Where an answer goes.
    pub reply_to: Option<String>,
    /// Text headers; others are left out when received. Their order is the broker's.
    pub headers: Vec<(String, String)>,
}

/// A message to publish. Always persistent where the queue is durable.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Where to.
    pub route: Route,
    /// What.
    pub payload: Bytes,
    /// The level on a task queue, 0..=3; 0 elsewhere.
    pub level: u8,
    /// Beside it.
    pub properties: Properties,
}

impl Outgoing {
    /// A message without properties.
    pub fn new(route: Route, payload: impl Into<Bytes>) -> Self {
        Self { route, payload: payload.into(), level: 0, properties: Properties::default() }
    }
}

/// A message that arrived. It must be settled with exactly one of [`Delivery::ack`], [`Delivery::requeue`];
/// dropped unsettled, it comes back when its consumer ends.
#[derive(Debug)]
pub struct Delivery {
    /// What.
    pub payload: Bytes,
    /// Beside it.
    pub properties: Properties,
    /// It was delivered before, to somebody.
    pub redelivered: bool,
    tag: u64,
    settle: mpsc::UnboundedSender<Settle>,
}

/// What a consumer is told about one of its deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settle {
    /// Done with it.
    Ack(u64),
    /// Back to its queue, for anybody.
    Requeue(u64),
}

impl Delivery {
    /// For implementations: a delivery whose settlement is told to `settle` under `tag`.
    pub fn new(
        payload: Bytes,
        properties: Properties,
        redelivered: bool,
        tag: u64,
        settle: mpsc::UnboundedSender<Settle>,
    ) -> Self {
        Self { payload, properties, redelivered, tag, settle }
    }

    /// Done with it. Never waits; when the consumer is gone, the message comes back as a duplicate.
    pub fn ack(self) {
        let _ = self.settle.send(Settle::Ack(self.tag));
    }

    /// Back to its queue.
    pub fn requeue(self) {
        let _ = self.settle.send(Settle::Requeue(self.tag));
    }
}

/// A stream of deliveries. It ends (`None`) when the connection or channel under it ended: consume again.
/// Dropped, it stops consuming and what it delivered unsettled goes back to the queue. Acks already told
/// are sent first.
#[derive(Debug)]
pub struct Consumer {
    deliveries: mpsc::Receiver<Delivery>,
    _guard: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Consumer {
    /// For implementations: `guard` is dropped together with the consumer.
    pub fn new(deliveries: mpsc::Receiver<Delivery>, guard: tokio::sync::oneshot::Sender<()>) -> Self {
        Self { deliveries, _guard: Some(guard) }
    }

    /// The next delivery.
    pub async fn recv(&mut self) -> Option<Delivery> {
        self.deliveries.recv().await
    }

    /// At least one and at most `limit` deliveries: all that are here now. Empty when the stream ended.
    pub async fn recv_many(&mut self, limit: usize) -> Vec<Delivery> {
        let mut batch = Vec::new();
        self.deliveries.recv_many(&mut batch, limit).await;
        batch
    }
}

/// How a queue stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Messages that wait.
    pub ready: u64,
    /// Who consumes it.
    pub consumers: u32,
}

/// A message broker.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Makes sure that the queue is there, with its binding, now and after every reconnection.
    async fn declare(&self, queue: &Queue) -> Result<(), BrokerError>;

    /// Publishes all, pipelined, and answers for each in order: `Ok` once the broker has it for good and a
    /// queue took it. Waits have a bound.
    async fn publish(&self, messages: Vec<Outgoing>) -> Vec<Result<(), BrokerError>>;

    /// Consumes `queue` with at most `prefetch` unsettled deliveries, and at least one. Waits (bounded) for the
    /// connection. A durable queue that was not declared is [`BrokerError::Unroutable`]; an exclusive one is made,
    /// since it goes with its last consumer.
    async fn consume(&self, queue: &Queue, prefetch: u16) -> Result<Consumer, BrokerError>;

    /// How a queue stands. One that is not there is [`BrokerError::Unroutable`].
    async fn depth(&self, queue: &Queue) -> Result<Depth, BrokerError>;

    /// Is it connected, now and later? For `/readyz`.
    fn ready(&self) -> watch::Receiver<bool>;

    /// Sends what must still be sent, and closes.
    async fn close(&self);
}
