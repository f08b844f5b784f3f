//! How long an idle fleet takes from a submission to the start of its task, and through a chain of steps. The
//! bounds leave room for a busy machine and a build without optimisation; the figures are printed.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::time::Duration;

use millrace_tests::{Fleet, Kind, Marks};
use serde_json::{Value, json};

const SAMPLES: usize = 100;
const CHAIN: usize = 40;

/// The median of submit to start (with the start of two processes), and a chain of steps that do nothing.
const START_BOUND: Duration = Duration::from_millis(25);
const CHAIN_BOUND: Duration = Duration::from_secs(1);

const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_fleet_starts_a_task_within_milliseconds_and_a_chain_of_forty_steps_within_a_second() {
    let fleet = Fleet::new();
    let marks = fleet.marks("tasks");
    let producer = fleet.producer().await;
    let _worker = fleet.worker(&["--concurrency", "4"]).await;
    let amqp = fleet.amqp().await;
    let answer = amqp.ask(&json!({"run": "true"})).await;
    producer.api().ended(answer["run_id"].as_str().unwrap(), SOON).await;

    // From the publish until the shell of the task runs: what the one who submits waits for.
    let mut waits = Vec::new();
    for n in 0..SAMPLES {
        let published = Marks::now();
        let body = json!({"run": marks.around("true"), "params": {"key": n}});
        let answer = amqp.ask(&body).await;
        producer.api().ended(answer["run_id"].as_str().unwrap(), SOON).await;
        let starts = marks.of(Kind::Start);
        waits.push(starts[n].at - published);
    }
    waits.sort_unstable();
    let at = |percent: usize| waits[(SAMPLES - 1) * percent / 100];
    println!("submit to start: median {:?}, 90% {:?}, longest {:?}", at(50), at(90), at(100));

    let step = |n: usize| match n {
        0 => json!({"name": "s0", "uses": "noop"}),
        n => json!({"name": format!("s{n}"), "uses": "noop", "depends_on": [format!("s{}", n - 1)]}),
    };
    producer
        .api()
        .apply(&json!({"name": "chain", "steps": (0..CHAIN).map(step).collect::<Value>()}).to_string())
        .await;
    let mut times = Vec::new();
    for _ in 0..5 {
        let run = producer.api().trigger("chain").await;
        let ended = producer.api().ended(&run, SOON).await;
        assert_eq!(ended["state"], "succeeded", "{ended}");
        times.push(second(&ended["ended_at"]) - second(&ended["created_at"]));
    }
    times.sort_by(f64::total_cmp);
    println!("a chain of {CHAIN} steps: median {:.0} ms, longest {:.0} ms", times[2] * 1e3, times[4] * 1e3);

    assert!(at(50) < START_BOUND, "the median of submit to start is {:?}", at(50));
    assert!(times[2] < CHAIN_BOUND.as_secs_f64(), "a chain takes {} s", times[2]);
}

/// The second of the day of an instant in UTC.
fn second(instant: &Value) -> f64 {
    let (_, time) = instant.as_str().unwrap().split_once('T').unwrap();
    let parts: Vec<f64> = time.trim_end_matches('Z').split(':').map(|part| part.parse().unwrap()).collect();
    parts[0] * 3600.0 + parts[1] * 60.0 + parts[2]
}
