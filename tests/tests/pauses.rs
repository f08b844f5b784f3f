//! Pauses of runs and of pools, on a fleet of which any process may be killed: what is held begins when it is let go on, and once.

use std::time::Duration;

use millrace_tests::{Fleet, Kind, wait_until};
use serde_json::json;

const SOON: Duration = Duration::from_secs(60);

const RUNS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_queued_of_paused_runs_begins_once_when_they_are_resumed_although_a_producer_is_killed() {
    let fleet = Fleet::new();
    let marks = fleet.marks("marks");
    let mut first = fleet.producer().await;
    let second = fleet.producer().await;
    let _worker = fleet.worker(&["--concurrency", "2"]).await;
    let script = format!("key=$MILLRACE_RUN_ID\n{}", marks.around("sleep 0.3"));
    let mut ids = Vec::new();
    for _ in 0..RUNS {
        ids.push(second.api().submit(&json!({"run": script, "at_most_once": true})).await);
    }
    let pause = |id: &str| format!("/api/v1/runs/{id}/pause");
    for id in ids.iter().rev().step_by(2) {
        // It may have ended by then.
        let _ = second.api().try_post(&pause(id), &json!({"by": "ann"})).await;
    }
    first.kill9();
    wait_until(SOON, "nothing but what is held is left", async || {
        for id in &ids {
            let run = second.api().try_get(&format!("/api/v1/runs/{id}")).await?;
            let (is_held, step) = (!run["paused"].is_null(), &run["steps"][0]["state"]);
            if step == "running" || step == "queued" || (!is_held && run["state"] == "running") {
                return Err(run.to_string());
            }
        }
        Ok(())
    })
    .await;
    let begun = marks.of(Kind::Start).len();
    let mut held = Vec::new();
    for id in &ids {
        if !second.api().run(id).await["paused"].is_null() {
            held.push(id);
        }
    }
    assert!(held.len() > 2, "{} are held", held.len());
    assert_eq!(begun + held.len(), RUNS);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(marks.of(Kind::Start).len(), begun, "something of a paused run began");
    for id in &held {
        second.api().post(&format!("/api/v1/runs/{id}/resume"), &json!({})).await;
    }
    for id in &ids {
        let run = second.api().ended(id, SOON).await;
        assert_eq!(run["state"], "succeeded", "{run}");
    }
    let starts = marks.by_key(Kind::Start);
    assert_eq!((starts.len(), starts.values().max()), (RUNS, Some(&1)), "{starts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_worker_takes_anything_of_a_paused_pool_even_one_that_is_started_later() {
    let fleet = Fleet::new();
    let marks = fleet.marks("marks");
    let producer = fleet.producer().await;
    let mut worker = fleet.worker(&["--concurrency", "4"]).await;
    let api = producer.api();
    api.post("/api/v1/queues/default/pause", &json!({"by": "ann", "why": "a new disk"})).await;
    // A worker hears of it with its next sign of life.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let script = format!("key=$MILLRACE_RUN_ID\n{}", marks.around("true"));
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(api.submit(&json!({"run": script})).await);
    }
    worker.kill9();
    let _other = fleet.worker(&["--concurrency", "4"]).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(marks.read().len(), 0, "something of a paused pool began");
    let why = api.get(&format!("/api/v1/runs/{}/why", ids[0])).await;
    let text = why["steps"][0]["text"].as_str().unwrap_or_default().to_owned();
    assert!(text.contains("pool default is paused by ann since ") && text.contains(": a new disk"), "{why}");
    api.post("/api/v1/queues/default/resume", &json!({})).await;
    for id in &ids {
        assert_eq!(api.ended(id, SOON).await["state"], "succeeded");
    }
}
