//! What is fixed for the cluster, and which producers there are.

use millrace_domain::{Epoch, ProducerId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Result, params};

use super::column::{Millis, Text};
use crate::{Cluster, FORMAT_MINOR};

/// Founds the cluster: writes what is not there, and answers what holds.
pub(super) fn found(connection: &Connection, wanted: &Cluster, now: Timestamp) -> Result<Cluster> {
    let since = u64::try_from(now.as_millis()).unwrap_or(0).saturating_mul(1_000);
    connection
        .prepare_cached(
            "INSERT INTO cluster (only, id, partitions, queues, format, since) VALUES (1, ?1, ?2, nullif(?3, ''), ?4, ?5)
             ON CONFLICT DO UPDATE SET id = coalesce(id, excluded.id), queues = coalesce(queues, excluded.queues)",
        )?
        .execute(params![Text(wanted.id), wanted.partitions, wanted.queues, wanted.format, since])?;
    stored(connection)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

/// Reads what is fixed for the cluster. A file of an older program has no id until it is founded again.
pub(super) fn stored(connection: &Connection) -> Result<Option<Cluster>> {
    connection
        .prepare_cached(
            "SELECT id, partitions, coalesce(queues, ''), format, since FROM cluster WHERE id IS NOT NULL",
        )?
        .query_row([], |row| {
            Ok(Cluster {
                id: row.get::<_, Text<_>>(0)?.0,
                partitions: row.get(1)?,
                queues: row.get(2)?,
                format: row.get(3)?,
                minor: FORMAT_MINOR,
                since: Epoch(row.get(4)?),
            })
        })
        .optional()
}

/// Announces a producer until an instant, and answers all that are here.
pub(super) fn meet(
    connection: &Connection,
    producer: ProducerId,
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<ProducerId>> {
    connection.prepare_cached("DELETE FROM producers WHERE until <= ?1")?.execute([Millis(now)])?;
    connection
        .prepare_cached("REPLACE INTO producers (producer, until) VALUES (?1, ?2)")?
        .execute(params![Text(producer), Millis(until)])?;
    // Who seems to be here for longer was here when the clock was ahead, and has to say so again.
    connection
        .prepare_cached("UPDATE producers SET until = ?1 WHERE until > ?1")?
        .execute([Millis(until)])?;
    connection
        .prepare_cached("SELECT producer FROM producers ORDER BY producer")?
        .query_map([], |row| Ok(row.get::<_, Text<_>>(0)?.0))?
        .collect()
}

/// Removes a producer.
pub(super) fn leave(connection: &Connection, producer: ProducerId) -> Result<()> {
    connection.prepare_cached("DELETE FROM producers WHERE producer = ?1")?.execute([Text(producer)])?;
    Ok(())
}
