//! SIGTERM under load burns no attempt: short tasks end within the grace, and what outlives it is handed back as
//! if it had never been claimed.

use std::time::Duration;

use millrace_tests::{Fleet, Kind, Mark, wait_until};
use serde_json::{Value, json};

/// The numbers of tasks that outlive the grace, one a slot, and of short ones behind them.
const LONG: usize = 3;
const SHORT: usize = 60;

const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn tasks_that_outlive_the_grace_are_handed_back_with_the_same_attempt() {
    let fleet = Fleet::new();
    let (long, short) = (fleet.marks("long"), fleet.marks("short"));
    let producer = fleet.producer().await;
    let mut leaver = fleet.worker(&["--concurrency", "4", "--grace", "1s"]).await;

    let endless: Vec<Value> = (0..LONG)
        .map(
            |n| json!({"run": long.beating(50), "params": {"key": n}, "idempotency_key": format!("long{n}")}),
        )
        .collect();
    let runs = producer.api().submit_all(&endless, SOON).await;
    wait_until(SOON, "the long ones run", async || {
        let started = long.of(Kind::Start).len();
        if started == LONG { Ok(()) } else { Err(format!("{started} do")) }
    })
    .await;
    let quick: Vec<Value> = (0..SHORT)
        .map(|n| json!({"run": short.around("sleep 0.1"), "params": {"key": n}, "idempotency_key": format!("short{n}")}))
        .collect();
    producer.api().submit_all(&quick, SOON).await;
    wait_until(SOON, "some of the short ones have run", async || {
        let ended = short.of(Kind::End).len();
        if ended >= 5 { Ok(()) } else { Err(format!("{ended} have")) }
    })
    .await;

    leaver.sigterm();
    let status = leaver.ends(Duration::from_secs(15)).await;
    assert!(status.success(), "{status}");
    let left = short.of(Kind::End).len();
    assert!(left < SHORT, "all short tasks had run already: the test shows nothing");
    let _worker = fleet.worker(&["--concurrency", "8"]).await;

    for run in producer.api().all_ended(LONG + SHORT, SOON).await {
        assert_eq!(run["state"], "succeeded", "{run}");
    }
    short.each_ran_once(SHORT, Duration::from_secs(1)).await;
    for run in runs {
        let step = producer.api().run(&run).await["steps"][0].clone();
        assert_eq!((step["attempt"].as_u64(), &step["lost"]), (Some(1), &Value::Null), "{step}");
        let marks: Vec<Mark> = long.read().into_iter().filter(|mark| mark.run == run).collect();
        let starts: Vec<&Mark> = marks.iter().filter(|mark| mark.kind == Kind::Start).collect();
        assert_eq!(starts.iter().map(|mark| mark.attempt).collect::<Vec<_>>(), [1, 1]);
        let last = marks.iter().filter(|mark| mark.pid == starts[0].pid).map(|mark| mark.at).max();
        assert!(last.unwrap() < starts[1].at, "both executions ran at the same time");
    }
    assert_eq!(long.of(Kind::End).len(), LONG);
}
