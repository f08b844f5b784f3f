//! Somebody has spoiled the index of dispatched attempts of one partition: what gets lost in the others is found still.

use std::time::Duration;

use millrace_tests::{Fleet, Kind, wait_until};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_task_of_a_dead_worker_runs_again_although_the_index_of_another_partition_is_damaged() {
    let fleet = Fleet::new();
    let marks = fleet.marks("tasks");
    let producer = fleet.producer_with(&[], &[("MILLRACE_PARTITIONS", "2")]).await;
    let mut first = fleet.worker(&["--concurrency", "1"]).await;
    let first_only =
        format!("{}\n[ \"$MILLRACE_ATTEMPT\" -gt 1 ] || exec sleep 300", marks.mark(Kind::Start));
    let run = producer.api().submit(&json!({"run": first_only})).await;
    wait_until(Duration::from_secs(20), "the task has started", async || {
        if marks.of(Kind::Start).len() == 1 { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;

    // Both were dispatched to, so that both are watched.
    let spoiled = if run.ends_with("0000") { "p1" } else { "p0" };
    for _ in 0..8 {
        producer.api().submit(&json!({"run": "exit 0"})).await;
    }
    let key = format!("{}:{{{spoiled}}}:watch", fleet.prefix());
    let client = redis::Client::open(fleet.servers().redis_url.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let _: () = redis::cmd("SET").arg(&key).arg("spoiled").query_async(&mut connection).await.unwrap();

    first.kill9();
    let _second = fleet.worker(&["--concurrency", "4"]).await;
    let ended = producer.api().ended(&run, Duration::from_secs(40)).await;
    assert_eq!((ended["state"].as_str(), marks.of(Kind::Start).len()), (Some("succeeded"), 2), "{ended}");
    assert!(producer.log().contains("damaged"), "{}", producer.log());
}
