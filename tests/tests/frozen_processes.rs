//! A process that was frozen for longer than its lease and then goes on finds that others took over: a producer
//! steps down, a worker's tasks are gone, and what they do late has no effect.

use std::time::Duration;

use millrace_tests::{Fleet, Kind, wait_until};
use serde_json::{Value, json};

const TASKS: usize = 30;

const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_wakes_up_after_its_lease_doubles_nothing() {
    let fleet = Fleet::new();
    let marks = fleet.marks("tasks");
    let few = [("MILLRACE_PARTITIONS", "4")];
    let mut frozen = fleet.producer_with(&[], &few).await;
    let _worker = fleet.worker(&["--concurrency", "4"]).await;
    let batch = |name: &str| -> Vec<Value> {
        let one = |n| {
            let key = format!("{name}{n}");
            json!({"run": marks.around("sleep 0.3"), "idempotency_key": key, "params": {"key": key}})
        };
        (0..TASKS).map(one).collect()
    };
    // It holds submissions, results and unconfirmed tasks when it freezes.
    fleet.amqp().await.submit(&Value::from(batch("a"))).await;
    wait_until(SOON, "some run", async || {
        let ended = marks.of(Kind::End).len();
        if ended > 3 { Ok(()) } else { Err(format!("{ended} have ended")) }
    })
    .await;
    frozen.sigstop();
    let heir = fleet.producer().await;
    heir.api().submit_all(&batch("b"), SOON).await;
    wait_until(SOON, "the heir owns all", async || {
        let runs = heir.api().runs(None).await?;
        let ended = runs.iter().filter(|run| run["state"] == "succeeded").count();
        if ended > TASKS { Ok(()) } else { Err(format!("{ended} have ended")) }
    })
    .await;
    frozen.sigcont();
    heir.api().submit_all(&batch("c"), SOON).await;
    // The frozen one's clients ask again with the same keys.
    frozen.api().submit_all(&batch("a"), SOON).await;

    for run in heir.api().all_ended(3 * TASKS, SOON).await {
        assert_eq!(run["state"], "succeeded", "{run}");
    }
    marks.each_ran_once(3 * TASKS, Duration::from_secs(1)).await;
    assert!(frozen.status().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_frozen_has_no_tasks_beyond_its_lease_and_reports_nothing_when_it_wakes_up() {
    let fleet = Fleet::new();
    let marks = fleet.marks("tasks");
    let producer = fleet.producer().await;
    let mut frozen = fleet.worker(&["--concurrency", "2"]).await;
    // The first attempt would go on for a minute, and say so.
    let body = format!(
        "test \"$MILLRACE_ATTEMPT\" = 1 || {{ {}; echo by=second > \"$MILLRACE_OUTPUT\"; exit 0; }}\n{}\n\
         echo by=first > \"$MILLRACE_OUTPUT\"",
        marks.mark(Kind::Beat),
        marks.beating(600)
    );
    let run = producer.api().submit(&json!({"run": body})).await;
    wait_until(SOON, "it runs", async || {
        let beats = marks.of(Kind::Beat).len();
        if beats > 2 { Ok(()) } else { Err(format!("{beats} beats")) }
    })
    .await;
    frozen.sigstop();
    let other = fleet.worker(&["--concurrency", "2"]).await;
    let ended = producer.api().ended(&run, SOON).await;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    // Frozen as it is: the first attempt had ended before the second began.
    let of =
        |attempt| marks.read().into_iter().filter(move |mark| mark.attempt == attempt).map(|mark| mark.at);
    assert!(of(1).max() < of(2).min(), "both attempts ran at the same time");
    assert!(millrace_tests::processes_of(&run).is_empty());
    frozen.sigcont();
    // It works again: with the other gone, only it is there.
    drop(other);
    let after = producer.api().submit(&json!({"run": "true"})).await;
    assert_eq!(producer.api().ended(&after, SOON).await["state"], "succeeded");
    assert_eq!(producer.api().run(&run).await, ended);
    assert_eq!(ended["steps"][0]["outputs"]["by"], "second", "{ended}");
    assert_eq!(marks.of(Kind::End), []);
}
