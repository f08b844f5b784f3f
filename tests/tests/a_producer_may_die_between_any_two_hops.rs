//! A producer that dies between any two hops, twice in a row, loses nothing and doubles nothing: whoever takes
//! over ends all that was accepted, and each task has run once.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use millrace_tests::{Fleet, Kind, wait_until};
use serde_json::{Value, json};

/// The number of ad-hoc tasks of each case.
const TASKS: usize = 8;

const DIAMOND: &str = "
name: diamond
steps:
  - {name: top, run: MARKED}
  - {name: left, depends_on: [top], run: MARKED}
  - {name: right, depends_on: [top], run: MARKED}
  - {name: bottom, depends_on: [left, right], run: MARKED}
";

#[tokio::test(flavor = "multi_thread")]
async fn after_a_batch_was_drained() {
    dies_at("drained").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_commit() {
    dies_at("before-commit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_commit() {
    dies_at("after-commit").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_delivery_is_acked() {
    dies_at("before-ack").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_tasks_are_published() {
    dies_at("before-publish").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_ack_and_before_the_tasks_are_confirmed() {
    dies_at("after-ack").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_tasks_are_published_and_before_that_is_committed() {
    dies_at("published").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_middle_of_taking_over() {
    dies("after-commit:1", "took:2").await;
}

/// A part that panics takes the process with it, in order: half alive, it would hold partitions that nobody serves.
#[tokio::test(flavor = "multi_thread")]
async fn a_producer_whose_loop_panics_ends_and_another_takes_over_at_once() {
    let fleet = Fleet::new();
    let few = ("MILLRACE_PARTITIONS", "4");
    let mut mortal = fleet.producer_with(&[], &[few, ("MILLRACE_FAILPOINT", "before-commit:1:panic")]).await;
    let _worker = fleet.worker(&["--concurrency", "4"]).await;
    fleet.amqp().await.submit(&json!({"run": "exit 0", "idempotency_key": "one"})).await;

    let status = mortal.ends(Duration::from_secs(15)).await;
    assert_eq!(status.code(), Some(1), "{}", mortal.log());
    assert!(mortal.log().contains("has broken") && mortal.log().contains("panicked"), "{}", mortal.log());
    let heir = fleet.producer().await;
    let runs = heir.api().all_ended(1, Duration::from_secs(30)).await;
    assert_eq!(runs[0]["state"], "succeeded");
}

/// The rules cannot be made to panic from outside: a failpoint stands for the mistake.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_breaks_its_run_is_tried_three_times_and_rejected_then_and_only_that_run_fails() {
    for (times, state) in [(2, "succeeded"), (3, "failed")] {
        let fleet = Fleet::new();
        let marks = fleet.marks("tasks");
        let panics = format!("advance:1:panic:{times}");
        let environment = [("MILLRACE_PARTITIONS", "1"), ("MILLRACE_FAILPOINT", panics.as_str())];
        let mut producer = fleet.producer_with(&[], &environment).await;
        let _worker = fleet.worker(&["--concurrency", "2"]).await;
        let amqp = fleet.amqp().await;
        let api = producer.api();
        let broken = api.submit(&json!({"run": marks.around("true"), "params": {"key": "broken"}})).await;
        let run = api.ended(&broken, Duration::from_secs(40)).await;
        assert_eq!(run["state"], state, "{run:#}");
        let whole = api.submit(&json!({"run": marks.around("true"), "params": {"key": "whole"}})).await;
        assert_eq!(api.ended(&whole, Duration::from_secs(30)).await["state"], "succeeded");
        if state == "failed" {
            assert!(run["reason"].as_str().unwrap().contains("internal error"), "{run:#}");
            let rejected = amqp.next(&amqp.queue("rejected"), Duration::from_secs(30)).await;
            assert_eq!(rejected.headers["x-millrace-error-code"], "broken-run");
            assert!(String::from_utf8_lossy(&rejected.payload).contains(&broken), "it is there whole");
        }
        assert_eq!(amqp.ready("rejected").await, Some(0));
        assert_eq!(marks.of(Kind::Start).len(), 2, "no task was started again");
        assert!(producer.status().is_none(), "the producer goes on: {}", producer.log());
    }
}

async fn dies_at(point: &str) {
    // The first passing is at the submissions, the second at results.
    dies(&format!("{point}:1"), &format!("{point}:2")).await;
}

async fn dies(first: &str, second: &str) {
    let fleet = Fleet::new();
    let marks = fleet.marks("tasks");
    let few = [("MILLRACE_PARTITIONS", "4")];
    let mut mortal = fleet.producer_with(&[], &[few[0], ("MILLRACE_FAILPOINT", first)]).await;
    let _worker = fleet.worker(&["--concurrency", "4"]).await;

    let body = json!(marks.around("true")).to_string();
    let mut submissions: Vec<Value> = (0..TASKS)
        .map(|n| json!({"run": marks.around("true"), "params": {"key": n}, "idempotency_key": format!("task-{n}")}))
        .collect();
    submissions.push(json!({"definition": DIAMOND.replace("MARKED", &body), "idempotency_key": "diamond"}));
    let amqp = fleet.amqp().await;
    for submission in &submissions {
        amqp.submit(submission).await;
    }

    let begun = Instant::now();
    let died = mortal.ends(Duration::from_secs(30)).await;
    assert!(!died.success() && mortal.log().contains("failpoint"), "it ended with {died} by itself");
    let mut heir = fleet.start_producer(&[], &[("MILLRACE_FAILPOINT", second)]);
    let heir_died =
        wait_until(Duration::from_secs(60), "the second producer died, or all has ended", async || {
            if heir.status().is_some() {
                return Ok(true);
            }
            let runs = heir.api().runs(None).await?;
            let ended = runs.iter().filter(|run| run["state"] == "succeeded").count();
            if ended == submissions.len() { Ok(false) } else { Err(format!("{ended} ended")) }
        })
        .await;
    let survivor = if heir_died { fleet.producer().await } else { heir };

    let runs = survivor.api().all_ended(submissions.len(), Duration::from_secs(90)).await;
    println!("{first}, then {second} ({heir_died}): all had ended after {:?}", begun.elapsed());
    for run in &runs {
        assert_eq!(run["state"], "succeeded", "{run}");
    }
    let mut starts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for mark in marks.of(Kind::Start) {
        *starts.entry((mark.step, mark.key)).or_default() += 1;
    }
    assert_eq!(starts.len(), TASKS + 4, "{starts:?}");
    assert!(starts.values().all(|count| *count == 1), "{starts:?}");

    // What was accepted before the crashes is known: the same again is the same run.
    let known: Vec<&str> = runs.iter().filter_map(|run| run["id"].as_str()).collect();
    for submission in &submissions {
        let answer = survivor.api().post("/api/v1/runs", submission).await;
        assert_eq!(answer["duplicate"], true, "{answer}");
        assert!(known.contains(&answer["run_id"].as_str().unwrap()), "{answer}");
    }
    assert_eq!(amqp.ready("rejected").await, Some(0));
    assert_eq!(amqp.ready("submit").await, Some(0));
}
