//! How long the fleet takes to work again, all of it: until each producer has brought a new task to its end, each
//! worker has begun one, and the oldest work that was accepted before is done.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::shape::Shape;
use crate::workload::Around;

/// The longest that a recovery is waited for; past it, it is said that it was not seen.
pub const GIVE_UP: Duration = Duration::from_secs(60);

/// The longest that a recovery may take.
pub const BOUND: Duration = Duration::from_secs(15);

/// The number of the oldest open tasks that must have ended.
const OLDEST: usize = 30;

const LOOK: Duration = Duration::from_millis(100);

/// The members that must work again.
#[derive(Debug, Clone)]
pub struct Living {
    /// The numbers of the producers: each must bring a new task to its end.
    pub producers: Vec<usize>,
    /// The pids of the workers: each must begin a task.
    pub workers: Vec<u32>,
}

/// Measures the recovery from `since` on. `None` when it was not seen within `give_up`.
pub async fn measure(
    around: &Around,
    since: Duration,
    living: Living,
    give_up: Duration,
) -> Option<Duration> {
    let oldest = around.ledger.open_work(OLDEST);
    let probes: Vec<(usize, usize)> = living
        .producers
        .iter()
        .map(|producer| (*producer, around.ledger.enter(Shape::Quick, "probe")))
        .collect();
    let deadline = since + give_up;
    let all_end = join_all(probes.iter().map(async |(producer, probe)| {
        while around.epoch.now() < deadline && !has_ended(around, *probe, *producer).await {
            sleep(LOOK).await;
        }
    }));
    all_end.await;
    loop {
        let now = around.epoch.now();
        let probes = probes.iter().map(|(_, probe)| probe);
        let open = {
            let books = around.ledger.open();
            oldest.iter().chain(probes).filter(|entry| !books.entries[**entry].done).count()
        };
        if open == 0 && living.workers.iter().all(|pid| around.trail.has_begun_since(*pid, since)) {
            return Some(now - since);
        }
        if now > deadline {
            return None;
        }
        sleep(LOOK).await;
    }
}

/// Asks a producer to start a task, then whether it has ended.
async fn has_ended(around: &Around, probe: usize, producer: usize) -> bool {
    let known = around.ledger.open().entries[probe].run.clone();
    let Some(run) = known else {
        let many = json!([around.ledger.submission(probe, &around.trail.script())]);
        if let Ok(answers) = around.doors.post(producer, "/api/v1/runs", &many).await {
            let answer = answers.get(0).unwrap_or(&Value::Null);
            around.ledger.answered(probe, answer, around.epoch.now());
        }
        return false;
    };
    let run = around.doors.get(producer, &format!("/api/v1/runs/{run}")).await;
    run.is_ok_and(|run| run["state"] == "succeeded")
}
