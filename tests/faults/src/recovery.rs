//! How long the fleet takes to work again: until a task that is submitted now has ended, and the oldest work that was
//! accepted before has moved.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::shape::Shape;
use crate::workload::Around;

/// How long it is waited for; past it, it is said that it was not seen.
pub const GIVE_UP: Duration = Duration::from_secs(60);

/// How long it may take.
pub const BOUND: Duration = Duration::from_secs(15);

/// How many of the oldest open tasks must have ended.
const OLDEST: usize = 30;

const LOOK: Duration = Duration::from_millis(100);

/// Measures from `since` on. None when it was not seen within [`GIVE_UP`].
pub async fn measure(around: &Around, since: Duration) -> Option<Duration> {
    let oldest = around.ledger.open_work(OLDEST);
    let probe = around.ledger.enter(Shape::Quick, "probe");
    let deadline = since + GIVE_UP;
    let mut producer = 0;
    while around.epoch.now() < deadline {
        if has_ended(around, probe, producer).await {
            break;
        }
        producer += 1;
        sleep(LOOK).await;
    }
    loop {
        let now = around.epoch.now();
        let open = {
            let books = around.ledger.open();
            oldest.iter().chain([&probe]).filter(|entry| !books.entries[**entry].done).count()
        };
        if open == 0 {
            return Some(now - since);
        }
        if now > deadline {
            return None;
        }
        sleep(LOOK).await;
    }
}

/// Asks one producer to start it, then whether it has ended.
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
