//! Messages as RabbitMQ carries them.

use std::fmt::Write as _;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use super::direct_reply;
use super::screen::UNREADABLE_HEADER;
use crate::topology::{TASK_LEVELS, control_exchange};
use crate::{BrokerError, LEFT_OUT_HEADER, Outgoing, Properties, Queue, Route};

/// The header with a number of ours on each message that must be routed, by which one that comes back is known. Not
/// text, so that no consumer of ours sees it.
const SEQUENCE_HEADER: &str = "x-millrace-sequence";

/// The number of bytes that cover all of a frame but ids and headers: the frame itself, the properties that we set,
/// our number, and the note of what was left out.
const OTHERWISE_BYTES: usize = 512;
/// The number of bytes that a header takes besides its name and value.
const TEXT_OVERHEAD: usize = 6;
/// The number of headers left out that are named, and how much of each name.
const SHOWN: usize = 4;
const NAME_SHOWN_BYTES: usize = 48;

const TRANSIENT: u8 = 1;
const PERSISTENT: u8 = 2;

/// The names of our exchanges.
#[derive(Debug, Clone)]
pub(crate) struct Exchanges {
    pub(crate) direct: ShortString,
    pub(crate) control: ShortString,
    /// Whether there is a queue for each priority of a pool.
    bands: bool,
}

impl Exchanges {
    /// The exchanges under a prefix.
    pub(crate) fn new(prefix: &str, bands: bool) -> Result<Self, BrokerError> {
        let control = short("prefix", &control_exchange(prefix))?;
        Ok(Self { direct: short("prefix", prefix)?, control, bands })
    }
}

/// The band of a queue of tasks in which those of a level wait.
pub(super) fn band(tasks: &str, level: u8) -> Queue {
    Queue::Band(tasks.to_owned(), TASK_LEVELS - 1 - level.min(TASK_LEVELS - 1))
}

/// The envelope of a message: where and how it is published.
#[derive(Debug)]
pub(crate) struct Envelope {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
    pub(crate) mandatory: bool,
    pub(crate) properties: BasicProperties,
}

/// Puts the message numbered `sequence` in its envelope. Properties and headers travel in one frame of at most
/// `frame_max` bytes: headers for which it has no room are left out, since the server closes a connection on which
/// it gets a longer one.
pub(crate) fn envelope(
    message: &Outgoing,
    exchanges: &Exchanges,
    sequence: u64,
    frame_max: usize,
) -> Result<Envelope, BrokerError> {
    let mut properties = BasicProperties::default().with_content_type("application/json".into());
    let (exchange, routing_key, mandatory, persistent) = match &message.route {
        Route::Queue(queue) => {
            let mut key = queue.routing_key();
            if let Queue::Tasks(tasks) = queue {
                properties = properties.with_priority(message.level.min(TASK_LEVELS - 1));
                if exchanges.bands {
                    key = band(tasks, message.level).routing_key();
                }
            }
            let key = short("routing key", &key)?;
            (exchanges.direct.clone(), key, true, queue.is_durable())
        }
        Route::Control => (exchanges.control.clone(), ShortString::default(), false, false),
        // RabbitMQ delivers to its direct reply-to and calls it unroutable all the same: take its word for neither.
        Route::ReplyTo(name) => {
            let mandatory = !direct_reply::is_direct(name);
            if !mandatory && !direct_reply::is_well_formed(name) {
                return Err(BrokerError::Unroutable(name.clone()));
            }
            (ShortString::default(), short("reply_to", name)?, mandatory, false)
        }
    };
    properties = properties.with_delivery_mode(if persistent { PERSISTENT } else { TRANSIENT });
    let Properties {
        message_id,
        correlation_id,
        reply_to,
        priority,
        content_encoding,
        headers,
        unreadable: _,
    } = &message.properties;
    if let (Some(priority), None) = (priority, properties.priority()) {
        properties = properties.with_priority(*priority);
    }
    if let Some(encoding) = content_encoding {
        properties = properties.with_content_encoding(short("content_encoding", encoding)?);
    }
    if let Some(id) = message_id {
        properties = properties.with_message_id(short("message_id", id)?);
    }
    if let Some(id) = correlation_id {
        properties = properties.with_correlation_id(short("correlation_id", id)?);
    }
    if let Some(name) = reply_to {
        properties = properties.with_reply_to(short("reply_to", name)?);
    }
    let ids =
        [content_encoding, message_id, correlation_id, reply_to].into_iter().flatten().map(|id| 1 + id.len());
    let mut room = frame_max.saturating_sub(OTHERWISE_BYTES + ids.sum::<usize>());
    let mut table = FieldTable::default();
    let mut left_out = LeftOut::default();
    for (name, value) in headers {
        let size = name.len() + value.len() + TEXT_OVERHEAD;
        if size > room {
            left_out.add(name, value.len());
            continue;
        }
        room -= size;
        table.insert(short("header name", name)?, AMQPValue::LongString(value.as_str().into()));
    }
    if let Some(note) = left_out.note() {
        table.insert(LEFT_OUT_HEADER.into(), AMQPValue::LongString(note.into()));
    }
    if mandatory {
        let sequence = i64::try_from(sequence).unwrap_or(i64::MAX);
        table.insert(SEQUENCE_HEADER.into(), AMQPValue::LongLongInt(sequence));
    }
    Ok(Envelope { exchange, routing_key, mandatory, properties: properties.with_headers(table) })
}

