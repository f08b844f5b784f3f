//! A client of the broker, as anybody could write one: it knows names and JSON, nothing else.

use std::collections::BTreeMap;
use std::time::Duration;

use lapin::options::{
    BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeleteOptions, QueueBindOptions,
    QueueDeclareOptions, QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use serde_json::Value;
use uuid::Uuid;

use crate::wait_until;

/// The longest that an answer to a message may take.
const ANSWER_BOUND: Duration = Duration::from_secs(30);

/// A connection with one channel, and the prefix of a fleet.
#[derive(Debug)]
pub struct Amqp {
    connection: Connection,
    channel: Channel,
    prefix: String,
}

/// A message that was taken from a queue, and is acked.
#[derive(Debug, Clone)]
pub struct Message {
    /// The body.
    pub payload: Vec<u8>,
    /// The headers that are texts.
    pub headers: BTreeMap<String, String>,
    /// The properties.
    pub properties: BasicProperties,
}

impl Message {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.payload).unwrap_or_default()
    }
}

impl Amqp {
    /// Connects to a broker, and opens a channel with publisher confirms.
    pub async fn connect(url: &str, prefix: &str) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        Self { connection, channel, prefix: prefix.to_owned() }
    }

    /// Publishes to the fleet's exchange, persistent, and waits for the confirm. `key` is `submit`, `inbox.3`,
    /// `tasks.default` and the like.
    ///
    /// # Panics
    /// When no queue is bound to the key, or the broker refuses it.
    pub async fn publish(&self, key: &str, payload: &[u8], properties: BasicProperties) {
        self.try_publish(key, payload, properties).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Publishes as [`Self::publish`] does, and returns why that failed.
    ///
    /// # Errors
    /// When there is no exchange, no queue is bound to the key, or the broker refuses it.
    pub async fn try_publish(
        &self,
        key: &str,
        payload: &[u8],
        properties: BasicProperties,
    ) -> Result<(), String> {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = properties.with_delivery_mode(2);
        let exchange = self.prefix.as_str().into();
        let sent = self.channel.basic_publish(exchange, key.into(), options, payload, properties);
        match async { sent.await?.await }.await {
            Ok(Confirmation::Ack(None)) => Ok(()),
            other => Err(format!("{key}: expected an ack, got {other:?}")),
        }
    }

    /// Submits one task, or an array, and waits for the broker's confirm only.
    pub async fn submit(&self, submission: &Value) {
        self.publish("submit", submission.to_string().as_bytes(), BasicProperties::default()).await;
    }

    /// Submits one task, or an array, and waits for the producer's answer.
    pub async fn ask(&self, submission: &Value) -> Value {
        let asked = self.try_ask(submission.to_string().as_bytes(), ANSWER_BOUND).await;
        asked.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Submits any bytes, and waits for the producer's answer at most so long.
    ///
    /// # Errors
    /// When the submission does not get through, or no answer comes.
    pub async fn try_ask(&self, submission: &[u8], within: Duration) -> Result<Value, String> {
        let replies = self.scratch().await;
        let id = Uuid::new_v4().to_string();
        let properties = BasicProperties::default()
            .with_reply_to(replies.as_str().into())
            .with_correlation_id(id.as_str().into());
        self.try_publish("submit", submission, properties).await?;
        let deadline = tokio::time::Instant::now() + within;
        let message = loop {
            match self.get(&replies).await {
                Some(message) => break message,
                None if tokio::time::Instant::now() >= deadline => return Err("no answer".to_owned()),
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        assert_eq!(message.properties.correlation_id().as_ref().map(|id| id.as_str()), Some(id.as_str()));
        Ok(message.json())
    }

    /// Waits for the next message of a queue (its full name), and takes it.
    pub async fn next(&self, queue: &str, within: Duration) -> Message {
        wait_until(within, &format!("there is a message in {queue}"), async || {
            self.get(queue).await.ok_or_else(|| "none".to_owned())
        })
        .await
    }

    /// Takes a message from a queue, if there is one.
    pub async fn get(&self, queue: &str) -> Option<Message> {
        let options = BasicGetOptions { no_ack: true };
        let got = self.channel.basic_get(queue.into(), options).await.unwrap()?.delivery;
        let texts =
            got.properties.headers().iter().flat_map(|table| table.inner()).filter_map(|(name, value)| {
                match value {
                    AMQPValue::LongString(text) => Some((name.to_string(), text.to_string())),
                    _ => None,
                }
            });
        Some(Message { headers: texts.collect(), payload: got.data, properties: got.properties })
    }

    /// Counts the messages that are ready in a queue of the fleet (`submit`, `rejected`, `tasks.default`); `None` when
    /// there is no such queue.
    pub async fn ready(&self, queue: &str) -> Option<u32> {
        // A channel of its own, since asking for what is not there closes it.
        let channel = self.connection.create_channel().await.unwrap();
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let declared =
            channel.queue_declare(self.queue(queue).as_str().into(), options, FieldTable::default());
        let ready = declared.await.ok()?.message_count();
        channel.close(200, "asked".into()).await.ok()?;
        Some(ready)
    }

    /// Makes a queue that gets a copy of whatever passes under a routing key from now on, and returns its name.
    pub async fn tap(&self, key: &str) -> String {
        let name = self.scratch().await;
        let options = QueueBindOptions::default();
        let exchange = self.prefix.as_str().into();
        let bound = self.channel.queue_bind(
            name.as_str().into(),
            exchange,
            key.into(),
            options,
            FieldTable::default(),
        );
        bound.await.unwrap();
        name
    }

    /// Deletes an exchange of the fleet (`""`, or `control`), with all its bindings.
    pub async fn delete_exchange(&self, name: &str) {
        let exchange = if name.is_empty() { self.prefix.clone() } else { self.queue(name) };
        let options = ExchangeDeleteOptions::default();
        self.channel.exchange_delete(exchange.as_str().into(), options).await.unwrap();
    }

    /// Deletes a queue of the fleet, with what is in it.
    pub async fn delete_queue(&self, name: &str) {
        let queue = self.queue(name);
        self.channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
    }

    /// Takes a queue of the fleet off its exchange.
    pub async fn unbind(&self, name: &str, key: &str) {
        let (queue, exchange, none) = (self.queue(name), self.prefix.as_str().into(), FieldTable::default());
        self.channel.queue_unbind(queue.as_str().into(), exchange, key.into(), none).await.unwrap();
    }

    /// Empties a queue of the fleet, and returns how many messages were in it.
    pub async fn purge(&self, name: &str) -> u32 {
        let queue = self.queue(name);
        self.channel.queue_purge(queue.as_str().into(), QueuePurgeOptions::default()).await.unwrap()
    }

    /// The full name of a queue of the fleet.
    pub fn queue(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// Declares a queue that goes with this connection.
    async fn scratch(&self) -> String {
        let options = QueueDeclareOptions::exclusive();
        let declared = self.channel.queue_declare("".into(), options, FieldTable::default()).await.unwrap();
        declared.name().to_string()
    }
}
