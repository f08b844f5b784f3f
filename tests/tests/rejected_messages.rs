//! What cannot be read goes to the rejected queue, whole, with the reason; what is about nothing that exists is
//! acked. Neither stops what comes after it.

use std::time::Duration;

use lapin::BasicProperties;
use millrace_servers::{ForeignClient, ForeignProperties, RabbitMq, Redis, nested_header, text_header};
use millrace_tests::{Amqp, Fleet, wait_until};
use serde_json::json;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_message_in_any_queue_lands_in_rejected_with_its_reason() {
    let fleet = Fleet::new();
    let producer = fleet.producer_with(&[], &[("MILLRACE_PARTITIONS", "1")]).await;
    let _worker = fleet.worker(&["--concurrency", "2"]).await;
    let amqp = fleet.amqp().await;
    let cases: [(&str, &[u8], &str); 6] = [
        ("submit", b"\xff\x00 no text", "invalid-json"),
        ("submit", br#"{"run":"true","uses":"noop"}"#, "ambiguous"),
        ("submit", br#"{"v":1,"rum":"true"}"#, ""),
        ("inbox.0", b"{\"v\":1,\"kinds\":\"no kind\"}", "unreadable-message"),
        ("tasks.default", b"not a task", "unreadable-task"),
        ("tasks.default", br#"{"v":99}"#, "unreadable-task"),
    ];
    for (queue, payload, code) in cases {
        amqp.publish(queue, payload, BasicProperties::default()).await;
        let rejected = amqp.next(&amqp.queue("rejected"), SOON).await;
        println!("{queue}: {:?}", rejected.headers);
        assert_eq!(rejected.payload, payload, "{queue}");
        let told = rejected.headers.get("x-millrace-error-code").map(String::as_str).unwrap_or_default();
        assert!(!told.is_empty() && told.starts_with(code), "{queue}: {told:?} is not {code:?}");
        assert!(rejected.headers.get("x-millrace-error").is_some_and(|why| why.len() > 10), "{queue}");
    }
    let properties = BasicProperties::default().with_content_encoding("gzip".into()).with_priority(7);
    amqp.publish("submit", b"\x1f\x8b\x08 compressed", properties).await;
    let rejected = amqp.next(&amqp.queue("rejected"), SOON).await;
    assert_eq!(rejected.headers["x-millrace-error-code"], "unsupported-encoding");
    let kept = (rejected.properties.content_encoding(), rejected.properties.priority());
    assert_eq!(kept, (&Some("gzip".into()), &Some(7)), "whole, to be published again");
    // The id of a message is its key: an empty one is none, and one that is no key is refused.
    let with_id = |id: &str| BasicProperties::default().with_message_id(id.into());
    amqp.publish("submit", br#"{"run":"true"}"#, with_id("order-\u{e9}")).await;
    let rejected = amqp.next(&amqp.queue("rejected"), SOON).await;
    assert_eq!(rejected.headers["x-millrace-error-code"], "bad-field");
    for n in 0..2 {
        amqp.publish("submit", format!(r#"{{"run":"echo {n}"}}"#).as_bytes(), with_id("")).await;
    }
    for run in producer.api().all_ended(2, SOON).await {
        assert_eq!(run["state"], "succeeded", "{run}");
    }
    all_goes_on(&fleet, &amqp, producer.api()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_of_an_unknown_run_is_acked_and_changes_nothing() {
    let fleet = Fleet::new();
    let mut producer = fleet.producer_with(&[], &[("MILLRACE_PARTITIONS", "1")]).await;
    let _worker = fleet.worker(&["--concurrency", "2"]).await;
    let amqp = fleet.amqp().await;
    let results = amqp.tap("inbox.0").await;
    let run = producer.api().submit(&json!({"uses": "noop"})).await;
    let ended = producer.api().ended(&run, SOON).await;

    let text = String::from_utf8(amqp.next(&results, SOON).await.payload).unwrap();
    // Of the same partition, which the last digits are.
    let (head, tail) = run.split_at(24);
    let digit = if tail.starts_with('0') { "1" } else { "0" };
    let other = format!("{head}{digit}{}", &tail[1..]);
    let unknown = text.replace(&run, &other);
    assert_ne!(unknown, text);
    amqp.publish("inbox.0", unknown.as_bytes(), BasicProperties::default()).await;
    // Of a partition that does not exist: handed back, it would come again for ever.
    let elsewhere = text.replace(&run, &format!("{}ffff", &run[..32]));
    amqp.publish("inbox.0", elsewhere.as_bytes(), BasicProperties::default()).await;
    // A result of a step that the run does not have.
    let mut message: serde_json::Value = serde_json::from_str(&text).unwrap();
    message["results"][0]["step"] = 77.into();
    amqp.publish("inbox.0", message.to_string().as_bytes(), BasicProperties::default()).await;

    all_goes_on(&fleet, &amqp, producer.api()).await;
    assert_eq!(producer.api().run(&run).await, ended);
    assert_eq!(
        producer.api().send(reqwest::Method::GET, &format!("/api/v1/runs/{other}"), None).await.unwrap().0,
        404
    );
    let rejected = amqp.next(&amqp.queue("rejected"), SOON).await;
    assert_eq!(rejected.headers["x-millrace-error-code"], "wrong-inbox");
    assert_eq!(rejected.payload, elsewhere.as_bytes());
    assert_eq!(amqp.ready("rejected").await, Some(0));
    // What was not acked would come back to the queue when its consumer leaves.
    producer.sigterm();
    producer.ends(SOON).await;
    let left = amqp.get(&amqp.queue("inbox.0")).await.map(|message| message.json());
    assert_eq!(left, None, "not acked");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_foreign_client_writes_costs_at_most_its_message() {
    let (server, redis) = (RabbitMq::start(&[]), Redis::start(&[]));
    let fleet = Fleet::on(server.url(), redis.url());
    let producer = fleet.producer_with(&[], &[("MILLRACE_PARTITIONS", "1")]).await;
    let worker = fleet.worker(&["--concurrency", "2"]).await;
    let amqp = fleet.amqp().await;
    let plain = ForeignProperties::default;
    let nested = plain().headers(&[nested_header(1_000), text_header("note", b"kept")].concat());
    let long =
        plain().headers(&[text_header("long", &[b'x'; 40_000]), text_header("note", b"kept")].concat());
    let almost =
        plain().headers(&[text_header("long", &[b'x'; 32_600]), text_header("note", b"kept")].concat());
    let cases: [(&str, &[u8], ForeignProperties, &str, &str); 9] = [
        (
            "submit",
            br#"{"run":"echo hi"}"#,
            plain().text("message_id", b"\xff\xfe"),
            "unreadable-properties",
            "message_id",
        ),
        (
            "submit",
            br#"{"run":"true"}"#,
            plain().text("content_type", b"\xff"),
            "unreadable-properties",
            "content_type",
        ),
        ("submit", br#"{"run":"true"}"#, long.clone(), "unreadable-properties", "headers"),
        ("submit", b"no json", almost, "invalid-json", ""),
        ("submit", b"no json", nested.clone(), "invalid-json", ""),
        ("tasks.default", b"no task", plain().text("type", b"\xff"), "unreadable-properties", "type"),
        ("tasks.default", b"no task", long, "unreadable-properties", "headers"),
        ("tasks.default", b"no task", nested, "unreadable-task", ""),
        ("inbox.0", b"nothing", plain().text("app_id", b"\xff"), "unreadable-properties", "app_id"),
    ];
    for (queue, payload, properties, code, told) in cases {
        let (url, exchange) = (server.url(), fleet.prefix().to_owned());
        let sent = properties.bytes();
        tokio::task::spawn_blocking(move || {
            ForeignClient::connect(&url).publish(&exchange, queue.as_bytes(), &sent, payload);
        })
        .await
        .unwrap();
        let rejected = amqp.next(&amqp.queue("rejected"), SOON).await;
        let headers = &rejected.headers;
        assert_eq!(rejected.payload, payload, "{queue}");
        assert_eq!(headers["x-millrace-error-code"], code, "{queue}: {headers:?}");
        assert!(headers["x-millrace-error"].starts_with(told), "{queue}: {headers:?}");
        if properties.bytes().ends_with(b"kept") {
            assert_eq!(headers["note"], "kept", "{queue}");
        }
        // It fits a frame without the reason, and not with it.
        let left_out = headers.get("x-millrace-left-out").map(String::as_str);
        let is_left_out = (32_600..40_000).contains(&properties.bytes().len());
        assert_eq!(left_out, is_left_out.then_some("long (32600 bytes)"), "{queue}");
    }
    // Whatever there is of it, there is nothing beyond the cluster's partitions.
    let tapped = amqp.tap("tasks.default").await;
    let run = producer.api().submit(&json!({"uses": "noop"})).await;
    producer.api().ended(&run, SOON).await;
    let task = String::from_utf8(amqp.next(&tapped, SOON).await.payload).unwrap();
    let beyond = task.replace(&run, &format!("{}d9df", &run[..32]));
    assert_ne!(beyond, task);
    amqp.publish("tasks.default", beyond.as_bytes(), BasicProperties::default()).await;
    let rejected = amqp.next(&amqp.queue("rejected"), SOON).await;
    assert_eq!(rejected.headers["x-millrace-error-code"], "unknown-partition", "{:?}", rejected.headers);
    assert_eq!(rejected.json()["task"]["run"], format!("{}d9df", &run[..32]));
    assert_eq!(amqp.ready("inbox.55775").await, None, "nobody consumes it");
    // Nor is a run of another cluster made here, though its partition is one that there is.
    let foreign = task.replace(&run, &format!("{}0400", &run[..32]));
    amqp.publish("tasks.default", foreign.as_bytes(), BasicProperties::default()).await;
    let rejected = amqp.next(&amqp.queue("rejected"), SOON).await;
    assert_eq!(rejected.headers["x-millrace-error-code"], "unknown-cluster", "{:?}", rejected.headers);

    all_goes_on(&fleet, &amqp, producer.api()).await;
    for process in [&producer, &worker] {
        let (status, told) = process.api().send(reqwest::Method::GET, "/readyz", None).await.unwrap();
        assert_eq!(status, 200, "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_keeps_ending_is_not_ready_and_counted() {
    let fleet = Fleet::new();
    let producer = fleet.producer_with(&[], &[("MILLRACE_PARTITIONS", "1")]).await;
    let amqp = fleet.amqp().await;
    // Each time that the queue is taken away under it, the consumer ends and begins again.
    let told = wait_until(Duration::from_secs(60), "it is not ready", async || {
        amqp.delete_queue("submit").await;
        let ready = producer.api().send(reqwest::Method::GET, "/readyz", None).await;
        match ready {
            Ok((503, told)) if told.to_string().contains("submit") => Ok(told.to_string()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert!(told.contains("the consumer of submit ended 5 times or more within 60 s"), "{told}");
    let (_, metrics) = producer.api().send(reqwest::Method::GET, "/metrics", None).await.unwrap();
    let line = metrics
        .as_str()
        .unwrap()
        .lines()
        .find(|line| line.starts_with(r#"millrace_consumer_restarts_total{queue="submit"}"#));
    let count: u32 = line.unwrap().rsplit_once(' ').unwrap().1.parse().unwrap();
    assert!(count >= 5, "{line:?}");
}

/// Waits until a task behind all that has run, and the queues are empty.
async fn all_goes_on(fleet: &Fleet, amqp: &Amqp, api: &millrace_tests::Api) {
    let after = api.submit(&json!({"run": "true"})).await;
    assert_eq!(api.ended(&after, SOON).await["state"], "succeeded", "{}", fleet.prefix());
    for queue in ["submit", "inbox.0", "tasks.default"] {
        wait_until(SOON, queue, async || match amqp.ready(queue).await {
            Some(0) => Ok(()),
            ready => Err(format!("{ready:?} ready")),
        })
        .await;
    }
}