/// The headers for which there was no room.
#[derive(Debug, Default)]
struct LeftOut {
    count: usize,
    shown: String,
}

impl LeftOut {
    fn add(&mut self, name: &str, size: usize) {
        self.count += 1;
        let name = &name[..name.floor_char_boundary(NAME_SHOWN_BYTES)];
        if self.count <= SHOWN {
            let comma = if self.shown.is_empty() { "" } else { ", " };
            let _ = write!(self.shown, "{comma}{name} ({size} bytes)");
        }
    }

    /// The note of what was left out, in less than [`OTHERWISE_BYTES`]; `None` when nothing was.
    fn note(mut self) -> Option<String> {
        if let Some(more) = self.count.checked_sub(SHOWN + 1) {
            let _ = write!(self.shown, ", and {} more", more + 1);
        }
        (self.count > 0).then_some(self.shown)
    }
}

/// The number that [`envelope`] gave the message.
pub(crate) fn sequence(properties: &BasicProperties) -> Option<u64> {
    match properties.headers().as_ref()?.inner().get(SEQUENCE_HEADER)? {
        AMQPValue::LongLongInt(sequence) => u64::try_from(*sequence).ok(),
        _ => None,
    }
}

/// The properties of a received message.
pub(crate) fn properties(received: &BasicProperties) -> Properties {
    let text = |value: &Option<ShortString>| value.as_ref().map(|text| text.as_str().to_owned());
    let mut properties = Properties {
        message_id: text(received.message_id()),
        correlation_id: text(received.correlation_id()),
        reply_to: text(received.reply_to()),
        priority: *received.priority(),
        content_encoding: text(received.content_encoding()),
        ..Properties::default()
    };
    for (name, value) in received.headers().as_ref().map(FieldTable::inner).into_iter().flatten() {
        let AMQPValue::LongString(value) = value else { continue };
        let Ok(value) = std::str::from_utf8(value.as_bytes()) else { continue };
        match name.as_str() {
            UNREADABLE_HEADER => properties.unreadable = Some(value.to_owned()),
            name => properties.headers.push((name.to_owned(), value.to_owned())),
        }
    }
    properties
}

