//! An urgent task does not wait behind ten thousand idle ones: it takes the next slot that frees.

use std::time::Duration;

use millrace_tests::{Fleet, Kind, wait_until};
use serde_json::{Value, json};

/// The number of waiting tasks, and the slots of the one worker.
const WAITING: u32 = 10_000;
const SLOTS: usize = 2;

const SOON: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread")]
async fn a_p0_task_behind_ten_thousand_waiting_p3_tasks_takes_the_next_free_slot() {
    let fleet = Fleet::new();
    let (idle, urgent) = (fleet.marks("idle"), fleet.marks("urgent"));
    let producer = fleet.producer().await;
    let slots = SLOTS.to_string();
    // The worker declares its queue; it has nothing to do yet.
    let mut worker = fleet.worker(&["--concurrency", &slots]).await;
    worker.sigterm();
    worker.ends(SOON).await;

    let amqp = fleet.amqp().await;
    let body = format!("{}; sleep 0.2", idle.mark(Kind::Start));
    for chunk in 0..WAITING / 1_000 {
        let one = |n| json!({"run": body, "priority": "P3", "idempotency_key": format!("{chunk}/{n}")});
        amqp.submit(&(0..1_000).map(one).collect::<Value>()).await;
    }
    wait_until(SOON, "all of them wait in the queue", async || {
        let ready = amqp.ready("tasks.default").await;
        if ready == Some(WAITING) { Ok(()) } else { Err(format!("{ready:?} do")) }
    })
    .await;
    let _worker = fleet.worker(&["--concurrency", &slots]).await;
    wait_until(SOON, "the worker is at work", async || {
        let started = idle.read().len();
        if started >= 5 * SLOTS { Ok(()) } else { Err(format!("{started} have started")) }
    })
    .await;

    let before = idle.read().len();
    producer.api().submit(&json!({"run": urgent.mark(Kind::Start), "priority": "P0"})).await;
    let started = wait_until(SOON, "the urgent one has started", async || {
        urgent.read().pop().ok_or_else(|| "not yet".to_owned())
    })
    .await;
    let overtaken_by = idle.read().into_iter().skip(before).filter(|mark| mark.at < started.at).count();
    println!("{overtaken_by} idle tasks started between the submission of the urgent one and its start");
    // One for each slot that freed before it was there, and one for each that was delivered already.
    assert!(overtaken_by <= 2 * SLOTS, "{overtaken_by} idle tasks went before");
}
