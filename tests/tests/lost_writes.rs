//! Redis fails over to a replica that had not heard the last of what was confirmed: the task of a run that is lost so
//! brings it back, and the owner, whose commits do not follow any more, begins anew.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::time::Duration;

use millrace_servers::{RabbitMq, Redis};
use millrace_tests::{Fleet, Kind, wait_until};
use serde_json::json;

const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_run_was_lost_brings_it_back_and_runs_once() {
    a_lost_run_comes_back("default").await;
}

/// Nothing else happens in the partition: its owner, which still remembers the run, learns of the loss from the task.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_run_that_its_owner_still_remembers_comes_back() {
    a_lost_run_comes_back("later").await;
}

/// Loses a run beside another one, whose task is in a pool of its own that is served at the end.
async fn a_lost_run_comes_back(pool_of_the_other: &str) {
    let (rabbitmq, redis) = (RabbitMq::start(&[]), Redis::start(&[]));
    let fleet = Fleet::on(rabbitmq.url(), redis.url());
    let producer = fleet.producer_with(&[], &[("MILLRACE_PARTITIONS", "1")]).await;
    let (api, marks) = (producer.api(), fleet.marks("tasks"));
    let own = format!("{}:{{p0}}:own", fleet.prefix());

    let kept = api.submit(&json!({"run": "exit 0", "pool": pool_of_the_other})).await;
    let seq: u64 = ask(&redis, &["HGET", &own, "seq"]).await;
    let body = json!({"run": marks.mark(Kind::Start), "idempotency_key": "lost", "priority": "P1", "timeout": "30s"});
    let lost = api.submit(&body).await;
    // What a replica has that heard nothing after the first.
    for words in [
        ["HSET", &own, "seq", &seq.to_string()].as_slice(),
        &["DEL", &format!("{}:{{p0}}:run:{lost}", fleet.prefix())],
        &["ZREM", &format!("{}:{{p0}}:runs", fleet.prefix()), &lost],
        &["ZREM", &format!("{}:{{p0}}:watch", fleet.prefix()), &format!("{lost}:0:1")],
    ] {
        let _: i64 = ask(&redis, words).await;
    }
    assert!(api.try_get(&format!("/api/v1/runs/{lost}")).await.is_err());
    // With nothing to do in the partition, its owner notices when it renews it.
    wait_until(SOON, "the owner says that commits are lost", async || {
        let log = producer.log();
        let told = |line: &str| line.contains("ERROR") && line.contains("the store has lost commits");
        if log.lines().any(told) { Ok(()) } else { Err(log) }
    })
    .await;
    let metrics = api.get("/metrics").await;
    assert!(metrics.as_str().unwrap().contains("millrace_lost_commits_total 1"), "{metrics}");

    let _worker = fleet.worker(&["--concurrency", "2"]).await;
    wait_until(SOON, "the lost run is there again", async || {
        api.try_get(&format!("/api/v1/runs/{lost}")).await
    })
    .await;
    let run = api.ended(&lost, SOON).await;
    assert_eq!((run["state"].as_str(), run["priority"].as_str()), (Some("succeeded"), Some("P1")), "{run}");
    assert_eq!(marks.read().len(), 1);
    let _other = fleet.worker(&["--concurrency", "2", "--pool", pool_of_the_other]).await;
    assert_eq!(api.ended(&kept, SOON).await["state"], "succeeded");
    // The same key still means the same run, and what is new is taken in.
    assert_eq!(api.post("/api/v1/runs", &body).await["run_id"], lost.as_str());
    let new = api.submit(&json!({"run": "exit 0"})).await;
    assert_eq!(api.ended(&new, SOON).await["state"], "succeeded");
}

/// Sends Redis a command past the product.
async fn ask<T: redis::FromRedisValue>(redis: &Redis, words: &[&str]) -> T {
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await.unwrap()
}
