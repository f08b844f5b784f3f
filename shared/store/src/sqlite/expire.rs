//! Forgetting runs that ended long ago, with all that belongs to them.

use millrace_domain::{PartitionId, RunId, Timestamp};
use rusqlite::{Connection, Result, params};

use super::column::{Millis, Text, rows};
use super::run::RunKey;
use super::timer;

/// Runs that one call forgets at most: it shares the thread with everybody.
const BATCH: usize = 256;

/// A keyed run is the record of deduplication for its key for so long after its creation.
const KEYED_MS: u64 = 24 * 3_600_000;

pub(super) fn expire(
    connection: &Connection,
    partition: PartitionId,
    until: Timestamp,
    keep: usize,
    now: Timestamp,
) -> Result<usize> {
    let ended: i64 = connection
        .prepare_cached("SELECT count(*) FROM runs WHERE partition = ?1 AND expires_at IS NOT NULL")?
        .query_row([partition.0], |row| row.get(0))?;
    // What is beyond `keep` are the first so many in order of their end; what is too old comes first as well.
    let surplus = ended.saturating_sub(rows(keep)).max(0);
    let over: Vec<(RunKey, RunId)> = connection
        .prepare_cached(
            "SELECT id, run FROM (
                 SELECT id, run, keyed, created_at, expires_at,
                        row_number() OVER (ORDER BY expires_at, id) AS place
                 FROM runs WHERE partition = ?1 AND expires_at IS NOT NULL)
             WHERE (expires_at <= ?2 OR place <= ?3) AND (NOT keyed OR created_at <= ?4)
             ORDER BY place LIMIT ?5",
        )?
        .query_map(
            params![
                partition.0,
                Millis(until),
                surplus,
                now.as_millis().saturating_sub_unsigned(KEYED_MS),
                rows(BATCH)
            ],
            |row| Ok((row.get(0)?, row.get::<_, Text<_>>(1)?.0)),
        )?
        .collect::<Result<_>>()?;
    for (key, run) in &over {
        forget(connection, partition, *key, *run)?;
    }
    Ok(over.len())
}

fn forget(connection: &Connection, partition: PartitionId, key: RunKey, run: RunId) -> Result<()> {
    timer::forget(connection, partition, run)?;
    for sql in [
        "DELETE FROM log_chunks WHERE run = ?1",
        "DELETE FROM logs WHERE run = ?1",
        "DELETE FROM steps WHERE run = ?1",
        "DELETE FROM tasks WHERE run = ?1",
        "DELETE FROM runs WHERE id = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([key])?;
    }
    Ok(())
}
