//! The executor of a simulation: no process is started. How long a task takes, and how it ends, follows from the seed
//! and from what its script says: `ok`, `flaky`, `fail`, `slow` or `hang`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use millrace_domain::SessionId;
use millrace_domain::task::Task;
use millrace_store::LogStream;
use millrace_worker::executors::{Ended, Execution, Executor};
use serde_json::{Map, Value};

use crate::dice::Dice;
use crate::process::Process;

/// The executor of one worker, which runs no processes: what becomes of a task follows from the seed.
pub(crate) struct Simulated {
    pub(crate) process: Arc<Process>,
    pub(crate) session: SessionId,
    pub(crate) seed: u64,
}

#[async_trait]
impl Executor for Simulated {
    async fn execute(&self, task: &Task, context: &Execution) -> Ended {
        let id = task.id();
        {
            let mut world = self.process.world.lock();
            let now = world.true_now();
            let (number, name) = (self.process.number, &self.process.name);
            world.trace.note(now, number, "start", id, || format!("{name} {id} {}", task.step));
            world.auditor.started(id, self.session, now);
        }
        let mut hasher = DefaultHasher::new();
        (self.seed, id).hash(&mut hasher);
        let mut dice = Dice::new(hasher.finish());
        if dice.chance(50) {
            context.log.write(LogStream::Stdout, "a line\n");
        }
        let script = task.with.get("run").and_then(Value::as_str).unwrap_or_default();
        let (low, high, fails) = match script {
            "flaky" => (1, 500, 400),
            "fail" => (1, 100, 1_000),
            "slow" => (500, 12_000, 50),
            "hang" => (3_600_000, 3_600_000, 0),
            _ => (1, 300, 0),
        };
        let takes = dice.millis(low, high);
        tokio::select! {
            biased;
            // The guardian kills what a dead worker ran.
            () = self.process.died() => std::future::pending().await,
            reason = context.stop.reason() => {
                tokio::time::sleep(dice.millis(0, 200)).await;
                Ended::stopped(reason, task)
            }
            () = tokio::time::sleep(takes) => match dice.chance(fails) {
                true => Ended::failed(Some(1), "it was to fail"),
                false => Ended { retry_after: retry_after(script), ..Ended::succeeded(Some(0), outputs(script)) },
            },
        }
    }
}

/// What a script gives: `large` more than a run keeps in its record of a step.
fn outputs(script: &str) -> Map<String, Value> {
    match script {
        "large" => Map::from_iter([("text".to_owned(), Value::String("x".repeat(70_000)))]),
        "thrifty" => Map::from_iter([("cost".to_owned(), 3.into())]),
        _ => Map::new(),
    }
}

/// For how long everybody is to wait, as whatever a script asks says: where that is `busy`.
fn retry_after(script: &str) -> Option<Duration> {
    (script == "busy").then_some(Duration::from_secs(3))
}
