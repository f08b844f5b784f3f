//! Runs that are steps of others, on a fleet of which any process may be killed: each runs once, in whatever partition, and
//! its end comes to the step that it is.

use std::time::Duration;

use millrace_tests::{Fleet, Kind, Process, wait_until};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

/// The children of the run that is watched.
const ITEMS: usize = 40;

async fn both_own(first: &Process, second: &Process) {
    wait_until(Duration::from_secs(30), "both own partitions", async || {
        let owned = (first.api().partitions_owned().await?, second.api().partitions_owned().await?);
        if owned.0 > 20 && owned.1 > 20 { Ok(()) } else { Err(format!("{owned:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_child_runs_once_although_a_producer_is_killed_meanwhile() {
    let fleet = Fleet::new();
    let marks = fleet.marks("marks");
    let mut first = fleet.producer().await;
    let second = fleet.producer().await;
    let _worker = fleet.worker(&["--concurrency", "8"]).await;
    both_own(&first, &second).await;
    let part = json!({
        "name": "part", "params": [{"name": "key"}],
        "steps": [{"name": "one", "run": marks.around("sleep 0.2")},
            {"name": "two", "depends_on": ["one"], "run": "echo \"key=$key\" >> \"$MILLRACE_OUTPUT\""}],
        "outputs": {"key": "${{ outputs.two.key }}"},
    });
    let items: Vec<String> = (0..ITEMS).map(|n| format!("k{n}")).collect();
    let all = json!({
        "name": "all",
        "steps": [
            {"name": "each", "uses": "workflow", "foreach": {"items": items, "max_parallel": 10},
             "with": {"name": "part", "params": {"key": "${{ item }}"}}},
            {"name": "join", "depends_on": ["each"], "run": "true"},
        ],
        "outputs": {"keys": "${{ outputs.each | map(attribute='key') | list }}"},
    });
    second.api().apply(&part.to_string()).await;
    second.api().apply(&all.to_string()).await;
    let run = second.api().trigger("all").await;
    wait_until(SOON, "some have run", async || match marks.of(Kind::Start).len() {
        count if count > 8 => Ok(()),
        count => Err(format!("{count}")),
    })
    .await;
    first.kill9();
    let run = second.api().ended(&run, SOON).await;
    assert_eq!((&run["state"], &run["outputs"]["keys"]), (&json!("succeeded"), &json!(items)));
    marks.each_ran_once(ITEMS, SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_reaches_children_in_the_partitions_of_all_producers() {
    let fleet = Fleet::new();
    let (first, second) = (fleet.producer().await, fleet.producer().await);
    let _worker = fleet.worker(&["--concurrency", "16"]).await;
    both_own(&first, &second).await;
    let sleeps = json!({"name": "sleeps", "steps": [{"name": "only", "run": "sleep 600"}]});
    let all = json!({"name": "all", "steps": [
        {"name": "each", "uses": "workflow", "shards": 12, "with": {"name": "sleeps"}},
        {"name": "other", "uses": "workflow", "with": {"name": "sleeps"}},
    ]});
    first.api().apply(&sleeps.to_string()).await;
    first.api().apply(&all.to_string()).await;
    let run = first.api().trigger("all").await;
    let children = async || -> Result<Vec<Value>, String> {
        let page = second.api().try_get(&format!("/api/v1/runs/{run}/children")).await?;
        Ok(page["children"].as_array().cloned().unwrap_or_default())
    };
    wait_until(SOON, "all children run", async || {
        let running = children().await?.iter().filter(|child| child["run"]["state"] == "running").count();
        if running == 13 { Ok(()) } else { Err(format!("{running}")) }
    })
    .await;
    second.api().post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).await;
    let ended = second.api().ended(&run, SOON).await;
    assert_eq!(ended["state"], "cancelled");
    for child in children().await.unwrap() {
        assert_eq!(child["run"]["state"], "cancelled", "{child}");
    }
}
