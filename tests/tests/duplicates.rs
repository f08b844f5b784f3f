//! Messages that come twice change nothing: not a task's, not a result's, not while it runs, not afterwards.

use std::time::Duration;

use lapin::BasicProperties;
use millrace_tests::{Amqp, Fleet, Kind, Marks, Message, wait_until};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn duplicate_deliveries_and_replayed_results_change_nothing() {
    let fleet = Fleet::new();
    let marks = fleet.marks("tasks");
    let producer = fleet.producer_with(&[], &[("MILLRACE_PARTITIONS", "1")]).await;
    let _workers = (fleet.worker(&["--concurrency", "4"]).await, fleet.worker(&["--concurrency", "4"]).await);
    let amqp = fleet.amqp().await;
    let (tasks, results) = (amqp.tap("tasks.default").await, amqp.tap("inbox.0").await);

    // Fails once, so that there is an old attempt whose messages can come again.
    let body = marks.around("sleep 1; test \"$MILLRACE_ATTEMPT\" = 2");
    let retry = json!({"limit": 1, "delay": "100ms"});
    let run = producer.api().submit(&json!({"run": body, "retry": retry})).await;
    let first = amqp.next(&tasks, SOON).await;
    started(&marks, 1).await;
    again(&amqp, "tasks.default", &first).await;
    let failed = amqp.next(&results, SOON).await;
    let second = matching(&amqp, &tasks, |body| body["attempt"] == 2).await;
    started(&marks, 2).await;
    for message in [&first, &second] {
        again(&amqp, "tasks.default", message).await;
    }
    again(&amqp, "inbox.0", &failed).await;
    let ended = producer.api().ended(&run, SOON).await;
    let step = &ended["steps"][0];
    assert_eq!((&ended["state"], step["attempt"].as_u64()), (&json!("succeeded"), Some(2)), "{ended}");

    let succeeded = matching(&amqp, &results, |body| body["results"][0]["attempt"] == 2).await;
    for message in [&first, &second] {
        again(&amqp, "tasks.default", message).await;
    }
    for message in [&failed, &succeeded] {
        again(&amqp, "inbox.0", message).await;
    }
    // Behind them in the same queues: when this one has ended, they were all worked off.
    let after = producer.api().submit(&json!({"run": "true"})).await;
    assert_eq!(producer.api().ended(&after, SOON).await["state"], "succeeded");
    wait_until(SOON, "the queues are empty", async || {
        let ready = (amqp.ready("tasks.default").await, amqp.ready("inbox.0").await);
        if ready == (Some(0), Some(0)) { Ok(()) } else { Err(format!("{ready:?}")) }
    })
    .await;
    assert_eq!(producer.api().run(&run).await, ended);
    assert_eq!(marks.of(Kind::Start).iter().map(|mark| mark.attempt).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(amqp.ready("rejected").await, Some(0));
}

async fn started(marks: &Marks, attempt: u32) {
    wait_until(SOON, "the attempt runs", async || {
        let starts = marks.of(Kind::Start);
        if starts.iter().any(|mark| mark.attempt == attempt) { Ok(()) } else { Err(format!("{starts:?}")) }
    })
    .await;
}

/// Waits for the next message whose body is so. Our own copies are among what is tapped.
async fn matching(amqp: &Amqp, queue: &str, is: impl Fn(&Value) -> bool) -> Message {
    loop {
        let message = amqp.next(queue, SOON).await;
        if is(&message.json()) {
            return message;
        }
    }
}

/// Publishes the same message again, three times.
async fn again(amqp: &Amqp, key: &str, message: &Message) {
    for _ in 0..3 {
        amqp.publish(key, &message.payload, BasicProperties::default()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_key_with_a_longer_delay_does_not_put_the_first_run_off() {
    let fleet = Fleet::new();
    let delayed = |delay: &str| json!({"run": "true", "idempotency_key": "once", "delay": delay});
    let mut first = fleet.producer().await;
    let _worker = fleet.worker(&["--concurrency", "1"]).await;
    let run = first.api().submit(&delayed("6s")).await;
    first.sigterm();
    first.ends(SOON).await;
    // Another producer knows the run's timer, and has not loaded the run.
    let second = fleet.producer().await;
    let refused = second.api().try_post("/api/v1/runs", &delayed("1h")).await.unwrap_err();
    assert!(refused.contains("key-conflict"), "{refused}");
    assert_eq!(second.api().ended(&run, SOON).await["state"], "succeeded");
}
