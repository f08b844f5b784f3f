//! A limit on the runs of a workflow, on a fleet of which any process may be killed: no more are under way than may, and all
//! of them come to their turn.

use std::time::Duration;

use millrace_tests::{Fleet, Kind, wait_until};
use serde_json::json;

const SOON: Duration = Duration::from_secs(90);

const RUNS: usize = 24;

const LIMIT: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn no_more_runs_are_under_way_than_may_and_each_has_its_turn_although_producers_and_workers_are_killed()
{
    let fleet = Fleet::new();
    let marks = fleet.marks("marks");
    let mut first = fleet.producer().await;
    let second = fleet.producer().await;
    let mut worker = fleet.worker(&["--concurrency", "8"]).await;
    let _other = fleet.worker(&["--concurrency", "8"]).await;
    let script = |key: &str| format!("key={key}$MILLRACE_RUN_ID\n{}", marks.around("sleep 0.1"));
    let steps = json!([{"name": "one", "run": script("one/")},
        {"name": "two", "run": script("two/"), "depends_on": ["one"]}]);
    let limited = json!({"name": "limited", "concurrency": LIMIT, "steps": steps});
    second.api().apply(&limited.to_string()).await;
    let mut ids = Vec::new();
    for _ in 0..RUNS {
        ids.push(second.api().trigger("limited").await);
    }
    wait_until(SOON, "some have run", async || match marks.of(Kind::End).len() {
        count if count > 8 => Ok(()),
        count => Err(format!("{count}")),
    })
    .await;
    first.kill9();
    worker.kill9();
    for id in &ids {
        assert_eq!(second.api().ended(id, SOON * 2).await["state"], "succeeded");
    }
    // A run is under way from the start of its first step to the end of its last one, whichever attempts these have had.
    let all = marks.read();
    let of_run = |id: &String| {
        let first = all.iter().position(|mark| mark.key == format!("one/{id}"));
        let last = all.iter().rposition(|mark| mark.key == format!("two/{id}") && mark.kind == Kind::End);
        (first.unwrap(), last.unwrap())
    };
    let spans: Vec<(usize, usize)> = ids.iter().map(of_run).collect();
    for place in 0..all.len() {
        let beside = spans.iter().filter(|(first, last)| (*first..=*last).contains(&place)).count();
        assert!(beside <= LIMIT, "{beside} runs are under way at mark {place} of {spans:?}");
    }
    wait_until(Duration::from_secs(10), "no slot is taken", async || {
        let locks = second.api().try_get("/api/v1/locks").await?;
        if locks["locks"] == json!([]) { Ok(()) } else { Err(locks.to_string()) }
    })
    .await;
}
