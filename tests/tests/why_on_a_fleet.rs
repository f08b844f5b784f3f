//! Why a step is not running is answered by any producer of a fleet, and tells what only the fleet knows: who could run it,
//! what waits before it, and that nobody owns its run.

use std::time::Duration;

use millrace_tests::{Api, Fleet, wait_until};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

/// Runs that wait for a worker: so many that each of two producers owns some.
const RUNS: usize = 12;

/// The blockers of the first step of a run that waits.
async fn blockers(api: &Api, run: &str) -> Vec<Value> {
    let why = api.get(&format!("/api/v1/runs/{run}/why")).await;
    why["steps"][0]["blockers"].as_array().cloned().unwrap_or_default()
}

fn kinds(blockers: &[Value]) -> Vec<&str> {
    blockers.iter().filter_map(|blocker| blocker["kind"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_producer_says_what_waits_before_a_task_and_who_could_run_it() {
    let fleet = Fleet::new();
    let producers = [fleet.producer().await, fleet.producer().await];
    let _worker = fleet.worker(&["--concurrency", "1"]).await;
    let task = |run: &str| json!({"run": run});
    let busy = producers[0].api().submit(&task("sleep 600")).await;
    producers[0].api().step_is(&busy, "task", "running", SOON).await;
    let first = producers[0].api().submit(&task("true")).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let second = producers[1].api().submit(&task("true")).await;
    let nowhere = producers[1].api().submit(&json!({"run": "true", "pool": "gpu"})).await;
    for producer in &producers {
        for (place, run) in [(1, &first), (2, &second)] {
            // A worker says what it runs when it renews its session.
            wait_until(SOON, "the worker has said that it is busy", async || {
                let found = blockers(producer.api(), run).await;
                assert_eq!(
                    (kinds(&found), found[0]["position"].as_u64()),
                    (vec!["queue"], Some(place)),
                    "{found:?}"
                );
                match (found[0]["running"].as_u64(), found[0]["slots"].as_u64()) {
                    (Some(1), Some(1)) => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            })
            .await;
        }
        let found = blockers(producer.api(), &nowhere).await;
        assert_eq!(kinds(&found), ["pool"]);
        assert_eq!(found[0]["text"], "no worker serves pool `gpu`; served are default");
        assert_eq!(blockers(producer.api(), &busy).await, [json!(null); 0], "it runs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_nobody_owns_says_so_until_another_producer_has_taken_it_over() {
    let fleet = Fleet::new();
    let (mut first, second) = (fleet.producer().await, fleet.producer().await);
    wait_until(SOON, "both own partitions", async || {
        let owned = (first.api().partitions_owned().await?, second.api().partitions_owned().await?);
        if owned.0 > 0 && owned.1 > 0 && owned.0 + owned.1 == 64 { Ok(()) } else { Err(format!("{owned:?}")) }
    })
    .await;
    let mut runs = Vec::new();
    for n in 0..RUNS {
        let task = json!({"run": "true", "pool": "gpu", "idempotency_key": format!("k{n}")});
        runs.push(second.api().submit(&task).await);
    }
    let unowned = async || {
        let mut unowned = Vec::new();
        for run in &runs {
            let found = blockers(second.api(), run).await;
            assert_eq!(kinds(&found).last(), Some(&"pool"), "{found:?}");
            unowned.extend(found.into_iter().find(|blocker| blocker["kind"] == "owner"));
        }
        unowned
    };
    assert!(unowned().await.is_empty());
    first.kill9();
    wait_until(SOON, "some are told of as unowned", async || match unowned().await.first() {
        Some(one)
            if one["text"].as_str().unwrap_or_default().contains("another takes it over within seconds") =>
        {
            Ok(())
        }
        other => Err(format!("{other:?}")),
    })
    .await;
    wait_until(SOON, "all have an owner again", async || {
        let left = unowned().await.len();
        if left == 0 { Ok(()) } else { Err(format!("{left} have none")) }
    })
    .await;
}
