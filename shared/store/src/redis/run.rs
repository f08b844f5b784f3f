//! Reading runs; they are written by commits.

use millrace_domain::{RunId, Unit};
use redis::{Value, cmd};

use super::connection::Connection;
use super::keys::Keys;
use super::reply::texts;
use super::task;
use crate::{StoreError, StoredRun, TaskRecord};

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
    let mut run = StoredRun {
        head: String::new(),
        definition: String::new(),
        steps: Vec::new(),
        tasks: Vec::new(),
        unknown: Vec::new(),
    };
    let mut fields = texts(answer)?.into_iter();
    let mut found = false;
    while let (Some(field), Some(value)) = (fields.next(), fields.next()) {
        found = true;
        match field.as_str() {
            "head" => run.head = value,
            "def" => run.definition = value,
            "w" | "k" => {}
            _ => match Part::of(&field) {
                Some(Part::Step(unit)) => run.steps.push((unit, value)),
                Some(Part::Attempt(unit, attempt)) => {
                    let record = task::read(&value);
                    if record == TaskRecord::Unknown {
                        run.unknown.push(field);
                    }
                    run.tasks.push((unit, attempt, record));
                }
                None => run.unknown.push(field),
            },
        }
    }
    run.unknown.sort_unstable();
    run.steps.sort_by_key(|(unit, _)| *unit);
    run.tasks.sort_by_key(|(unit, attempt, _)| (*unit, *attempt));
    Ok(found.then_some(run))
}

/// A part of a run that has a field of its own.
enum Part {
    /// The record of a unit.
    Step(Unit),
    /// The record of an attempt of a unit.
    Attempt(Unit, u32),
}

impl Part {
    /// Reads the name of a field; `None` for one that only a newer version knows.
    fn of(field: &str) -> Option<Self> {
        if let Some(unit) = field.strip_prefix('s') {
            return Some(Self::Step(unit.parse().ok()?));
        }
        let (unit, attempt) = field.strip_prefix('t')?.split_once(':')?;
        Some(Self::Attempt(unit.parse().ok()?, attempt.parse().ok()?))
    }
}
