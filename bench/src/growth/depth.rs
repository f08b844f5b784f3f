//! How much waits: tasks are submitted while no worker is up, and then drained.

use std::time::{Duration, Instant};

use lapin::Channel;

use super::curve::{bound, microseconds, sizes};
use crate::amqp;
use crate::api::Api;
use crate::catalogue::MAIN;
use crate::failure::Failure;
use crate::fleet::{CONCURRENCY, Fleet, PREFIX};
use crate::report::Report;
use crate::throughput::{NOOP, payload};

const ARRAY: usize = 500;
/// The tasks that are measured at each size, at least: small sizes are measured more than once.
const WORK: usize = 10_000;
const LOOK: Duration = Duration::from_millis(2);
const DISPATCHED: &str = "millrace_tasks_dispatched_total";

/// Measures the time per task of submitting and of draining, by how many wait.
pub(super) async fn grow(fleet: &mut Fleet, most: usize, report: &mut Report) -> Result<(), Failure> {
    let (_connection, channel) = amqp::channel(&fleet.amqp_url()).await?;
    for size in sizes(most) {
        for _ in 0..(WORK / size).max(1) {
            fleet.stop_workers().await?;
            let took = fill(&channel, &fleet.api, size).await?;
            report.note_growth("submit, so many waiting", MAIN, size, "µs/task", microseconds(took, size));
            let (took, tasks) = drain(fleet, size).await?;
            report.note_growth("drain, so many waiting", MAIN, size, "µs/task", microseconds(took, tasks));
        }
    }
    Ok(())
}

/// Submits tasks, and returns how long it took until all wait in their queue: dispatched, and confirmed.
async fn fill(channel: &Channel, api: &Api, size: usize) -> Result<Duration, Failure> {
    let before = api.metric(DISPATCHED).await?;
    let deadline = Instant::now() + bound(size);
    let began = Instant::now();
    let payload = payload(NOOP, ARRAY).into_bytes();
    amqp::publish(channel, PREFIX, "submit", (0..size / ARRAY).map(|_| payload.clone())).await?;
    loop {
        let dispatched = api.metric(DISPATCHED).await? - before;
        if dispatched >= size && api.metric("millrace_outbox_depth").await? == 0 {
            return Ok(began.elapsed());
        }
        if Instant::now() > deadline {
            return Err(format!("only {dispatched} of {size} tasks wait").into());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Starts a worker, and returns the time from the first end that is seen to the last, and how many tasks that were.
async fn drain(fleet: &mut Fleet, size: usize) -> Result<(Duration, usize), Failure> {
    let before = fleet.api.ended().await?;
    fleet.add_worker(&["--concurrency", CONCURRENCY]).await?;
    let mut first = before;
    let mut began = Instant::now();
    while first == before {
        tokio::time::sleep(LOOK).await;
        began = Instant::now();
        first = fleet.api.ended().await?;
    }
    fleet.api.wait_ended(before + size, bound(size)).await?;
    Ok((began.elapsed(), before + size - first))
}
