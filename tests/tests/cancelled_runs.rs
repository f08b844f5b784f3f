//! Cancelled, or out of time: the whole tree of processes of the run ends, and nothing of it starts later.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::time::Duration;

use millrace_tests::{Api, Fleet, Kind, Marks, processes_of, wait_until};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

/// A workflow of two branches that run, with children of every kind, a step that waits, and one that waits for a retry.
fn workflow(name: &str, marks: &Marks, more: &Value) -> String {
    let body =
        format!("{}\nsetsid sleep 300 & (setsid sh -c 'sleep 300; :' &)\nsleep 300", marks.mark(Kind::Start));
    let mut workflow = json!({
        "name": name,
        "steps": [
            {"name": "left", "run": body},
            {"name": "right", "run": body},
            {"name": "again", "run": format!("{}; exit 1", marks.mark(Kind::Start)),
             "retry": {"limit": 5, "delay": "3s"}},
            {"name": "after", "run": marks.mark(Kind::Start), "depends_on": ["left", "right"]},
        ],
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        workflow[field] = value.clone();
    }
    workflow.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_run_ends_with_all_its_processes_and_starts_nothing_later() {
    let fleet = Fleet::new();
    let marks = fleet.marks("tasks");
    let producer = fleet.producer().await;
    let _worker = fleet.worker(&["--concurrency", "4"]).await;
    producer.api().apply(&workflow("tree", &marks, &json!({}))).await;
    let run = producer.api().trigger("tree").await;
    running(&marks, &run).await;
    producer.api().step_is(&run, "again", "waiting", SOON).await;

    producer.api().post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).await;
    nothing_is_left(producer.api(), &run, "cancelled").await;
    let started = marks.of(Kind::Start).len();
    let tick = producer.api().submit(&json!({"run": "sleep 4"})).await;
    producer.api().ended(&tick, SOON).await;
    assert_eq!(marks.of(Kind::Start).len(), started, "something started after the cancel");
    assert!(marks.read().iter().all(|mark| mark.step != "after"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_queued_can_be_cancelled_before_any_worker_sees_it() {
    let fleet = Fleet::new();
    let marks = fleet.marks("tasks");
    let producer = fleet.producer().await;
    let run = producer.api().submit(&json!({"run": marks.mark(Kind::Start)})).await;
    producer.api().post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).await;
    assert_eq!(producer.api().ended(&run, SOON).await["state"], "cancelled");
    let _worker = fleet.worker(&[]).await;
    // Behind it in the same queue.
    let after = producer.api().submit(&json!({"run": "true"})).await;
    assert_eq!(producer.api().ended(&after, SOON).await["state"], "succeeded");
    assert_eq!(marks.read(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_out_of_time_ends_with_all_its_processes() {
    let fleet = Fleet::new();
    let marks = fleet.marks("tasks");
    let producer = fleet.producer().await;
    let _worker = fleet.worker(&["--concurrency", "4"]).await;
    producer.api().apply(&workflow("late", &marks, &json!({"timeout": "3s"}))).await;
    let run = producer.api().trigger("late").await;
    running(&marks, &run).await;
    nothing_is_left(producer.api(), &run, "timed_out").await;
    assert!(marks.read().iter().all(|mark| mark.step != "after"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_out_of_time_ends_with_all_its_processes_in_each_attempt() {
    let fleet = Fleet::new();
    let marks = fleet.marks("tasks");
    let producer = fleet.producer().await;
    let _worker = fleet.worker(&["--concurrency", "4"]).await;
    let body = format!("{}\nsetsid sleep 300 &\nsleep 300", marks.mark(Kind::Start));
    let workflow = json!({
        "name": "slow",
        "steps": [
            {"name": "slow", "run": body, "timeout": "1s", "retry": {"limit": 1, "delay": "100ms"}},
            {"name": "after", "run": marks.mark(Kind::Start), "depends_on": ["slow"]},
        ],
    });
    producer.api().apply(&workflow.to_string()).await;
    let run = producer.api().trigger("slow").await;
    let ended = producer.api().ended(&run, SOON).await;
    let (slow, after) = (&ended["steps"][0], &ended["steps"][1]);
    assert_eq!((&slow["state"], slow["attempt"].as_u64()), (&json!("timed_out"), Some(2)), "{ended}");
    assert_eq!((&ended["state"], &after["state"]), (&json!("timed_out"), &json!("skipped")), "{ended}");
    assert_eq!(processes_of(&run), [0_u32; 0]);
    let steps: Vec<String> = marks.read().into_iter().map(|mark| mark.step).collect();
    assert_eq!(steps, ["slow", "slow"]);
}

/// Waits until both branches run with their children.
async fn running(marks: &Marks, run: &str) {
    wait_until(SOON, "both branches run", async || {
        let (started, processes) = (marks.of(Kind::Start).len(), processes_of(run).len());
        if started >= 3 && processes >= 8 {
            Ok(())
        } else {
            Err(format!("{started} marks, {processes} processes"))
        }
    })
    .await;
}

/// Waits until the run has ended in `state`, and so have all its processes.
async fn nothing_is_left(api: &Api, run: &str, state: &str) {
    let ended = api.ended(run, SOON).await;
    assert_eq!(ended["state"], state, "{ended}");
    let open = |step: &&Value| ["queued", "running", "waiting"].contains(&step["state"].as_str().unwrap());
    assert_eq!(ended["steps"].as_array().unwrap().iter().find(open), None, "{ended}");
    assert_eq!(processes_of(run), [0_u32; 0], "processes are left after the run has ended");
}
