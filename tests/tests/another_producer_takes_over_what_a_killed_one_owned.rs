//! Two producers, one of them killed: the other takes over its partitions within 15 s, nothing is lost or
//! doubled, and schedules miss no instant and repeat none.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use millrace_tests::{Fleet, Kind, wait_until};
use serde_json::{Value, json};
use tokio::join;

/// The number of schedules: so many that both producers are home to some.
const SCHEDULES: usize = 6;

/// The number of keyed tasks of a batch: their runs are in all partitions.
const TASKS: usize = 200;

/// The longest that what must happen may take.
const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn the_partitions_of_a_killed_producer_move_and_every_instant_of_a_schedule_fires_once() {
    let fleet = Fleet::new();
    let (fires, tasks) = (fleet.marks("fires"), fleet.marks("tasks"));
    let mut first = fleet.producer().await;
    let second = fleet.producer().await;
    let _worker = fleet.worker(&["--concurrency", "8"]).await;
    wait_until(Duration::from_secs(30), "both own partitions", async || {
        let owned = (first.api().partitions_owned().await?, second.api().partitions_owned().await?);
        if owned.0 > 0 && owned.1 > 0 && owned.0 + owned.1 == 64 { Ok(()) } else { Err(format!("{owned:?}")) }
    })
    .await;

    for n in 0..SCHEDULES {
        let definition = json!({
            "name": format!("tick{n}"),
            "schedule": [{"every": "1s"}],
            "steps": [{"name": format!("tick{n}"), "run": fires.mark(Kind::Start)}],
        });
        second.api().apply(&definition.to_string()).await;
    }
    let batch = |prefix: &str| -> Vec<Value> {
        let one = |n| {
            json!({"run": tasks.around("true"), "idempotency_key": format!("{prefix}{n}"),
                             "params": {"key": format!("{prefix}{n}")}})
        };
        (0..TASKS).map(one).collect()
    };
    wait_until(Duration::from_secs(30), "all schedules have fired", async || {
        let fired: BTreeSet<String> = fires.read().into_iter().map(|mark| mark.step).collect();
        if fired.len() == SCHEDULES { Ok(()) } else { Err(format!("{fired:?}")) }
    })
    .await;

    // Accepted by the one that dies, and by the other while it dies.
    first.api().submit_all(&batch("a"), SOON).await;
    let also = batch("b");
    let dying = async {
        first.kill9();
        let killed = Instant::now();
        wait_until(Duration::from_secs(30), "all partitions are the other's", async || {
            let owned = second.api().partitions_owned().await?;
            if owned == 64 { Ok(()) } else { Err(format!("{owned} are")) }
        })
        .await;
        killed.elapsed()
    };
    let (_, moved) = join!(second.api().submit_all(&also, SOON), dying);
    // The same again: nothing may start twice.
    second.api().submit_all(&batch("a"), SOON).await;

    tasks.each_ran_once(2 * TASKS, Duration::from_secs(60)).await;

    let after = fires.read().len() + 5 * SCHEDULES;
    wait_until(Duration::from_secs(30), "the schedules go on", async || {
        let fired = fires.read().len();
        if fired >= after { Ok(()) } else { Err(format!("{fired} fires")) }
    })
    .await;
    for n in 0..SCHEDULES {
        second.api().post(&format!("/api/v1/workflows/tick{n}/pause"), &json!({})).await;
    }
    wait_until(Duration::from_secs(30), "all fires have run", async || {
        let runs = second.api().runs(None).await?;
        let open = runs.iter().filter(|run| run["state"] != "succeeded").count();
        if open == 0 { Ok(()) } else { Err(format!("{open} open")) }
    })
    .await;
    for n in 0..SCHEDULES {
        let step = format!("tick{n}");
        let fired = fires.of(Kind::Start).into_iter().filter(|mark| mark.step == step);
        every_second_once(fired.map(|mark| mark.scheduled_at).collect());
    }
    println!("all partitions had moved after {moved:?}");
    assert!(moved < Duration::from_secs(15), "the partitions moved after {moved:?}");
}

/// Checks that from the first instant to the last none is missing and none is there twice.
fn every_second_once(mut instants: Vec<String>) {
    instants.sort_unstable();
    assert!(instants.len() > 10, "{instants:?}");
    for pair in instants.windows(2) {
        let apart = second_of_day(&pair[1]) - second_of_day(&pair[0]);
        assert_eq!(apart.rem_euclid(24 * 3600), 1, "{pair:?} of {instants:?}");
    }
}

/// The second of the day of an RFC 3339 instant in UTC.
fn second_of_day(instant: &str) -> i64 {
    let (_, time) = instant.split_once('T').unwrap();
    let parts: Vec<i64> = time[..8].split(':').map(|part| part.parse().unwrap()).collect();
    parts[0] * 3600 + parts[1] * 60 + parts[2]
}
