//! Forgetting runs that ended long ago, with all that belongs to them.

use millrace_domain::{PartitionId, Timestamp};

use super::connection::Connection;
use super::keys::Keys;
use super::reply::{array, int};
use super::script::Script;
use crate::StoreError;

/// So many ended runs at most in one script call: it holds up everybody else.
const EXPIRED_AT_ONCE: usize = 200;

/// And no further run once so many fields of runs were seen.
const FIELDS_AT_ONCE: usize = 5_000;

/// A call of `expire` makes so many script calls at most.
const EXPIRE_ROUNDS: usize = 10;

/// A keyed run is the record of deduplication for its key for so long.
const KEYED_STAY_MS: i64 = 24 * 3_600 * 1_000;

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
