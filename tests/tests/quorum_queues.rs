//! A fleet on quorum queues does what one on classic queues does: nobody but the broker's client knows of it.

use std::time::Duration;

use millrace_tests::{Fleet, Kind};
use serde_json::json;

const SOON: Duration = Duration::from_secs(90);

const QUORUM: [(&str, &str); 2] = [("MILLRACE_QUEUE_TYPE", "quorum"), ("MILLRACE_PARTITIONS", "4")];

#[tokio::test(flavor = "multi_thread")]
async fn tasks_of_all_priorities_run_once_and_urgent_ones_first() {
    let fleet = Fleet::new();
    let marks = fleet.marks("tasks");
    let producer = fleet.producer_with(&[], &QUORUM).await;
    // The worker declares the queues of its pool; then the tasks wait.
    let mut worker = fleet.start_worker(&["--concurrency", "1"], &QUORUM);
    worker.is_ready().await;
    worker.sigterm();
    worker.ends(SOON).await;
    let task = |n: usize| {
        let priority = format!("P{}", n % 4);
        json!({"run": marks.mark(Kind::Start), "priority": priority, "params": {"key": priority},
               "idempotency_key": format!("{n}")})
    };
    producer.api().submit_all(&(0..40).map(task).collect::<Vec<_>>(), SOON).await;

    let mut worker = fleet.start_worker(&["--concurrency", "1"], &QUORUM);
    worker.is_ready().await;
    for run in producer.api().all_ended(40, SOON).await {
        assert_eq!(run["state"], "succeeded", "{run}");
    }
    let order: Vec<String> = marks.read().into_iter().map(|mark| mark.key).collect();
    assert_eq!(order.len(), 40);
    assert!(order.is_sorted(), "one slot, and all waited: {order:?}");
    let amqp = fleet.amqp().await;
    for queue in ["tasks.default.p0", "tasks.default.p3", "submit", "rejected"] {
        assert_eq!(amqp.ready(queue).await, Some(0), "{queue}");
    }
    assert_eq!(amqp.ready("tasks.default").await, None, "no classic queue of the pool");
    drop(producer);
}
