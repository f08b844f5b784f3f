//! The ways in: REST on any producer, and the broker, each as any client would use it. A client asks again, with the
//! same key, until it is answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use millrace_tests::Api;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::timeout;
use uuid::Uuid;

/// The longest that an answer may take before it is asked for again: longer than a producer tries by itself, so that
/// one who is behind does not get ever more of the same.
const ANSWER_BOUND: Duration = Duration::from_secs(35);
const CONNECT_BOUND: Duration = Duration::from_secs(5);

/// A door: a way by which a submission goes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// A `POST /api/v1/runs` to any producer.
    Rest,
    /// A message with `reply_to`.
    Reply,
    /// A message, and nothing but the broker's confirm.
    Confirm,
}

/// All doors of a fleet.
#[derive(Debug)]
pub struct Doors {
    /// The APIs of the producers, as they are now.
    pub producers: RwLock<Vec<Api>>,
    amqp_urls: Vec<String>,
    exchange: String,
    live: Mutex<Option<Arc<Live>>>,
}

/// A connection to one node, and its channel.
#[derive(Debug)]
struct Live {
    connection: Connection,
    channel: Channel,
    replies: String,
    waiting: Mutex<HashMap<String, oneshot::Sender<Value>>>,
}

impl Doors {
    /// The doors of a fleet with this prefix.
    pub fn new(amqp_urls: Vec<String>, prefix: &str) -> Self {
        Self { producers: RwLock::default(), amqp_urls, exchange: prefix.to_owned(), live: Mutex::default() }
    }

    /// The API of the `number`-th producer, modulo how many there are.
    pub fn producer(&self, number: usize) -> Option<Api> {
        let producers = self.producers.read().unwrap();
        producers.get(number.checked_rem(producers.len())?).cloned()
    }

    /// Sends an array, and returns the answers in order. None for [`Door::Confirm`], where the broker's word is all.
    ///
    /// # Errors
    /// When there is no answer: nothing is known then.
    pub async fn send(&self, door: Door, number: usize, many: &Value) -> Result<Vec<Value>, String> {
        let sent = async {
            match door {
                Door::Rest => self.post(number, "/api/v1/runs", many).await,
                Door::Reply => self.publish(many, true).await,
                Door::Confirm => self.publish(many, false).await,
            }
        };
        let answer = timeout(ANSWER_BOUND, sent).await.map_err(|_| "no answer".to_owned())??;
        Ok(answer.as_array().cloned().unwrap_or_default())
    }

    /// Sends a POST to a producer, and returns the body of the answer.
    ///
    /// # Errors
    /// For any answer but a 2xx.
    pub async fn post(&self, number: usize, path: &str, body: &Value) -> Result<Value, String> {
        let api = self.producer(number).ok_or("no producer")?;
        let answer = timeout(ANSWER_BOUND, api.try_post(path, body)).await;
        answer.map_err(|_| "no answer".to_owned())?
    }

    /// Sends a GET to a producer, and returns the body of the answer.
    ///
    /// # Errors
    /// For any answer but a 2xx.
    pub async fn get(&self, number: usize, path: &str) -> Result<Value, String> {
        let api = self.producer(number).ok_or("no producer")?;
        timeout(ANSWER_BOUND, api.try_get(path)).await.map_err(|_| "no answer".to_owned())?
    }

    async fn publish(&self, many: &Value, wants_reply: bool) -> Result<Value, String> {
        let live = self.live().await?;
        let answered = Self::publish_on(&live, &self.exchange, many, wants_reply).await;
        if answered.is_err() {
            self.forget(&live);
        }
        answered
    }

    async fn publish_on(
        live: &Live,
        exchange: &str,
        many: &Value,
        wants_reply: bool,
    ) -> Result<Value, String> {
        let id = Uuid::new_v4().to_string();
        let mut properties = BasicProperties::default().with_delivery_mode(2);
        let (sender, reply) = oneshot::channel();
        if wants_reply {
            properties = properties
                .with_reply_to(live.replies.as_str().into())
                .with_correlation_id(id.as_str().into());
            live.waiting.lock().unwrap().insert(id, sender);
        }
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let body = many.to_string();
        let sent = live.channel.basic_publish(
            exchange.into(),
            "submit".into(),
            options,
            body.as_bytes(),
            properties,
        );
        let confirm = timeout(CONNECT_BOUND, async { sent.await?.await }).await;
        match confirm.map_err(|_| "no confirm")?.map_err(|error| error.to_string())? {
            Confirmation::Ack(None) => {}
            other => return Err(format!("{other:?}")),
        }
        if !wants_reply {
            return Ok(Value::Null);
        }
        let reply = timeout(ANSWER_BOUND, reply).await;
        reply.map_err(|_| "no reply")?.map_err(|_| "the connection ended".to_owned())
    }

    async fn live(&self) -> Result<Arc<Live>, String> {
        let known = self.live.lock().unwrap().clone();
        if let Some(live) = known.filter(|live| live.connection.status().connected()) {
            return Ok(live);
        }
        let mut seen = String::new();
        for url in &self.amqp_urls {
            match timeout(CONNECT_BOUND, connect(url)).await {
                Ok(Ok(live)) => {
                    *self.live.lock().unwrap() = Some(Arc::clone(&live));
                    return Ok(live);
                }
                Ok(Err(error)) => seen = error.to_string(),
                Err(_) => "no answer".clone_into(&mut seen),
            }
        }
        Err(seen)
    }

    fn forget(&self, which: &Arc<Live>) {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        if live.as_ref().is_some_and(|live| Arc::ptr_eq(live, which)) {
            *live = None;
        }
    }
}

async fn connect(url: &str) -> lapin::Result<Arc<Live>> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let declared =
        channel.queue_declare("".into(), QueueDeclareOptions::exclusive(), FieldTable::default()).await?;
    let replies = declared.name().to_string();
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let mut consumer =
        channel.basic_consume(replies.as_str().into(), "".into(), options, FieldTable::default()).await?;
    let live = Arc::new(Live { connection, channel, replies, waiting: Mutex::default() });
    let reader = Arc::downgrade(&live);
    tokio::spawn(async move {
        while let Some(Ok(delivery)) = consumer.next().await {
            let Some(live) = reader.upgrade() else { return };
            let id = delivery.properties.correlation_id().as_ref().map(ToString::to_string);
            let waiting = id.and_then(|id| live.waiting.lock().unwrap().remove(&id));
            if let Some(waiting) = waiting {
                let _ = waiting.send(serde_json::from_slice(&delivery.data).unwrap_or_default());
            }
        }
    });
    Ok(live)
}
