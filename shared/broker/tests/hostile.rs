//! Whatever a foreign client writes into a message costs at most that message: it arrives, whole, marked where
//! something of it cannot be read, and so does the next one, on the same consumer and the same connection.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it stands")]

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use millrace_broker::rabbitmq::{Options, QueueType, RabbitMqBroker};
use millrace_broker::{Broker, Consumer, Delivery, Outgoing, Queue, Route};
use millrace_servers::{
    ForeignClient, ForeignProperties, RabbitMq, header, long, nested_header, text_header,
};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(30);
const PREFIX: &str = "mill";
const STRANGERS: &str = "strangers";

/// What a stranger publishes, and how it must arrive.
struct Case {
    name: &'static str,
    properties: ForeignProperties,
    /// In the mark; without one, none is expected.
    unreadable: Option<&'static str>,
    /// A header that arrives, if any.
    header: Option<(&'static str, &'static str)>,
}

fn case(name: &'static str, properties: ForeignProperties, unreadable: Option<&'static str>) -> Case {
    Case { name, properties, unreadable, header: None }
}

fn with(header: (&'static str, &'static str), case: Case) -> Case {
    Case { header: Some(header), ..case }
}

fn cases() -> Vec<Case> {
    let plain = ForeignProperties::default;
    let trace = || text_header("traceparent", b"00-1");
    let many: Vec<u8> =
        (0..10_000_u32).flat_map(|at| header(format!("{at}").as_bytes(), b'V', b"")).collect();
    let some: Vec<u8> = (0..2_000).flat_map(|at| header(format!("{at}").as_bytes(), b't', b"\x01")).collect();
    let deaths = [header(b"count", b'l', &[0; 8]), text_header("queue", b"q")].concat();
    let deaths = long(&[&b"F"[..], &long(&deaths)].concat().repeat(400));
    let odd = plain()
        .raw("delivery_mode", vec![2])
        .raw("priority", vec![255])
        .raw("timestamp", vec![255; 8])
        .text("expiration", b"3600000")
        .text("correlation_id", &[b'c'; 255])
        .text("reply_to", b"nobody.reads.this");
    let numbers = [&b"tbBsuIilLfdDTV"[..]]
        .concat()
        .iter()
        .flat_map(|kind| {
            let size = match kind {
                b't' | b'b' | b'B' => 1,
                b's' | b'u' => 2,
                b'I' | b'i' | b'f' => 4,
                b'D' => 5,
                b'V' => 0,
                _ => 8,
            };
            header(&[*kind], *kind, &[1; 8][..size])
        })
        .collect::<Vec<_>>();
    vec![
        case(
            "a message id",
            plain().text("message_id", b"\xff\xfe"),
            Some(r#"message_id: expected UTF-8, found "\xff\xfe""#),
        ),
        case("a content type", plain().text("content_type", b"\xff"), Some("content_type: ")),
        case("a content encoding", plain().text("content_encoding", b"\xc3"), Some("content_encoding: ")),
        case("a correlation id", plain().text("correlation_id", &[0xff; 255]), Some(" and 191 bytes more")),
        case("a reply_to", plain().text("reply_to", b"\xed\xa0\x80"), Some("reply_to: ")),
        case("a type", plain().text("type", b"\xfe"), Some("type: ")),
        case("an app id", plain().text("app_id", b"\xfe"), Some("app_id: ")),
        case("a cluster id", plain().text("cluster_id", b"\xfe"), Some("cluster_id: ")),
        with(
            ("traceparent", "00-1"),
            case("one beside good headers", plain().headers(&trace()).text("type", b"\xfe"), Some("type: ")),
        ),
        with(
            ("traceparent", "00-1"),
            case(
                "a header's name",
                plain().headers(&[header(b"\xff", b'V', b""), trace()].concat()),
                Some(r#"headers: expected names in UTF-8, found "\xff""#),
            ),
        ),
        with(
            ("", "empty"),
            case("an empty name", plain().headers(&[text_header("", b"empty"), trace()].concat()), None),
        ),
        with(
            ("traceparent", "00-1"),
            case(
                "a text that is none",
                plain().headers(&[text_header("x", b"\xff"), trace()].concat()),
                None,
            ),
        ),
        with(("traceparent", "00-1"), case("all kinds", plain().headers(&[numbers, trace()].concat()), None)),
        with(
            ("traceparent", "00-1"),
            case("a deep table", plain().headers(&[nested_header(1_000), trace()].concat()), None),
        ),
        with(
            ("traceparent", "00-1"),
            case("the deepest table", plain().headers(&[nested_header(18_000), trace()].concat()), None),
        ),
        with(
            ("traceparent", "00-1"),
            case(
                "chains of deaths",
                plain().headers(&[header(b"x-death", b'A', &deaths), trace()].concat()),
                None,
            ),
        ),
        with(
            ("traceparent", "00-1"),
            case(
                "many bytes of headers",
                plain().headers(&[text_header("long", &[b'x'; 40_000]), trace()].concat()),
                Some("headers: expected texts of at most "),
            ),
        ),
        case(
            "as many bytes of headers as the server takes",
            plain().headers(&text_header("long", &[b'x'; 131_000])),
            Some("headers: expected texts of at most "),
        ),
        with(
            ("fits", "just"),
            case(
                "headers of a frame, almost",
                plain()
                    .headers(&[text_header("long", &[b'x'; 32_600]), text_header("fits", b"just")].concat()),
                None,
            ),
        ),
        with(("traceparent", "00-1"), case("many headers", plain().headers(&[many, trace()].concat()), None)),
        with(("traceparent", "00-1"), case("some headers", plain().headers(&[some, trace()].concat()), None)),
        with(
            ("traceparent", "00-1"),
            case(
                "our own mark",
                plain().headers(&[text_header("x-millrace-unreadable", b"forged"), trace()].concat()),
                None,
            ),
        ),
        case("odd values", odd, None),
        case("nothing", plain(), None),
    ]
}

async fn next(consumer: &mut Consumer, what: &str) -> Delivery {
    timeout(SOON, consumer.recv()).await.expect(what).unwrap_or_else(|| panic!("{what}: the consumer ended"))
}

async fn every_case_arrives(server: &RabbitMq, queue_type: QueueType, queue: Queue, keys: &[&[u8]]) {
    let prefix = format!("{PREFIX}-{queue_type:?}-{}", queue.routing_key());
    let options = Options { queue_type, ..Options::new(server.url(), prefix.clone()) };
    let broker = Arc::new(RabbitMqBroker::connect(options).unwrap());
    broker.declare(&queue).await.unwrap();
    broker.declare(&Queue::Rejected).await.unwrap();
    let mut consumer = broker.consume(&queue, 10).await.unwrap();
    let mut rejected = broker.consume(&Queue::Rejected, 10).await.unwrap();
    let ready = broker.ready();
    assert!(*ready.borrow());

    let url = server.url();
    let keys: Vec<Vec<u8>> = keys.iter().map(|key| key.to_vec()).collect();
    let name = match (queue_type, &queue) {
        (QueueType::Quorum, Queue::Tasks(_)) => format!("{}.p3", queue.name(&prefix)),
        _ => queue.name(&prefix),
    };
    let publishing = spawn_blocking(move || {
        let mut stranger = ForeignClient::connect(&url);
        let strangers = format!("{prefix}.{STRANGERS}");
        stranger.bind(&strangers, &name);
        for (at, Case { properties, .. }) in cases().iter().enumerate() {
            let key = &keys[at % keys.len()];
            stranger.publish(&strangers, key, &properties.bytes(), format!("{{\"case\":{at}}}").as_bytes());
            stranger.publish(&strangers, b"good", &ForeignProperties::default().bytes(), b"good");
        }
    });
    for (at, case) in cases().into_iter().enumerate() {
        let name = case.name;
        let hostile = next(&mut consumer, name).await;
        assert_eq!(hostile.payload, format!("{{\"case\":{at}}}"), "{name}");
        let properties = hostile.properties.clone();
        match (&properties.unreadable, case.unreadable) {
            (Some(told), Some(expected)) => assert!(told.contains(expected), "{name}: {told}"),
            (told, expected) => assert_eq!(told.as_deref(), expected, "{name}"),
        }
        if let Some((key, value)) = case.header {
            assert!(
                properties.headers.contains(&(key.to_owned(), value.to_owned())),
                "{name}: {properties:?}"
            );
        }
        assert!(properties.headers.iter().all(|(name, _)| name != "x-millrace-unreadable"), "{name}");
        // Put away, it is whole, and no frame is too long for it.
        let text = properties.unreadable.clone().unwrap_or_default();
        let copy = Outgoing::rejected(hostile.payload.clone(), properties, "unreadable-properties", &text);
        assert!(broker.publish(vec![copy]).await[0].is_ok(), "{name}");
        hostile.ack();
        let put_away = next(&mut rejected, name).await;
        assert_eq!(put_away.payload, format!("{{\"case\":{at}}}"), "{name}");
        assert!(put_away.properties.headers.contains(&("x-millrace-error".to_owned(), text)), "{name}");
        put_away.ack();
        let good = next(&mut consumer, name).await;
        assert_eq!(good.payload, "good", "after {name}");
        assert_eq!(good.properties.unreadable, None, "{name}");
        good.ack();
    }
    publishing.await.unwrap();
    assert!(!ready.has_changed().unwrap(), "a connection was lost");
    broker.close().await;
}

/// What the server itself makes for a client that wants no queue is not taken for made up.
async fn a_real_direct_reply_is_answered(server: &RabbitMq) {
    const DIRECT: &str = "amq.rabbitmq.reply-to";
    let broker = RabbitMqBroker::connect(Options::new(server.url(), "direct")).unwrap();
    broker.declare(&Queue::Submit).await.unwrap();
    let mut consumer = broker.consume(&Queue::Submit, 1).await.unwrap();
    let client = Connection::connect(&server.url(), ConnectionProperties::default()).await.unwrap();
    let channel = client.create_channel().await.unwrap();
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let mut answers =
        channel.basic_consume(DIRECT.into(), "".into(), options, FieldTable::default()).await.unwrap();
    let properties = BasicProperties::default().with_reply_to(DIRECT.into());
    let options = BasicPublishOptions::default();
    channel.basic_publish("direct".into(), "submit".into(), options, b"question", properties).await.unwrap();
    let question = next(&mut consumer, "a question").await;
    let reply_to = question.properties.reply_to.clone().unwrap();
    question.ack();
    let answer = Outgoing::new(Route::ReplyTo(reply_to.clone()), "answer");
    let answered = broker.publish(vec![answer]).await.remove(0);
    assert!(answered.is_ok(), "{reply_to}: {answered:?}");
    let answer = timeout(SOON, answers.next()).await.expect("an answer").unwrap().unwrap();
    assert_eq!(answer.data, b"answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_a_foreign_client_writes_costs_at_most_its_message() {
    let server = spawn_blocking(|| RabbitMq::start(&[])).await.unwrap();
    let keys: &[&[u8]] = &[b"submit", b"\xff\xfe", "\u{fc}".as_bytes(), &[0xe2; 255]];
    every_case_arrives(&server, QueueType::Classic, Queue::Submit, keys).await;
    every_case_arrives(&server, QueueType::Classic, Queue::Tasks("default".to_owned()), keys).await;
    every_case_arrives(&server, QueueType::Quorum, Queue::Tasks("default".to_owned()), keys).await;
    // What a client asks to be answered at is ours to publish to, whatever it is.
    let broker = RabbitMqBroker::connect(Options::new(server.url(), PREFIX)).unwrap();
    broker.declare(&Queue::Rejected).await.unwrap();
    let mut ready = broker.ready();
    ready.wait_for(|ready| *ready).await.unwrap();
    a_real_direct_reply_is_answered(&server).await;
    for reply_to in [
        "",
        "nobody.reads.this",
        "amq.rabbitmq.reply-to",
        "amq.rabbitmq.reply-to.",
        "amq.rabbitmq.reply-to.not base64",
        "amq.rabbitmq.reply-to.g1h3.x",
        "amq.rabbitmq.reply-to.g1h3.bm9uc2Vuc2U=.bm9uc2Vuc2U=",
        &"x".repeat(255),
    ] {
        let mut answer = Outgoing::new(Route::ReplyTo(reply_to.to_owned()), "{}");
        answer.properties.correlation_id = Some("c".repeat(255));
        let rejected = Outgoing::new(Route::Queue(Queue::Rejected), "after");
        let results = broker.publish(vec![answer, rejected]).await;
        assert!(results[1].is_ok(), "after an answer to {reply_to:?}: {results:?}");
        assert!(!ready.has_changed().unwrap(), "{reply_to:?} cost the connection");
    }
}
