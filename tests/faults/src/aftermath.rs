//! What is looked at once all has ended: what runs hand on, and what is left on the broker.

use std::time::Duration;

use tokio::task::block_in_place;
use tokio::time::sleep;

use crate::audit::Check;
use crate::ledger::Books;
use crate::stage::{Servers, Stage};
use crate::workload::Around;

/// The longest that queues may take to be empty.
const DRAIN_BOUND: Duration = Duration::from_secs(30);

/// Runs that are asked for one by one, at most.
const HANDED_ON: usize = 200;

/// Checks that runs hand on what their shapes say: the last of them, since each is asked for by itself.
pub(crate) async fn handed_on(around: &Around, books: &Books) -> Check {
    let mut handed_on = Check::new("hands on as defined");
    let asked =
        books.entries.iter().rev().filter_map(|entry| Some((entry.run.as_ref()?, entry.shape.outputs()?)));
    for (number, (run, wanted)) in asked.take(HANDED_ON).enumerate() {
        let found = around.doors.get(number, &format!("/api/v1/runs/{run}")).await;
        let is_right = found.as_ref().is_ok_and(|found| found["outputs"] == wanted);
        handed_on.expect(is_right, || match found {
            Ok(found) => format!("run {run} is {}, and hands on {}", found["state"], found["outputs"]),
            Err(error) => format!("run {run}: {error}"),
        });
    }
    handed_on
}

/// Checks that nobody holds a lock any more, or waits for one.
pub(crate) async fn unlocked(around: &Around) -> Check {
    let mut unlocked = Check::new("no lock is left");
    let deadline = tokio::time::Instant::now() + DRAIN_BOUND;
    for number in 0.. {
        let found = around.doors.get(number, "/api/v1/locks").await;
        let is_left = found.as_ref().map_or(true, |found| found["locks"] != serde_json::json!([]));
        if !is_left || tokio::time::Instant::now() > deadline {
            unlocked.expect(!is_left, || format!("{found:?}"));
            break;
        }
        sleep(Duration::from_secs(1)).await;
    }
    unlocked
}

/// Checks that nothing is left on the broker: not in a queue, not unacked, not rejected.
pub(crate) async fn drained(stage: &mut Stage) -> [Check; 2] {
    let mut drained = Check::new("queues are drained");
    let mut rejected = Check::new("nothing was rejected");
    let prefix = format!("{}.", stage.fleet.prefix());
    let deadline = tokio::time::Instant::now() + DRAIN_BOUND;
    loop {
        let listed = block_in_place(|| {
            let arguments = ["--quiet", "list_queues", "name", "messages"];
            match &mut stage.servers {
                Servers::Single(servers) => servers.0.ctl(&arguments),
                Servers::Cluster(servers) => servers.0.node(0).ctl(&arguments),
            }
        });
        let queues: Vec<(&str, u64)> = listed
            .lines()
            .filter_map(|line| {
                let (name, count) = line.split_once('\t')?;
                Some((name.strip_prefix(&prefix)?, count.trim().parse().ok()?))
            })
            .collect();
        let full = |(name, count): &&(&str, u64)| *name != "rejected" && *count > 0;
        if queues.iter().any(|queue| full(&queue)) && tokio::time::Instant::now() < deadline {
            sleep(Duration::from_secs(1)).await;
            continue;
        }
        for queue in &queues {
            let check = if queue.0 == "rejected" { &mut rejected } else { &mut drained };
            check.expect(queue.1 == 0, || format!("{} holds {}", queue.0, queue.1));
        }
        drained.expect(!queues.is_empty(), || "no queues are listed".to_owned());
        return [drained, rejected];
    }
}
