//! Opening the database: its settings, its schema, and what is refused.
//!
//! The lock is exclusive for as long as the file is open: two processes on one file would each believe to be
//! the whole cluster, and it spares the shared-memory file of the write-ahead log. How far a write is safe when
//! it is answered is `writer`'s business: here, it is written to the log, which no crash of this process undoes.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::error;
use crate::StoreError;

/// The scripts that lead from each version of the schema to the next; `PRAGMA user_version` counts them.
const SCHEMA: [&str; 7] = [
    include_str!("schema.sql"),
    include_str!("lanes.sql"),
    include_str!("identity.sql"),
    include_str!("letters.sql"),
    include_str!("items.sql"),
    include_str!("history.sql"),
    include_str!("pools.sql"),
];

/// The mark of a file that is ours (`PRAGMA application_id`): "MLRC".
const APPLICATION: i32 = 0x4d4c_5243;

/// The size of the cache of statements: more than there are in this store, so that each is prepared once.
const STATEMENTS: usize = 128;

/// Opens the database file at `path`, which is created when it is not there.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let place = path.display().to_string();
    Connection::open_with_flags(path, OpenFlags::default())
        .map_err(|error| error::of_opening(&place, &error))
        .and_then(|connection| prepare(connection, &place))
}

/// Opens a database that lives as long as its connection.
pub(super) fn memory() -> Result<Connection, StoreError> {
    let place = "memory";
    Connection::open_in_memory()
        .map_err(|error| error::of_opening(place, &error))
        .and_then(|connection| prepare(connection, place))
}

fn prepare(mut connection: Connection, place: &str) -> Result<Connection, StoreError> {
    configure(&connection).map_err(|error| error::of_opening(place, &error))?;
    let failed = |error: rusqlite::Error| error::of_opening(place, &error);
    let transaction = connection.transaction().map_err(failed)?;
    let version: usize =
        transaction.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(failed)?;
    let application: i32 =
        transaction.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(failed)?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    if application != APPLICATION && (application != 0 || version != 0 || tables != 0) {
        return Err(StoreError::Configuration(format!(
            "{place} is a database of another program; use another directory with --data DIR"
        )));
    }
    let Some(missing) = SCHEMA.get(version..) else {
        return Err(StoreError::Configuration(format!(
            "{place} has version {version} of the schema and this program knows up to {}; use the newer millrace \
             that wrote it, or another directory with --data DIR",
            SCHEMA.len()
        )));
    };
    for script in missing {
        transaction.execute_batch(script).map_err(failed)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION).map_err(failed)?;
    transaction.pragma_update(None, "user_version", SCHEMA.len()).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // The order matters: with an exclusive lock, the write-ahead log needs no shared memory.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // Kibibytes, when negative.
    connection.pragma_update(None, "cache_size", -64 * 1024)?;
    // Pages: the log is carried over to the database every 16 MiB, and shrinks back to that afterwards.
    connection.pragma_update(None, "wal_autocheckpoint", 4 * 1024)?;
    connection.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
    connection.pragma_update(None, "temp_store", "MEMORY")
}
