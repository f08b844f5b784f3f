//! Every message that passes a RabbitMQ, by its own tracing ("firehose"): a copy of whatever is published, with where
//! it went and with which properties.

use std::collections::{BTreeMap, BTreeSet};

use lapin::options::{BasicGetOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use millrace_servers::RabbitMq;
use serde_json::{Map, Value, json};
use tokio::task::block_in_place;

/// The exchange to which copies go.
const TRACE: &str = "amq.rabbitmq.trace";

/// The messages of each form that are kept.
const KEPT: usize = 2;

/// The fields whose content is the user's, and no part of a message's form.
const FREE: [&str; 6] = ["params", "outputs", "env", "labels", "with", "headers"];

/// A queue with copies of all messages, and those that were taken from it.
pub(crate) struct Traffic {
    connection: Connection,
    channel: Channel,
    queue: String,
    seen: Vec<Value>,
}

impl Traffic {
    /// Copies all messages from now on.
    pub(crate) async fn of(broker: &RabbitMq) -> Self {
        block_in_place(|| broker.ctl(&["trace_on"]));
        let connection = Connection::connect(&broker.url(), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let options = QueueDeclareOptions::exclusive();
        let declared = channel.queue_declare("".into(), options, FieldTable::default()).await.unwrap();
        let queue = declared.name().to_string();
        let options = QueueBindOptions::default();
        let none = FieldTable::default();
        channel
            .queue_bind(queue.as_str().into(), TRACE.into(), "publish.#".into(), options, none)
            .await
            .unwrap();
        Self { connection, channel, queue, seen: Vec::new() }
    }

    /// All messages until now.
    pub(crate) async fn all(&mut self) -> &[Value] {
        while let Some((properties, body)) = take(&self.channel, &self.queue).await {
            let headers = table(properties.headers().as_ref());
            self.seen.push(json!({"exchange": headers["exchange_name"], "key": headers["routing_keys"][0],
                "properties": headers["properties"], "body": body}));
        }
        &self.seen
    }

    /// One or two of each form of message: with the same key but for numbers, and the same fields.
    pub(crate) async fn forms(&mut self) -> Value {
        let mut forms: BTreeMap<(String, BTreeSet<String>), Vec<Value>> = BTreeMap::new();
        for message in self.all().await {
            let mut fields = BTreeSet::new();
            let body = serde_json::from_str(message["body"].as_str().unwrap()).unwrap_or_default();
            paths("", &body, &mut fields);
            let key = message["key"].as_str().unwrap();
            let kind = key.split('.').next().unwrap().to_owned();
            let place = if key.starts_with("inbox") || !key.contains('.') { kind } else { key.to_owned() };
            let exchange = message["exchange"].as_str().unwrap();
            // Answers go to queues with names of their own.
            let place = if exchange.is_empty() { "reply".to_owned() } else { format!("{exchange} {place}") };
            let same = forms.entry((place, fields)).or_default();
            same.push(message.clone());
            // The shortest tell as much.
            same.sort_by_key(|message| message.to_string().len());
            same.truncate(KEPT);
        }
        forms.into_values().flatten().collect()
    }

    /// Takes all that waits in the queues of a fleet, by the names of the queues.
    pub(crate) async fn waiting(&self, broker: &RabbitMq, prefix: &str) -> Value {
        let listed = block_in_place(|| broker.ctl(&["--quiet", "list_queues", "name"]));
        let channel = self.connection.create_channel().await.unwrap();
        let mut queues = Map::new();
        for name in listed.lines().filter(|name| name.starts_with(&format!("{prefix}."))) {
            let mut messages = Vec::new();
            while let Some((properties, body)) = take(&channel, name).await {
                messages.push(json!({"properties": of(&properties), "body": body}));
            }
            if !messages.is_empty() {
                queues.insert(name.to_owned(), Value::from(messages));
            }
        }
        Value::Object(queues)
    }
}

async fn take(channel: &Channel, queue: &str) -> Option<(BasicProperties, String)> {
    let options = BasicGetOptions { no_ack: true };
    let got = channel.basic_get(queue.into(), options).await.unwrap()?.delivery;
    Some((got.properties, String::from_utf8_lossy(&got.data).into_owned()))
}

/// The properties of a message, by the names that they have in a trace.
fn of(properties: &BasicProperties) -> Value {
    let text = |value: &Option<lapin::types::ShortString>| value.as_ref().map(|text| text.to_string());
    let all = json!({
        "content_type": text(properties.content_type()), "delivery_mode": properties.delivery_mode(),
        "priority": properties.priority(), "correlation_id": text(properties.correlation_id()),
        "reply_to": text(properties.reply_to()), "message_id": text(properties.message_id()),
        "headers": properties.headers().as_ref().map(|headers| table(Some(headers))),
    });
    all.as_object()
        .unwrap()
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect()
}

fn table(table: Option<&FieldTable>) -> Value {
    let fields = table.into_iter().flat_map(FieldTable::inner);
    fields.map(|(name, value)| (name.to_string(), json(value))).collect()
}

fn json(value: &AMQPValue) -> Value {
    match value {
        AMQPValue::LongString(text) => Value::from(text.to_string()),
        AMQPValue::ShortString(text) => Value::from(text.to_string()),
        AMQPValue::Boolean(value) => Value::from(*value),
        AMQPValue::ShortShortInt(value) => Value::from(*value),
        AMQPValue::ShortShortUInt(value) => Value::from(*value),
        AMQPValue::ShortInt(value) => Value::from(*value),
        AMQPValue::ShortUInt(value) => Value::from(*value),
        AMQPValue::LongInt(value) => Value::from(*value),
        AMQPValue::LongUInt(value) => Value::from(*value),
        AMQPValue::LongLongInt(value) => Value::from(*value),
        AMQPValue::FieldArray(values) => values.as_slice().iter().map(json).collect(),
        AMQPValue::FieldTable(fields) => table(Some(fields)),
        other => panic!("no message of ours has {other:?}"),
    }
}

/// The paths of all fields of a body, and the kind of an inbox message.
fn paths(at: &str, body: &Value, found: &mut BTreeSet<String>) {
    match body {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = format!("{at}/{name}");
                if ["kind", "code", "outcome", "paused", "unchanged"].contains(&name.as_str()) {
                    found.insert(format!("{path}={value}"));
                } else {
                    found.insert(path.clone());
                }
                if !FREE.contains(&name.as_str()) {
                    paths(&path, value, found);
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|value| paths(&format!("{at}/*"), value, found)),
        _ => {}
    }
}
