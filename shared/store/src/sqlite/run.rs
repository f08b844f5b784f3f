//! What is stored of runs: deltas in, whole runs out.

use millrace_domain::{PartitionId, RunId, Unit};
use rusqlite::{Connection, OptionalExtension, Result, params};

use super::column::{Millis, RunKey, Text, UnitColumn};
use super::{history, item, task, timer};
use crate::{NewRun, RunDelta, StoredRun, TaskRecord};

/// What became of a change to a run.
pub(super) enum Applied {
    /// It holds.
    Held,
    /// The run exists and was to be created: the change is left out.
    Duplicate,
    /// The run is not stored (any more): the change is left out, since what is forgotten stays so.
    Gone,
}

/// Applies a change to a run.
pub(super) fn apply(connection: &Connection, partition: PartitionId, delta: &RunDelta) -> Result<Applied> {
    let key = match &delta.create {
        Some(new) => match create(connection, partition, delta, new)? {
            Some(key) => key,
            None => return Ok(Applied::Duplicate),
        },
        None => match change(connection, delta)? {
            Some(key) => key,
            None => return Ok(Applied::Gone),
        },
    };
    for (unit, record) in &delta.steps {
        connection
            .prepare_cached("REPLACE INTO steps (run, step, record) VALUES (?1, ?2, ?3)")?
            .execute(params![key, UnitColumn(*unit), record])?;
    }
    item::apply(connection, key, delta)?;
    history::apply(connection, key, delta)?;
    for (unit, attempt) in &delta.retired {
        connection
            .prepare_cached("DELETE FROM tasks WHERE run = ?1 AND step = ?2 AND attempt = ?3")?
            .execute(params![key, UnitColumn(*unit), attempt])?;
    }
    for dispatched in &delta.dispatched {
        task::dispatch(connection, partition, key, dispatched)?;
    }
    timer::change(connection, partition, &delta.timers, &delta.cleared)?;
    Ok(Applied::Held)
}

fn create(
    connection: &Connection,
    partition: PartitionId,
    delta: &RunDelta,
    new: &NewRun,
) -> Result<Option<RunKey>> {
    let created = connection
        .prepare_cached(
            "INSERT INTO runs (run, partition, created_at, workflow, keyed, expires_at, head, definition)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            Text(delta.run),
            partition.0,
            Millis(new.created_at),
            new.workflow.as_str(),
            new.keyed,
            delta.expires_at.map(Millis),
            delta.head.as_deref().unwrap_or_default(),
            new.definition,
        ])?;
    Ok((created == 1).then(|| connection.last_insert_rowid()))
}

fn change(connection: &Connection, delta: &RunDelta) -> Result<Option<RunKey>> {
    if delta.head.is_none() && delta.expires_at.is_none() {
        return key(connection, delta.run);
    }
    connection
        .prepare_cached(
            "UPDATE runs SET head = coalesce(?2, head), expires_at = coalesce(?3, expires_at)
             WHERE run = ?1 RETURNING id",
        )?
        .query_row(params![Text(delta.run), delta.head, delta.expires_at.map(Millis)], |row| row.get(0))
        .optional()
}

/// The key of a run that is stored.
pub(super) fn key(connection: &Connection, run: RunId) -> Result<Option<RunKey>> {
    connection
        .prepare_cached("SELECT id FROM runs WHERE run = ?1")?
        .query_row([Text(run)], |row| row.get(0))
        .optional()
}

/// Reads a run as it is stored.
pub(super) fn load(connection: &Connection, run: RunId) -> Result<Option<StoredRun>> {
    let stored: Option<(RunKey, String, String)> = connection
        .prepare_cached("SELECT id, head, definition FROM runs WHERE run = ?1")?
        .query_row([Text(run)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((key, head, definition)) = stored else { return Ok(None) };
    let steps = connection
        .prepare_cached("SELECT step, record FROM steps WHERE run = ?1 ORDER BY step & 0xffffffff, step")?
        .query_map([key], |row| Ok((row.get::<_, UnitColumn>(0)?.0, row.get(1)?)))?
        .collect::<Result<_>>()?;
    let tasks = task::current(connection, key)?;
    let is_unknown = |(.., record): &&(Unit, u32, TaskRecord)| *record == TaskRecord::Unknown;
    let unknown =
        tasks.iter().filter(is_unknown).map(|(unit, attempt, _)| format!("t{unit}:{attempt}")).collect();
    Ok(Some(StoredRun { head, definition, steps, tasks, unknown }))
}
