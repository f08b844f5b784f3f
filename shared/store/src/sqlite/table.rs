//! Tables of a partition: rows that only its owner writes.

use millrace_domain::PartitionId;
use rusqlite::{Connection, OptionalExtension, Result, params};

use crate::{RowDelta, Table};

/// Changes rows, in order: the last change to a row holds.
pub(super) fn change(connection: &Connection, partition: PartitionId, changes: &[RowDelta]) -> Result<()> {
    for RowDelta { table, key, value } in changes {
        match value {
            Some(value) => connection
                .prepare_cached(
                    "REPLACE INTO table_rows (partition, name, key, value) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![partition.0, table.0, key, value])?,
            None => connection
                .prepare_cached("DELETE FROM table_rows WHERE partition = ?1 AND name = ?2 AND key = ?3")?
                .execute(params![partition.0, table.0, key])?,
        };
    }
    Ok(())
}

/// Lists the keys of the rows of a table, in order.
pub(super) fn keys(connection: &Connection, partition: PartitionId, table: Table) -> Result<Vec<String>> {
    connection
        .prepare_cached("SELECT key FROM table_rows WHERE partition = ?1 AND name = ?2 ORDER BY key")?
        .query_map(params![partition.0, table.0], |row| row.get(0))?
        .collect()
}

/// Reads rows by their keys.
pub(super) fn read(
    connection: &Connection,
    partition: PartitionId,
    table: Table,
    keys: &[String],
) -> Result<Vec<Option<String>>> {
    let mut read = connection
        .prepare_cached("SELECT value FROM table_rows WHERE partition = ?1 AND name = ?2 AND key = ?3")?;
    let value =
        |key: &String| read.query_row(params![partition.0, table.0, key], |row| row.get(0)).optional();
    keys.iter().map(value).collect()
}
