//! How many partitions there are, and which producers.

use millrace_domain::{ProducerId, Timestamp};
use rusqlite::{Connection, Result, params};

use super::column::{Millis, Text};

pub(super) fn found(connection: &Connection, partitions: u16) -> Result<u16> {
    connection
        .prepare_cached("INSERT INTO cluster (only, partitions) VALUES (1, ?1) ON CONFLICT DO NOTHING")?
        .execute([partitions])?;
    connection.prepare_cached("SELECT partitions FROM cluster")?.query_row([], |row| row.get(0))
}

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

pub(super) fn leave(connection: &Connection, producer: ProducerId) -> Result<()> {
    connection.prepare_cached("DELETE FROM producers WHERE producer = ?1")?.execute([Text(producer)])?;
    Ok(())
}