/// The text as a short string of AMQP, which holds 255 bytes; a longer one would be a panic in the library.
pub(crate) fn short(what: &str, text: &str) -> Result<ShortString, BrokerError> {
    ShortString::try_new(text).map_err(|_| {
        BrokerError::Configuration(format!("expected a {what} of at most 255 bytes, found {}", text.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    use lapin::protocol::basic::gen_properties;

    const FRAME_MAX: usize = 32 * 1024;

    #[test]
    fn headers_of_any_size_fit_a_frame_and_what_has_no_room_is_named() {
        let exchanges = Exchanges::new("mill", false).unwrap();
        for frame_max in [4096, FRAME_MAX, 128 * 1024] {
            for (count, size) in [(1, 200_000), (400, 1_000), (20_000, 1), (3, 2_000)] {
                let foreign =
                    (0..count).map(|at| (format!("h{at}{}", "\u{fc}".repeat(100)), "x".repeat(size)));
                let properties = Properties {
                    message_id: Some("m".repeat(255)),
                    correlation_id: Some("c".repeat(255)),
                    headers: foreign.collect(),
                    ..Properties::default()
                };
                let text = "\u{fc}".repeat(5_000);
                let message = Outgoing::rejected("{}".into(), properties, "some-code", &text);
                let envelope = envelope(&message, &exchanges, u64::MAX, frame_max).unwrap();
                let written = gen_properties(&envelope.properties)(Vec::new().into()).unwrap().write;
                // Besides them, a frame has 8 bytes, and a content header 12.
                assert!(
                    written.len() + 20 <= frame_max,
                    "{count} of {size}: {} of {frame_max}",
                    written.len()
                );
                let told = properties_of(&envelope);
                assert_eq!(told.message_id, message.properties.message_id);
                let header = |name: &str| told.headers.iter().find(|(other, _)| other == name);
                assert_eq!(header("x-millrace-error-code").unwrap().1, "some-code");
                assert_eq!(header("x-millrace-error").unwrap().1.len(), 1_000);
                let ours = if header(LEFT_OUT_HEADER).is_some() { 3 } else { 2 };
                assert_eq!(ours == 3, told.headers.len() - ours < count, "{told:?}");
                assert!(
                    header(LEFT_OUT_HEADER)
                        .is_none_or(|(_, note)| note.contains("h") && note.contains(" bytes"))
                );
            }
        }
    }

    fn properties_of(envelope: &Envelope) -> Properties {
        properties(&envelope.properties)
    }

    #[test]
    fn what_is_put_in_an_envelope_comes_out_without_our_number() {
        let mut message = Outgoing::new(Route::Queue(Queue::Tasks("gpu".to_owned())), "{}");
        message.level = 9;
        message.properties = Properties {
            message_id: Some("m".to_owned()),
            correlation_id: Some("c".to_owned()),
            reply_to: Some("r".to_owned()),
            priority: Some(3),
            content_encoding: Some("utf-8".to_owned()),
            headers: vec![("traceparent".to_owned(), "00-1".to_owned())],
            unreadable: None,
        };
        let exchanges = Exchanges::new("mill", false).unwrap();
        let envelope = envelope(&message, &exchanges, 77, FRAME_MAX).unwrap();
        assert_eq!(envelope.routing_key.as_str(), "tasks.gpu");
        assert_eq!(envelope.properties.priority(), &Some(3));
        assert_eq!(sequence(&envelope.properties), Some(77));
        assert_eq!(properties(&envelope.properties), message.properties);
    }

    #[test]
    fn where_each_priority_has_its_queue_a_task_goes_to_that_of_its_own() {
        let exchanges = Exchanges::new("mill", true).unwrap();
        for (tasks, level, key) in [
            ("gpu", 0, "tasks.gpu.p3"),
            ("gpu", 3, "tasks.gpu.p0"),
            ("gpu", 9, "tasks.gpu.p0"),
            ("gpu.ns.billing", 2, "tasks.gpu.ns.billing.p1"),
        ] {
            let route = Route::Queue(Queue::Tasks(tasks.to_owned()));
            let message = Outgoing { level, ..Outgoing::new(route, "{}") };
            assert_eq!(envelope(&message, &exchanges, 1, FRAME_MAX).unwrap().routing_key.as_str(), key);
        }
    }

    #[test]
    fn a_property_that_amqp_cannot_carry_is_an_error_and_not_a_panic() {
        let mut message = Outgoing::new(Route::Control, "{}");
        message.properties.correlation_id = Some("x".repeat(256));
        let exchanges = Exchanges::new("mill", false).unwrap();
        let error = envelope(&message, &exchanges, 0, FRAME_MAX).unwrap_err();
        assert_eq!(error.to_string(), "expected a correlation_id of at most 255 bytes, found 256");
    }
}
