//! Tables of a partition: a hash for each, written by commits.

use millrace_domain::PartitionId;
use redis::cmd;

use super::connection::Connection;
use super::keys::Keys;
use super::reply::{array, maybe_text, texts};
use crate::{ROWS_AT_ONCE, StoreError, Table};

/// Lists the keys of the rows of a table, in order. One command: they are short, and HSCAN would name some of them twice.
pub(super) async fn row_keys(
    connection: &Connection,
    keys: &Keys,
    partition: PartitionId,
    table: Table,
) -> Result<Vec<String>, StoreError> {
    let mut command = cmd("HKEYS");
    command.arg(keys.table(partition, table));
    let mut rows = texts(connection.ask(command).await?)?;
    rows.sort_unstable();
    Ok(rows)
}

/// Reads rows by their keys, in commands of a bounded size.
pub(super) async fn rows(
    connection: &Connection,
    keys: &Keys,
    partition: PartitionId,
    table: Table,
    rows: &[String],
) -> Result<Vec<Option<String>>, StoreError> {
    let key = keys.table(partition, table);
    let mut values = Vec::with_capacity(rows.len());
    for rows in rows.chunks(ROWS_AT_ONCE) {
        let mut command = cmd("HMGET");
        command.arg(&key).arg(rows);
        for value in array(connection.ask(command).await?)? {
            values.push(maybe_text(value)?);
        }
    }
    Ok(values)
}
