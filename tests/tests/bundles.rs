//! Short tasks that wait in a row share messages. Each of them is claimed, finished and recovered on its own all the
//! same: a worker's death repeats only what it had begun, and one that turns out long holds up no other.

use std::time::Duration;

use millrace_tests::{Fleet, Kind, Process, wait_until};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn under_a_backlog_short_tasks_share_messages_and_each_of_them_ends_as_ever() {
    let fleet = Fleet::new();
    let producer = fleet.producer().await;
    let _workers =
        (fleet.worker(&["--concurrency", "16"]).await, fleet.worker(&["--concurrency", "8"]).await);
    let amqp = fleet.amqp().await;
    let noop = |count: usize| (0..count).map(|_| json!({"uses": "noop"})).collect::<Value>();
    let tap = amqp.tap("tasks.default").await;
    // What is short must be seen first, and on a busy machine more than once.
    let (mut submitted, mut sizes) = (0, Vec::new());
    while sizes.iter().all(|size| *size == 1) {
        assert!(submitted < 5_000, "{submitted} tasks, and not two in one message");
        amqp.submit(&noop(200)).await;
        submitted += 200;
        let runs = producer.api().all_ended(submitted, SOON).await;
        assert!(runs.iter().all(|run| run["state"] == "succeeded"), "{runs:?}");
        while sizes.iter().sum::<usize>() < submitted {
            let message = amqp.next(&tap, SOON).await;
            sizes.push(message.json().as_array().map_or(1, Vec::len));
        }
    }
    println!("{} messages for {submitted} tasks", sizes.len());
    assert_eq!(sizes.iter().max(), Some(&2), "a quarter of the smallest worker's 8 slots: {sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>(), submitted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_with_a_bundle_in_hand_repeats_only_what_it_had_begun() {
    let fleet = Fleet::new();
    let marks = fleet.marks("tasks");
    let producer = fleet.producer().await;
    let mut first = fleet.worker(&["--concurrency", "16"]).await;
    let amqp = fleet.amqp().await;
    learn(&producer).await;

    // Their kind was short so far: now each takes a while, so that there are many in hand when the worker dies.
    amqp.submit(&array(120, |_| {
        format!("{}; sleep 0.5; {}", marks.mark(Kind::Start), marks.mark(Kind::End))
    }))
    .await;
    wait_until(SOON, "it is at work", async || {
        let count = marks.of(Kind::End).len();
        if count >= 20 { Ok(()) } else { Err(format!("{count} have ended")) }
    })
    .await;
    first.kill9();
    let ended = marks.by_key(Kind::End);
    let begun = marks.by_key(Kind::Start).len() - ended.len();
    let _second = fleet.worker(&["--concurrency", "16"]).await;
    wait_until(SOON, "all have run", async || {
        let count = marks.by_key(Kind::End).len();
        if count >= 120 { Ok(()) } else { Err(format!("{count} have")) }
    })
    .await;
    let twice = marks.by_key(Kind::Start).into_iter().filter(|(_, starts)| *starts > 1);
    let twice: Vec<String> = twice.map(|(key, _)| key).collect();
    println!("{begun} were under way when it died, {} started again", twice.len());
    assert!(twice.len() <= begun.max(16), "{} started twice, {begun} were under way", twice.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_turn_out_long_hold_up_no_others_of_their_bundles() {
    let fleet = Fleet::new();
    let marks = fleet.marks("tasks");
    let producer = fleet.producer().await;
    let _one = fleet.worker(&["--concurrency", "8"]).await;
    let amqp = fleet.amqp().await;
    learn(&producer).await;
    let _others = (fleet.worker(&["--concurrency", "8"]).await, fleet.worker(&["--concurrency", "8"]).await);

    // More long ones than one worker has slots for, among short ones of the same kind.
    let body = |n| if n % 10 == 0 { "sleep 20".to_owned() } else { marks.mark(Kind::Start) };
    amqp.submit(&array(200, body)).await;
    wait_until(Duration::from_secs(12), "all short ones have run", async || {
        let count = marks.read().len();
        if count >= 180 { Ok(()) } else { Err(format!("{count} have")) }
    })
    .await;
}

/// Has the producer see that shell tasks are short.
async fn learn(producer: &Process) {
    let api = producer.api();
    for _ in 0..40 {
        let run = api.submit(&json!({"run": "true"})).await;
        api.ended(&run, SOON).await;
    }
}

fn array(count: usize, body: impl Fn(usize) -> String) -> Value {
    (0..count).map(|n| json!({"run": body(n), "params": {"key": n.to_string()}})).collect()
}
