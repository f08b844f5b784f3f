//! The load: submissions of all shapes at a steady rate, through all doors, each repeated until it is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::task::TaskTracker;

use crate::dice::Dice;
use crate::doors::{Door, Doors};
use crate::incident::Epoch;
use crate::ledger::Ledger;
use crate::shape::{NEWER, Shape, workflows};
use crate::trail::Trail;

/// The interval at which a batch is submitted.
const TICK: Duration = Duration::from_millis(200);

/// The most batches that wait for their answer: past it, the load pauses.
const UNANSWERED: usize = 150;

/// The pause before an unanswered batch is sent again; each time it is twice as long, up to the second.
const AGAIN: Duration = Duration::from_millis(300);
const AGAIN_AT_LAST: Duration = Duration::from_secs(3);

/// The time that a task lasts before it is cancelled.
const DOOM: Duration = Duration::from_millis(1500);

/// The share of batches that are sent a second time, through another door, in percent.
const REPEATED: usize = 10;

/// The load: what is submitted.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// The number of tasks a second.
    pub rate: usize,
    /// The share of tasks that start a shell and leave marks, in percent; the rest do nothing, and are judged by the
    /// API alone.
    pub marked: usize,
    /// The share of those that last for seconds, so that faults find them running, in percent.
    pub long: usize,
    /// The number of workflows that fire every second.
    pub schedules: usize,
    /// Whether there are workflows that version 0.1 does not know.
    pub rules: bool,
}

/// What all parts of the load need.
#[derive(Debug)]
pub struct Around {
    /// The ways by which submissions go in.
    pub doors: Doors,
    /// The ledger of all submissions.
    pub ledger: Arc<Ledger>,
    /// The trail of the tasks.
    pub trail: Trail,
    /// The clock of the suite.
    pub epoch: Epoch,
    /// Whether nobody asks again from now on.
    pub given_up: AtomicBool,
}

/// A workload that is running.
#[derive(Debug)]
pub struct Workload {
    running: JoinHandle<()>,
    pending: TaskTracker,
    around: Arc<Around>,
}

/// Stores the workflows that are part of the load.
pub async fn prepare(around: &Around, load: Load) {
    for definition in workflows(&around.trail.start(), &around.trail.end(), load.schedules) {
        let is_newer = definition["name"].as_str().is_some_and(|name| NEWER.contains(&name));
        if is_newer && !load.rules {
            continue;
        }
        let body = json!({"definition": definition.to_string()});
        around.doors.post(0, "/api/v1/workflows", &body).await.unwrap();
    }
}

impl Workload {
    /// Starts the load.
    pub fn start(around: Arc<Around>, load: Load, seed: u64) -> Self {
        let pending = TaskTracker::new();
        let running = tokio::spawn(submit(Arc::clone(&around), load, Dice::new(seed), pending.clone()));
        Self { running, pending, around }
    }

    /// Submits nothing more, and waits until all that was is answered, at most so long.
    pub async fn stop(self, within: Duration) {
        self.running.abort();
        let _ = self.running.await;
        self.pending.close();
        if tokio::time::timeout(within, self.pending.wait()).await.is_err() {
            self.around.given_up.store(true, Ordering::Relaxed);
            self.pending.wait().await;
        }
    }
}

async fn submit(around: Arc<Around>, load: Load, mut dice: Dice, pending: TaskTracker) {
    let room = Arc::new(Semaphore::new(UNANSWERED));
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (began, mut submitted, mut batches) = (around.epoch.now(), 0.0, 0);
    loop {
        tick.tick().await;
        batches += 1;
        let door = [Door::Rest, Door::Reply, Door::Rest, Door::Confirm][batches % 4];
        let due = load.rate as f64 * (around.epoch.now() - began).as_secs_f64();
        let mut batch = Vec::new();
        while submitted < due && batch.len() < load.rate {
            let shape = match shape(&mut dice, load) {
                // Who does not know the run cannot cancel it, nor say what is to become of its step.
                Shape::Doomed | Shape::Asked if door == Door::Confirm => Shape::Quick,
                shape => shape,
            };
            submitted += shape.tasks() as f64;
            batch.push(around.ledger.enter(shape, "work"));
        }
        let permit = Arc::clone(&room).acquire_owned().await;
        let again = dice.percent(REPEATED);
        let around = Arc::clone(&around);
        let tasks = pending.clone();
        pending.spawn(async move {
            carry(&around, door, batches, &batch).await;
            drop(permit);
            // Not while the first is unanswered: both would be the first then.
            if again && door != Door::Confirm {
                let other = if door == Door::Rest { Door::Reply } else { Door::Rest };
                tasks.spawn({
                    let (around, batch) = (Arc::clone(&around), batch.clone());
                    async move { carry(&around, other, batches + 1, &batch).await }
                });
            }
            cancel(&around, &batch, batches).await;
            say(&around, &batch, batches).await;
        });
    }
}

