//! Reading runs; they are written by commits.

use millrace_domain::{RunId, Unit};
use redis::{Value, cmd};

use super::connection::Connection;
use super::keys::Keys;
use super::reply::{parsed, texts};
use super::task;
use crate::{StoreError, StoredRun};

/// The greatest number of runs that are read in one round trip.
const BATCH: usize = 256;

/// Reads runs as they are stored.
pub(super) async fn load(
    connection: &Connection,
    keys: &Keys,
    runs: &[RunId],
) -> Result<Vec<Option<StoredRun>>, StoreError> {
    let read = |run: &RunId| {
        let mut command = cmd("HGETALL");
        command.arg(keys.run(*run));
        command
    };
    let mut loaded = Vec::with_capacity(runs.len());
    for runs in runs.chunks(BATCH) {
        for answer in connection.ask_all(runs.iter().map(read).collect()).await? {
            loaded.push(stored(answer)?);
        }
    }
    Ok(loaded)
}

fn stored(answer: Value) -> Result<Option<StoredRun>, StoreError> {
    let mut run =
        StoredRun { head: String::new(), definition: String::new(), steps: Vec::new(), tasks: Vec::new() };
    let mut fields = texts(answer)?.into_iter();
    let mut found = false;
    while let (Some(field), Some(value)) = (fields.next(), fields.next()) {
        found = true;
        match field.as_str() {
            "head" => run.head = value,
            "def" => run.definition = value,
            "w" | "k" => {}
            _ => match (field.get(..1), field.get(1..)) {
                (Some("s"), Some(of)) => run.steps.push((unit(of)?, value)),
                (Some("t"), Some(attempt)) => {
                    let (of, attempt) = attempt.split_once(':').unwrap_or((attempt, ""));
                    let attempt = parsed(attempt, "the number of an attempt")?;
                    run.tasks.push((unit(of)?, attempt, task::read(&value)?));
                }
                _ => return Err(StoreError::Corrupt(format!("expected a field of a run, got {field:?}"))),
            },
        }
    }
    run.steps.sort_by_key(|(unit, _)| *unit);
    run.tasks.sort_by_key(|(unit, attempt, _)| (*unit, *attempt));
    Ok(found.then_some(run))
}

fn unit(text: &str) -> Result<Unit, StoreError> {
    parsed(text, "a step, or an item of one")
}
