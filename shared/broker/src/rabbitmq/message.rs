//! Messages as RabbitMQ carries them.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use super::topology::band;
use crate::topology::{TASK_LEVELS, control_exchange};
use crate::{BrokerError, Outgoing, Properties, Route};

/// A number of ours on each message that must be routed, by which one that comes back is known. Not text, so
/// that no consumer of ours sees it.
const SEQUENCE_HEADER: &str = "x-millrace-sequence";

const TRANSIENT: u8 = 1;
const PERSISTENT: u8 = 2;

/// The names of our exchanges.
#[derive(Debug, Clone)]
pub(crate) struct Exchanges {
    pub(crate) direct: ShortString,
    pub(crate) control: ShortString,
    /// A queue for each priority of a pool.
    bands: bool,
}

impl Exchanges {
    pub(crate) fn new(prefix: &str, bands: bool) -> Result<Self, BrokerError> {
        let control = short("prefix", &control_exchange(prefix))?;
        Ok(Self { direct: short("prefix", prefix)?, control, bands })
    }
}

/// Where and how a message is published.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
    pub(crate) mandatory: bool,
    pub(crate) properties: BasicProperties,
}

/// Puts the message numbered `sequence` in its envelope.
pub(crate) fn envelope(
    message: &Outgoing,
    exchanges: &Exchanges,
    sequence: u64,
) -> Result<Envelope, BrokerError> {
    let mut properties = BasicProperties::default().with_content_type("application/json".into());
    let (exchange, routing_key, mandatory, persistent) = match &message.route {
        Route::Queue(queue) => {
            let mut key = queue.routing_key();
            if let crate::Queue::Tasks(pool) = queue {
                properties = properties.with_priority(message.level.min(TASK_LEVELS - 1));
                if exchanges.bands {
                    key = crate::Queue::Tasks(band(pool, message.level)).routing_key();
                }
            }
            let key = short("routing key", &key)?;
            (exchanges.direct.clone(), key, true, queue.is_durable())
        }
        Route::Control => (exchanges.control.clone(), ShortString::default(), false, false),
        // RabbitMQ delivers to its direct reply-to and calls it unroutable all the same: take its word for neither.
        Route::ReplyTo(name) => {
            let mandatory = !name.starts_with("amq.rabbitmq.reply-to");
            (ShortString::default(), short("reply_to", name)?, mandatory, false)
        }
    };
    properties = properties.with_delivery_mode(if persistent { PERSISTENT } else { TRANSIENT });
    let Properties { message_id, correlation_id, reply_to, headers } = &message.properties;
    if let Some(id) = message_id {
        properties = properties.with_message_id(short("message_id", id)?);
    }
    if let Some(id) = correlation_id {
        properties = properties.with_correlation_id(short("correlation_id", id)?);
    }
    if let Some(name) = reply_to {
        properties = properties.with_reply_to(short("reply_to", name)?);
    }
    let mut table = FieldTable::default();
    for (name, value) in headers {
        table.insert(short("header name", name)?, AMQPValue::LongString(value.as_str().into()));
    }
    if mandatory {
        let sequence = i64::try_from(sequence).unwrap_or(i64::MAX);
        table.insert(SEQUENCE_HEADER.into(), AMQPValue::LongLongInt(sequence));
    }
    Ok(Envelope { exchange, routing_key, mandatory, properties: properties.with_headers(table) })
}

/// The number that [`envelope`] gave it.
pub(crate) fn sequence(properties: &BasicProperties) -> Option<u64> {
    match properties.headers().as_ref()?.inner().get(SEQUENCE_HEADER)? {
        AMQPValue::LongLongInt(sequence) => u64::try_from(*sequence).ok(),
        _ => None,
    }
}

/// What travelled beside a payload.
pub(crate) fn properties(received: &BasicProperties) -> Properties {
    let text = |value: &Option<ShortString>| value.as_ref().map(|text| text.as_str().to_owned());
    let headers = received.headers().as_ref().map(FieldTable::inner).into_iter().flatten();
    Properties {
        message_id: text(received.message_id()),
        correlation_id: text(received.correlation_id()),
        reply_to: text(received.reply_to()),
        headers: headers
            .filter_map(|(name, value)| match value {
                AMQPValue::LongString(value) => {
                    let value = std::str::from_utf8(value.as_bytes()).ok()?;
                    Some((name.as_str().to_owned(), value.to_owned()))
                }
                _ => None,
            })
            .collect(),
    }
}

/// AMQP's short strings hold 255 bytes; a longer one would be a panic in the library.
pub(crate) fn short(what: &str, text: &str) -> Result<ShortString, BrokerError> {
    ShortString::try_new(text).map_err(|_| {
        BrokerError::Configuration(format!("expected a {what} of at most 255 bytes, found {}", text.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Queue;

    #[test]
    fn what_is_put_in_an_envelope_comes_out_without_our_number() {
        let mut message = Outgoing::new(Route::Queue(Queue::Tasks("gpu".to_owned())), "{}");
        message.level = 9;
        message.properties = Properties {
            message_id: Some("m".to_owned()),
            correlation_id: Some("c".to_owned()),
            reply_to: Some("r".to_owned()),
            headers: vec![("traceparent".to_owned(), "00-1".to_owned())],
        };
        let exchanges = Exchanges::new("mill", false).unwrap();
        let envelope = envelope(&message, &exchanges, 77).unwrap();
        assert_eq!(envelope.routing_key.as_str(), "tasks.gpu");
        assert_eq!(envelope.properties.priority(), &Some(3));
        assert_eq!(sequence(&envelope.properties), Some(77));
        assert_eq!(properties(&envelope.properties), message.properties);
    }

    #[test]
    fn where_each_priority_has_its_queue_a_task_goes_to_that_of_its_own() {
        let exchanges = Exchanges::new("mill", true).unwrap();
        for (level, key) in [(0, "tasks.gpu.p3"), (3, "tasks.gpu.p0"), (9, "tasks.gpu.p0")] {
            let route = Route::Queue(Queue::Tasks("gpu".to_owned()));
            let message = Outgoing { level, ..Outgoing::new(route, "{}") };
            assert_eq!(envelope(&message, &exchanges, 1).unwrap().routing_key.as_str(), key);
        }
    }

    #[test]
    fn a_property_that_amqp_cannot_carry_is_an_error_and_not_a_panic() {
        let mut message = Outgoing::new(Route::Control, "{}");
        message.properties.correlation_id = Some("x".repeat(256));
        let error = envelope(&message, &Exchanges::new("mill", false).unwrap(), 0).unwrap_err();
        assert_eq!(error.to_string(), "expected a correlation_id of at most 255 bytes, found 256");
    }
}
