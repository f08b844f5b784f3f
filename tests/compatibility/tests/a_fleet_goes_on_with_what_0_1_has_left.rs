//! A fleet goes on with what one of 0.1 has left in Redis and RabbitMQ when all of it was killed: it shows what was
//! shown, ends what was under way as it has to end, and knows the keys, schedules and definitions.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::time::Duration;

use lapin::BasicProperties;
use millrace_compatibility::{Recording, keys};
use millrace_tests::{Amqp, Fleet, wait_until};
use serde_json::{Value, json};

/// The longest that a run may take to end: attempts are lost 10 s after their worker, and some timers are due half a
/// minute after the recording.
const BOUND: Duration = Duration::from_secs(90);

/// The pools of the recording in which something waits.
const POOLS: [&str; 5] = ["default", "short", "frail", "cold", "idle"];

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_goes_on_with_what_0_1_has_left() {
    let recording = Recording::open("fleet.json");
    let fleet = Fleet::new();
    keys::load(&fleet.servers().redis_url, fleet.prefix(), &recording.json("keys.json"));

    // The number of partitions is that of the cluster, not of the newcomer.
    let producer = fleet.producer().await;
    let api = producer.api();
    recording.is_shown(api).await.unwrap();
    let workers = api.get("/api/v1/workers").await;
    assert_ne!(workers["workers"], json!([]), "the sessions of 0.1: {workers}");

    let mut started = Vec::new();
    for pool in POOLS {
        started.push(fleet.worker(&["--pool", pool, "--concurrency", "4"]).await);
    }
    let amqp = fleet.amqp().await;
    send_what_waited(&recording, &amqp).await;

    for (name, id, ends) in recording.runs() {
        if let Some(ends) = ends {
            let run = api.ended(id, BOUND).await;
            assert_eq!(run["state"], ends, "{name}: {run}");
        }
    }
    // What rests still does, as it was.
    recording.is_shown(api).await.unwrap();

    // Keys of before the upgrade hold, also those of submissions that waited in the broker.
    let again = api.post("/api/v1/runs", &json!({"run": "true", "idempotency_key": "key-1"})).await;
    assert_eq!(again, json!({"run_id": recording.run("keyed 1"), "duplicate": true}));
    let away = json!({"run": "true", "idempotency_key": "while-away"});
    assert_eq!(api.post("/api/v1/runs", &away).await["duplicate"], true);

    // Schedules go on, and those that were paused rest.
    let fired = api.runs(Some("tick")).await.unwrap().len();
    wait_until(BOUND, "tick has fired again", async || {
        let now = api.runs(Some("tick")).await?.len();
        if now > fired { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
    assert_eq!(api.runs(Some("resting")).await.unwrap(), Vec::<Value>::new());
    api.post("/api/v1/workflows/resting/resume", &json!({})).await;

    // Definitions can be run, stored again and deleted.
    let run = api.submit(&json!({"workflow": "report", "params": {"day": "2026-11-02"}})).await;
    assert_eq!(api.ended(&run, BOUND).await["state"], "succeeded");
    let source = api.get("/api/v1/workflows/report").await["definition"].clone();
    let stored = api.post("/api/v1/workflows", &json!({"definition": source})).await;
    assert!(stored.to_string().contains("unchanged"), "{stored}");
    assert_eq!(api.delete("/api/v1/workflows/failing").await.0, 200);
    assert_eq!(amqp.ready("rejected").await, Some(0));
}

/// Publishes what waited in the queues of 0.1, but for what it had rejected.
async fn send_what_waited(recording: &Recording, amqp: &Amqp) {
    for (queue, messages) in recording.json("queues.json").as_object().unwrap() {
        let key = queue.split_once('.').unwrap().1;
        // Nobody has made the queue of a pool that nobody serves; its tasks are published again.
        if key == "rejected" || key == "tasks.nobody" {
            continue;
        }
        for message in messages.as_array().unwrap() {
            let mut properties = BasicProperties::default().with_content_type("application/json".into());
            if let Some(priority) = message["properties"]["priority"].as_u64() {
                properties = properties.with_priority(u8::try_from(priority).unwrap());
            }
            amqp.publish(key, message["body"].as_str().unwrap().as_bytes(), properties).await;
        }
    }
}
