//! Forgetting runs that ended long ago, with all that belongs to them.

use millrace_domain::{PartitionId, Timestamp};

use super::connection::Connection;
use super::keys::Keys;
use super::reply::{array, int};
use super::script::Script;
use crate::StoreError;

/// The greatest number of ended runs in one script call: it holds up everybody else.
const EXPIRED_AT_ONCE: usize = 200;

/// The number of fields of runs after which a script call looks at no further run.
const FIELDS_AT_ONCE: usize = 5_000;

/// The greatest number of script calls of one `expire`.
const EXPIRE_ROUNDS: usize = 10;

/// The time for which a keyed run is the record of deduplication for its key.
const KEYED_STAY_MS: i64 = 24 * 3_600 * 1_000;

/// Forgets runs that expire by `until` or are too many, and answers how many it forgot.
pub(super) async fn expire(
    connection: &Connection,
    keys: &Keys,
    partition: PartitionId,
    until: Timestamp,
    keep: usize,
) -> Result<usize, StoreError> {
    let (of_runs, lists) = (keys.of_runs(partition), keys.lists(partition));
    let (ended, pinned, runs) = (keys.ended(partition), keys.pinned(partition), keys.runs(partition));
    let (timers, watch) = (keys.timers(partition), keys.watch(partition));
    // A round that only sets keyed runs aside forgets none, and there may be more behind them.
    for _ in 0..EXPIRE_ROUNDS {
        let mut call = Script::Expire.on(&[&ended, &pinned, &runs, &timers, &watch]);
        call.arg(until.as_millis()).arg(keep).arg(EXPIRED_AT_ONCE).arg(&lists).arg(KEYED_STAY_MS);
        call.arg(FIELDS_AT_ONCE).arg(&of_runs);
        let counts = array(connection.ask(call).await?)?;
        let count = |place: usize| counts.get(place).map_or(Ok(0), int);
        let (forgotten, looked_at) = (count(0)?, count(1)?);
        if forgotten > 0 || looked_at == 0 {
            return Ok(usize::try_from(forgotten).unwrap_or(0));
        }
    }
    Ok(0)
}
