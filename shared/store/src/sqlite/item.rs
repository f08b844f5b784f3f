//! What is kept apart from a run: the ends of the items of its steps, lists, large outputs.

use std::ops::Range;

use millrace_domain::{RunId, StepIndex, Unit};
use rusqlite::{Connection, OptionalExtension, Result, params};

use super::column::{RunKey, Text, UnitColumn};
use crate::RunDelta;

/// Writes down the items that have ended, and what else steps keep apart.
pub(super) fn apply(connection: &Connection, key: RunKey, delta: &RunDelta) -> Result<()> {
    for (unit, end) in &delta.ended_items {
        connection
            .prepare_cached("DELETE FROM steps WHERE run = ?1 AND step = ?2")?
            .execute(params![key, UnitColumn(*unit)])?;
        connection
            .prepare_cached("REPLACE INTO items (run, step, record) VALUES (?1, ?2, ?3)")?
            .execute(params![key, UnitColumn(*unit), end])?;
    }
    for (step, value) in &delta.apart {
        connection
            .prepare_cached("REPLACE INTO lists (run, step, list) VALUES (?1, ?2, ?3)")?
            .execute(params![key, step.0, value])?;
    }
    Ok(())
}

/// Reads the ends of items; `None` for those that have not ended.
pub(super) fn ends(
    connection: &Connection,
    run: RunId,
    step: StepIndex,
    items: Range<u32>,
) -> Result<Vec<Option<String>>> {
    let mut read = connection.prepare_cached(
        "SELECT record FROM items JOIN runs ON items.run = runs.id WHERE runs.run = ?1 AND items.step = ?2",
    )?;
    let end = |item| {
        let unit = UnitColumn(Unit { step, item: Some(item) });
        read.query_row(params![Text(run), unit], |row| row.get(0)).optional()
    };
    items.map(end).collect()
}

/// Reads what a step keeps apart from its run.
pub(super) fn apart(connection: &Connection, run: RunId, step: StepIndex) -> Result<Option<String>> {
    connection
        .prepare_cached(
            "SELECT list FROM lists JOIN runs ON lists.run = runs.id WHERE runs.run = ?1 AND lists.step = ?2",
        )?
        .query_row(params![Text(run), step.0], |row| row.get(0))
        .optional()
}
