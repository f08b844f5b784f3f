//! A rate of steps on a fleet of which any process may be killed: in no stretch of time as long as its period do more tasks start
//! than it allows, and all of them come to their turn.

use std::time::Duration;

use millrace_tests::{Fleet, wait_until};
use serde_json::json;

const SOON: Duration = Duration::from_secs(90);

const ITEMS: usize = 60;

const LIMIT: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn no_more_tasks_start_in_a_second_than_a_rate_allows_and_each_has_its_turn_although_processes_are_killed()
 {
    let fleet = Fleet::new();
    let file = fleet.folder().join("starts");
    let mut first = fleet.producer().await;
    let second = fleet.producer().await;
    let mut worker = fleet.worker(&["--concurrency", "8"]).await;
    let _other = fleet.worker(&["--concurrency", "8"]).await;
    // Some are quick, and some run for longer than the period.
    let script = format!(
        "date +%s%N >> '{}'\ncase $((MILLRACE_ITEM_INDEX % 7)) in 0) sleep 1.5;; esac",
        file.display()
    );
    let items: Vec<usize> = (0..ITEMS).collect();
    let rate = json!({"limit": LIMIT, "per": "1s", "name": "api"});
    let rated = json!({"name": "rated",
        "steps": [{"name": "call", "foreach": {"items": items}, "run": script, "rate": rate}]});
    second.api().apply(&rated.to_string()).await;
    let id = second.api().trigger("rated").await;
    let starts = || -> Vec<i64> {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let mut starts: Vec<i64> = text.lines().filter_map(|line| line.parse::<i64>().ok()).collect();
        starts.sort_unstable();
        starts
    };
    wait_until(SOON, "some have run", async || match starts().len() {
        count if count > 15 => Ok(()),
        count => Err(format!("{count}")),
    })
    .await;
    first.kill9();
    worker.kill9();
    assert_eq!(second.api().ended(&id, SOON * 2).await["state"], "succeeded");
    let starts = starts();
    assert!(starts.len() >= ITEMS, "{}", starts.len());
    for from in &starts {
        let within = starts.iter().filter(|at| (*from..from + 1_000_000_000).contains(*at)).count();
        assert!(within <= LIMIT, "{within} start within a second: {starts:?}");
    }
    wait_until(Duration::from_secs(30), "all of it has come back", async || {
        let locks = second.api().try_get("/api/v1/locks").await?;
        if locks["locks"] == json!([]) { Ok(()) } else { Err(locks.to_string()) }
    })
    .await;
}
