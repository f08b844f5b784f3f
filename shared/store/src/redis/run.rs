//! Reading runs, and forgetting those that ended long ago.

use millrace_domain::{PartitionId, RunId, StepIndex, Timestamp};
use redis::{Value, cmd};

use super::connection::Connection;
use super::keys::Keys;
use super::record;
use super::reply::{array, int, parsed, texts};
use super::script::Script;
use crate::{StoreError, StoredRun};

/// So many at most in one round trip.
const BATCH: usize = 256;

/// So many ended runs at most in one script call: it holds up everybody else.
const EXPIRED_AT_ONCE: usize = 200;

/// And no further run once so many fields of runs were seen.
const FIELDS_AT_ONCE: usize = 5_000;

/// A call of `expire` makes so many script calls at most.
const EXPIRE_ROUNDS: usize = 10;

/// A keyed run is the record of deduplication for its key for so long.
const KEYED_STAY_MS: i64 = 24 * 3_600 * 1_000;

pub(super) async fn load_runs(
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
                (Some("s"), Some(step)) => run.steps.push((index(step)?, value)),
                (Some("t"), Some(attempt)) => {
                    let (step, attempt) = attempt.split_once(':').unwrap_or((attempt, ""));
                    let attempt = parsed(attempt, "the number of an attempt")?;
                    run.tasks.push((index(step)?, attempt, record::read(&value)?));
                }
                _ => return Err(StoreError::Corrupt(format!("expected a field of a run, got {field:?}"))),
            },
        }
    }
    run.steps.sort_by_key(|(step, _)| *step);
    run.tasks.sort_by_key(|(step, attempt, _)| (*step, *attempt));
    Ok(found.then_some(run))
}

fn index(text: &str) -> Result<StepIndex, StoreError> {
    parsed(text, "the place of a step").map(StepIndex)
}

pub(super) async fn expire(
    connection: &Connection,
    keys: &Keys,
    partition: PartitionId,
    until: Timestamp,
    keep: usize,
) -> Result<usize, StoreError> {
    let [run, log, by_workflow] = keys.prefixes(partition);
    let (ended, pinned, runs) = (keys.ended(partition), keys.pinned(partition), keys.runs(partition));
    let (timers, watch) = (keys.timers(partition), keys.watch(partition));
    // A round that only sets keyed runs aside forgets none, and there may be more behind them.
    for _ in 0..EXPIRE_ROUNDS {
        let mut call = Script::Expire.on(&[&ended, &pinned, &runs, &timers, &watch]);
        call.arg(until.as_millis()).arg(keep).arg(EXPIRED_AT_ONCE).arg(&run).arg(&log).arg(&by_workflow);
        call.arg(KEYED_STAY_MS).arg(FIELDS_AT_ONCE);
        let counts = array(connection.ask(call).await?)?;
        let count = |place: usize| counts.get(place).map_or(Ok(0), int);
        let (forgotten, looked_at) = (count(0)?, count(1)?);
        if forgotten > 0 || looked_at == 0 {
            return Ok(usize::try_from(forgotten).unwrap_or(0));
        }
    }
    Ok(0)
}
