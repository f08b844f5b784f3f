//! Forgetting runs that ended long ago, with all that belongs to them.

use millrace_domain::{PartitionId, RunId, Timestamp};
use rusqlite::{Connection, Result, params};

use super::column::{Millis, RunKey, Text, rows};
use super::timer;

/// The greatest number of runs that one call forgets: it shares the thread with everybody.
const BATCH: usize = 256;

/// The time for which a keyed run is the record of deduplication for its key, from its creation on.
const KEYED_MS: u64 = 24 * 3_600_000;

/// Forgets the runs that expire by `until` or are too many, and answers how many it forgot.
pub(super) fn expire(
    connection: &Connection,
    partition: PartitionId,
    until: Timestamp,
    keep: usize,
    now: Timestamp,
) -> Result<usize> {
    let (ended, old): (i64, i64) = connection
        .prepare_cached(
            "SELECT count(*), count(*) FILTER (WHERE expires_at <= ?2) FROM runs
             WHERE partition = ?1 AND expires_at IS NOT NULL",
        )?
        .query_row(params![partition.0, Millis(until)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    // What is too old and what is too much are both the first so many, in order of when they expire.
    let over = old.max(ended.saturating_sub(rows(keep)));
    if over <= 0 {
        return Ok(0);
    }
    let keys: Vec<RunKey> = connection
        .prepare_cached(
            "SELECT id FROM (
                 SELECT id, keyed, created_at FROM runs
                 WHERE partition = ?1 AND expires_at IS NOT NULL ORDER BY expires_at LIMIT ?2)
             WHERE NOT keyed OR created_at <= ?3 LIMIT ?4",
        )?
        .query_map(
            params![partition.0, over, now.as_millis().saturating_sub_unsigned(KEYED_MS), rows(BATCH)],
            |row| row.get(0),
        )?
        .collect::<Result<_>>()?;
    for key in &keys {
        forget(connection, partition, *key)?;
    }
    Ok(keys.len())
}

fn forget(connection: &Connection, partition: PartitionId, key: RunKey) -> Result<()> {
    for sql in [
        "DELETE FROM log_chunks WHERE run = ?1",
        "DELETE FROM logs WHERE run = ?1",
        "DELETE FROM steps WHERE run = ?1",
        "DELETE FROM items WHERE run = ?1",
        "DELETE FROM lists WHERE run = ?1",
        "DELETE FROM history WHERE run = ?1",
        "DELETE FROM tasks WHERE run = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([key])?;
    }
    let run = connection
        .prepare_cached("DELETE FROM runs WHERE id = ?1 RETURNING run")?
        .query_row([key], |row| Ok(row.get::<_, Text<RunId>>(0)?.0))?;
    timer::forget(connection, partition, run)
}
