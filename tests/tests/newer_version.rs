//! Processes of a newer version work beside those of this one, as in a rolling upgrade: what they send and store, and is
//! not known here, waits for them. It is not dropped, and holds nobody up.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use millrace_tests::{Amqp, Fleet, Process, wait_until};
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(40);

/// A producer of one partition, so that all of it is in `inbox.0` and under `{p0}`.
async fn producer(fleet: &Fleet) -> Process {
    fleet.producer_with(&[], &[("MILLRACE_PARTITIONS", "1")]).await
}

async fn waits(amqp: &Amqp, queue: &str, count: u32) {
    wait_until(SOON, &format!("{count} in {queue}"), async || match amqp.ready(queue).await {
        Some(ready) if ready == count => Ok(()),
        ready => Err(format!("{ready:?}")),
    })
    .await;
}

/// Asks the fleet's Redis.
async fn ask<T: redis::FromRedisValue>(fleet: &Fleet, words: &[&str]) -> T {
    let client = redis::Client::open(fleet.servers().redis_url.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await.unwrap()
}

async fn metric(process: &Process, name: &str) -> Option<f64> {
    let (_, metrics) = process.api().send(Method::GET, "/metrics", None).await.unwrap();
    let line = metrics.as_str()?.lines().find(|line| line.starts_with(name))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

async fn is_ready(process: &Process) {
    let (status, told) = process.api().send(Method::GET, "/readyz", None).await.unwrap();
    assert_eq!(status, 200, "{told}");
}

async fn a_task_succeeds(producer: &Process) {
    let run = producer.api().submit(&json!({"run": "true"})).await;
    let ended = producer.api().ended(&run, SOON).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_only_a_newer_version_knows_waits_until_an_owner_knows_it() {
    let fleet = Fleet::new();
    let mut first = producer(&fleet).await;
    let _worker = fleet.worker(&["--concurrency", "2"]).await;
    let amqp = fleet.amqp().await;
    for unknown in [r#"{"v":1,"kind":"grant","slot":7}"#, r#"{"v":2,"kind":"cancel","run":"x","reason":"y"}"#]
    {
        amqp.publish("inbox.0", unknown.as_bytes(), BasicProperties::default()).await;
    }
    waits(&amqp, "parked", 2).await;
    waits(&amqp, "inbox.0", 0).await;
    a_task_succeeds(&first).await;
    is_ready(&first).await;
    assert_eq!(metric(&first, r#"millrace_unknown_total{what="inbox"}"#).await, Some(2.0));
    assert!(first.log().contains("a newer version has written it"), "{}", first.log());
    assert_eq!(amqp.ready("rejected").await, Some(0));

    // What a producer of an older version has parked and this one knows, goes on with the next owner.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().to_string();
    let mut headers = FieldTable::default();
    for (name, value) in [("from", "inbox.0"), ("by", "9de6b49749968dc2a5cc615a89fa003f"), ("at", &now)] {
        let value = AMQPValue::LongString(value.into());
        headers.insert(format!("x-millrace-parked-{name}").as_str().into(), value);
    }
    let known = json!({"v": 1, "kind": "submit", "submission": {"run": "true", "idempotency_key": "parked"}});
    let properties = BasicProperties::default().with_headers(headers);
    amqp.publish("parked", known.to_string().as_bytes(), properties).await;
    first.sigterm();
    first.ends(SOON).await;
    let second = producer(&fleet).await;
    for run in second.api().all_ended(2, SOON).await {
        assert_eq!(run["state"], "succeeded", "{run}");
    }
    waits(&amqp, "parked", 2).await;
    let left = amqp.get(&amqp.queue("parked")).await.unwrap();
    assert_eq!(left.headers["x-millrace-parked-from"], "inbox.0");
    assert!(left.headers["x-millrace-parked-why"].len() > 10, "{:?}", left.headers);
}

#[tokio::test(flavor = "multi_thread")]
async fn timers_that_only_a_newer_version_knows_stay_and_the_others_fire() {
    let fleet = Fleet::new();
    let mut first = producer(&fleet).await;
    let _worker = fleet.worker(&["--concurrency", "2"]).await;
    let timers = format!("{}:{{p0}}:timers", fleet.prefix());
    // More than are read at once, and due for long.
    for thousand in 0..12 {
        let members: Vec<String> = (0..1_000).map(|n| format!("lease:{thousand}:{n}")).collect();
        let mut words = vec!["ZADD", &timers];
        members.iter().for_each(|member| words.extend(["1", member]));
        let _: i64 = ask(&fleet, &words).await;
    }
    first.sigterm();
    first.ends(SOON).await;
    let second = producer(&fleet).await;
    second.api().apply("name: ticks\nschedule: {every: 1s}\nsteps: [{name: tick, uses: noop}]\n").await;
    let delayed = second.api().submit(&json!({"run": "true", "delay": "1s"})).await;
    assert_eq!(second.api().ended(&delayed, SOON).await["state"], "succeeded");
    wait_until(SOON, "ticks have run", async || {
        let ticks = second.api().runs(Some("ticks")).await?;
        let succeeded = ticks.iter().filter(|run| run["state"] == "succeeded").count();
        if succeeded >= 3 { Ok(()) } else { Err(format!("{ticks:?}")) }
    })
    .await;
    is_ready(&second).await;
    let unknown: i64 = ask(&fleet, &["ZCOUNT", &timers, "1", "1"]).await;
    assert_eq!(unknown, 12_000);
    assert_eq!(metric(&second, r#"millrace_unknown_total{what="timer"}"#).await, Some(12_000.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_a_run_that_only_a_newer_version_can_read_is_kept_for_its_next_owner() {
    let fleet = Fleet::new();
    let mut first = producer(&fleet).await;
    let _worker = fleet.worker(&["--concurrency", "2"]).await;
    let amqp = fleet.amqp().await;
    let run = first.api().submit(&json!({"run": "sleep 6; echo done"})).await;
    wait_until(SOON, "it runs", async || match first.api().run(&run).await {
        shown if shown["steps"][0]["state"] == "running" => Ok(()),
        shown => Err(shown.to_string()),
    })
    .await;
    let key = format!("{}:{{p0}}:run:{run}", fleet.prefix());
    let _: i64 = ask(&fleet, &["HSET", &key, "x9", "newer"]).await;
    first.sigterm();
    first.ends(SOON).await;

    let mut second = producer(&fleet).await;
    waits(&amqp, "parked", 1).await;
    a_task_succeeds(&second).await;
    is_ready(&second).await;
    let shown = second.api().run(&run).await;
    assert_eq!(
        (shown["state"].as_str(), shown["steps"][0]["name"].as_str()),
        (Some("running"), Some("task"))
    );
    assert!(
        shown["reason"].as_str().unwrap().starts_with("a newer version of Millrace has written"),
        "{shown}"
    );
    let listed = second.api().get("/api/v1/runs").await;
    assert_eq!(listed["runs"].as_array().map(Vec::len), Some(2), "{listed}");
    let (status, refused) =
        second.api().send(Method::POST, &format!("/api/v1/runs/{run}/cancel"), None).await.unwrap();
    assert_eq!((status, refused["error"]["code"].as_str()), (503, Some("newer-version")), "{refused}");
    assert!(metric(&second, r#"millrace_unknown_total{what="run"}"#).await > Some(0.0));

    // An owner that can read it: here, one for which nothing is unknown any more.
    let _: i64 = ask(&fleet, &["HDEL", &key, "x9"]).await;
    second.sigterm();
    second.ends(SOON).await;
    let third = producer(&fleet).await;
    let ended = third.api().ended(&run, SOON).await;
    assert_eq!(
        (ended["state"].as_str(), ended["steps"][0]["attempt"].as_u64()),
        (Some("succeeded"), Some(1))
    );
    waits(&amqp, "parked", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_a_state_that_is_not_known_is_shown_and_listed() {
    let fleet = Fleet::new();
    let producer = producer(&fleet).await;
    let _worker = fleet.worker(&["--concurrency", "2"]).await;
    let run = producer.api().submit(&json!({"run": "true", "labels": {"team": "x"}})).await;
    producer.api().ended(&run, SOON).await;
    let key = format!("{}:{{p0}}:run:{run}", fleet.prefix());
    let head: String = ask(&fleet, &["HGET", &key, "head"]).await;
    let mut head: Value = serde_json::from_str(&head).unwrap();
    head["state"] = "suspended".into();
    let _: i64 = ask(&fleet, &["HSET", &key, "head", &head.to_string()]).await;
    for shown in [
        producer.api().run(&run).await,
        producer.api().get("/api/v1/runs").await["runs"][0].clone(),
        producer.api().get("/api/v1/runs?state=running").await,
    ] {
        if let Some(none) = shown["runs"].as_array() {
            assert_eq!(none.len(), 0, "{shown}");
            continue;
        }
        assert_eq!(
            (shown["state"].as_str(), shown["labels"]["team"].as_str()),
            (Some("suspended"), Some("x"))
        );
        assert!(shown["reason"].as_str().unwrap().contains("newer version"), "{shown}");
    }
    let status = producer.api().get(&format!("/api/v1/tasks/{run}/status")).await;
    assert_eq!(status["status"], "suspended", "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_a_newer_version_goes_to_its_owner_and_comes_again() {
    let fleet = Fleet::new();
    let producer = producer(&fleet).await;
    let amqp = fleet.amqp().await;
    producer.api().submit(&json!({"uses": "noop"})).await;
    waits(&amqp, "tasks.default", 1).await;
    let mut task = amqp.get(&amqp.queue("tasks.default")).await.unwrap().json();
    task["v"] = 2.into();
    task["gpus"] = json!([0]);
    amqp.publish("tasks.default", task.to_string().as_bytes(), BasicProperties::default()).await;
    let tapped = amqp.tap("inbox.0").await;
    let worker = fleet.worker(&["--concurrency", "2"]).await;
    let moved = amqp.next(&tapped, SOON).await.json();
    assert_eq!((&moved["kind"], &moved["task"], &moved["unread"]), (&json!("orphan"), &task, &json!(true)));
    // Its owner knows that nobody has claimed it.
    for run in producer.api().all_ended(1, SOON).await {
        assert_eq!(run["state"], "succeeded", "{run}");
    }
    is_ready(&worker).await;
    assert_eq!((amqp.ready("rejected").await, amqp.ready("parked").await), (Some(0), Some(0)));
    assert!(metric(&worker, r#"millrace_unknown_total{what="task"}"#).await >= Some(2.0));
}
