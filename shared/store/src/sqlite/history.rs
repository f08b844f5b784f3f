//! The histories of runs, as far as entries tell them.

use millrace_domain::RunId;
use rusqlite::{Connection, Result, params};

use super::column::{RunKey, Text, rows};
use crate::RunDelta;

/// Writes down the entries of a change to a run.
pub(super) fn apply(connection: &Connection, key: RunKey, delta: &RunDelta) -> Result<()> {
    for (n, entry) in &delta.history {
        connection
            .prepare_cached("REPLACE INTO history (run, n, entry) VALUES (?1, ?2, ?3)")?
            .execute(params![key, n, entry])?;
    }
    Ok(())
}

/// Reads entries of a run's history, in order.
pub(super) fn read(
    connection: &Connection,
    run: RunId,
    after: u64,
    limit: usize,
) -> Result<Vec<(u64, String)>> {
    connection
        .prepare_cached(
            "SELECT n, entry FROM history JOIN runs ON history.run = runs.id
             WHERE runs.run = ?1 AND history.n > ?2 ORDER BY history.n LIMIT ?3",
        )?
        .query_map(params![Text(run), after, rows(limit)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}
