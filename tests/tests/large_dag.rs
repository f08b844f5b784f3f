//! What an event costs does not grow with the DAG: twice the steps take about twice the time.

use std::time::{Duration, Instant};

use millrace_tests::{Api, Fleet};
use serde_json::json;

/// The number of steps of a layer; each step depends on two of the layer before.
const WIDTH: usize = 100;

/// How much longer twice the steps may take. Were an event to look at all steps, it would be four times.
const MOST: f64 = 2.6;

/// The most rounds that are measured.
const ROUNDS: usize = 8;

const LONG: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_steps_take_about_twice_as_long_as_five_thousand() {
    let fleet = Fleet::new();
    let producer = fleet.producer().await;
    let _worker = fleet.worker(&["--concurrency", "64"]).await;
    run(producer.api(), 500).await;
    // The best of each, since something else may use the machine meanwhile: in turn, until it is as it should be.
    let (mut best, mut ratio) = ([Duration::MAX; 2], f64::MAX);
    for round in 1..=ROUNDS {
        for (best, steps) in best.iter_mut().zip([5_000, 10_000]) {
            *best = run(producer.api(), steps).await.min(*best);
        }
        let [five, ten] = best;
        ratio = ten.as_secs_f64() / five.as_secs_f64();
        println!("5,000 steps: {five:?}, 10,000 steps: {ten:?}, {ratio:.2} times as long");
        // One round alone may have had a slow first half.
        if round > 1 && ratio <= MOST {
            return;
        }
    }
    panic!("10,000 steps take {ratio:.2} times as long as 5,000");
}

/// Runs a DAG of so many steps, and returns the time from the trigger to its end.
async fn run(api: &Api, steps: usize) -> Duration {
    let step = |n: usize| match n.checked_sub(WIDTH) {
        None => json!({"name": format!("s{n}"), "uses": "noop"}),
        Some(above) => {
            let beside = above / WIDTH * WIDTH + (above + 1) % WIDTH;
            json!({"name": format!("s{n}"), "uses": "noop", "depends_on": [format!("s{above}"), format!("s{beside}")]})
        }
    };
    let workflow = json!({"name": format!("dag{steps}"), "steps": (0..steps).map(step).collect::<Vec<_>>()});
    api.apply(&workflow.to_string()).await;
    let begun = Instant::now();
    let run = api.trigger(&format!("dag{steps}")).await;
    let ended = summary(api, &run).await;
    assert_eq!(ended, "succeeded");
    begun.elapsed()
}

/// Waits for the end of a run, looking at the list: there, steps are not read.
async fn summary(api: &Api, run: &str) -> String {
    millrace_tests::wait_until(LONG, "the run has ended", async || {
        let page = api.try_get("/api/v1/runs?limit=10").await?;
        let found = page["runs"].as_array().into_iter().flatten().find(|one| one["id"] == run);
        let state = found.and_then(|one| one["state"].as_str()).unwrap_or("none");
        if ["running", "waiting", "queued", "none"].contains(&state) {
            Err(state.to_owned())
        } else {
            Ok(state.to_owned())
        }
    })
    .await
}