/// Which shape comes next: mostly short ones.
fn shape(dice: &mut Dice, load: Load) -> Shape {
    if !dice.percent(load.marked) {
        return Shape::Noop;
    }
    if dice.percent(load.long) {
        return Shape::Long;
    }
    match dice.below(1000) {
        0..100 => Shape::Diamond,
        100..130 => Shape::Flaky,
        130..150 => Shape::Failing,
        150..165 => Shape::Doomed,
        165..215 => Shape::Handover,
        215..255 if load.rules => Shape::Branches,
        255..275 if load.rules => Shape::Items,
        275..276 if load.rules => Shape::Wide,
        276..291 if load.rules => Shape::Asked,
        291..311 if load.rules => Shape::Nested,
        311..331 if load.rules => Shape::Locked,
        331..346 if load.rules => Shape::Limited,
        _ => Shape::Quick,
    }
}

/// Sends a batch of entries until each is answered, or nobody asks again.
pub(crate) async fn carry(around: &Around, door: Door, number: usize, batch: &[usize]) {
    let mut left = batch.to_vec();
    let mut producer = number;
    let script = around.trail.script();
    let mut wait = AGAIN;
    while !left.is_empty() {
        let many: Vec<Value> = left.iter().map(|entry| around.ledger.submission(*entry, &script)).collect();
        let sent = around.doors.send(door, producer, &Value::from(many)).await;
        let now = around.epoch.now();
        match sent {
            Ok(_) if door == Door::Confirm => {
                left.iter().for_each(|entry| around.ledger.confirmed(*entry, now));
                return;
            }
            Ok(answers) if answers.len() == left.len() => {
                let mut answers = answers.iter();
                left.retain(|entry| {
                    !answers.next().is_some_and(|answer| around.ledger.answered(*entry, answer, now))
                });
            }
            Ok(_) | Err(_) => {}
        }
        if left.is_empty() || around.given_up.load(Ordering::Relaxed) {
            return;
        }
        producer += 1;
        sleep(wait).await;
        wait = (wait * 2).min(AGAIN_AT_LAST);
    }
}

/// Cancels the doomed of a batch, until that is accepted.
async fn cancel(around: &Around, batch: &[usize], number: usize) {
    let doomed: Vec<String> = {
        let books = around.ledger.open();
        let doomed = batch.iter().filter(|entry| books.entries[**entry].shape == Shape::Doomed);
        doomed.filter_map(|entry| books.entries[*entry].run.clone()).collect()
    };
    if doomed.is_empty() {
        return;
    }
    sleep(DOOM).await;
    for run in doomed {
        let path = format!("/api/v1/runs/{run}/cancel");
        let mut producer = number;
        while around.doors.post(producer, &path, &json!({})).await.is_err()
            && !around.given_up.load(Ordering::Relaxed)
        {
            producer += 1;
            sleep(AGAIN).await;
        }
    }
}

/// Says of the steps of a batch that ask how they ended, until that is accepted: it is refused until they ask.
async fn say(around: &Around, batch: &[usize], number: usize) {
    let asked: Vec<String> = {
        let books = around.ledger.open();
        let asked = batch.iter().filter(|entry| books.entries[**entry].shape == Shape::Asked);
        asked.filter_map(|entry| books.entries[*entry].run.clone()).collect()
    };
    for run in asked {
        let path = format!("/api/v1/runs/{run}/steps/first/mark");
        let outputs = json!({"value": format!("of {run}")});
        let body =
            json!({"outcome": "succeeded", "outputs": outputs, "by": "ann", "idempotency_key": "said"});
        let mut producer = number;
        while around.doors.post(producer, &path, &body).await.is_err()
            && !around.given_up.load(Ordering::Relaxed)
        {
            producer += 1;
            sleep(AGAIN).await;
        }
    }
}
