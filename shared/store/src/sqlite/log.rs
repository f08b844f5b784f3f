//! What tasks write. It belongs to the run and goes with it.

use millrace_domain::TaskId;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Result, ToSql, params};

use super::column::{Millis, Text, UnitColumn, rows};
use super::run;
use crate::{LogChunk, LogStream};

/// Adds chunks to the log of an attempt, as far as its budget allows.
pub(super) fn append(
    connection: &Connection,
    task: TaskId,
    lines: &[LogChunk],
    budget_bytes: u64,
) -> Result<()> {
    let Some(run) = run::key(connection, task.run)? else { return Ok(()) };
    let (unit, attempt) = (UnitColumn(task.unit), task.attempt);
    let (mut chunks, mut bytes): (u64, u64) = connection
        .prepare_cached("SELECT chunks, bytes FROM logs WHERE run = ?1 AND step = ?2 AND attempt = ?3")?
        .query_row(params![run, unit, attempt], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .unwrap_or_default();
    for chunk in lines {
        bytes = bytes.saturating_add(chunk.text.len() as u64);
        if bytes > budget_bytes {
            continue;
        }
        connection
            .prepare_cached(
                "INSERT INTO log_chunks (run, step, attempt, number, at, stream, text)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![run, unit, attempt, chunks, Millis(chunk.at), chunk.stream, chunk.text])?;
        chunks += 1;
    }
    connection
        .prepare_cached("REPLACE INTO logs (run, step, attempt, chunks, bytes) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![run, unit, attempt, chunks, bytes])?;
    Ok(())
}

/// Reads chunks of the log of an attempt.
pub(super) fn read(connection: &Connection, task: TaskId, from: u64, limit: usize) -> Result<Vec<LogChunk>> {
    connection
        .prepare_cached(
            "SELECT at, stream, text FROM log_chunks
             WHERE run = (SELECT id FROM runs WHERE run = ?1) AND step = ?2 AND attempt = ?3 AND number >= ?4
             ORDER BY number LIMIT ?5",
        )?
        .query_map(
            params![
                Text(task.run),
                UnitColumn(task.unit),
                task.attempt,
                i64::try_from(from).unwrap_or(i64::MAX),
                rows(limit)
            ],
            |row| Ok(LogChunk { at: row.get::<_, Millis>(0)?.0, stream: row.get(1)?, text: row.get(2)? }),
        )?
        .collect()
}

impl ToSql for LogStream {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(match self {
            Self::Stdout => 0,
            Self::Stderr => 1,
            Self::Worker => 2,
        }))
    }
}

impl FromSql for LogStream {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_i64()? {
            0 => Ok(Self::Stdout),
            1 => Ok(Self::Stderr),
            2 => Ok(Self::Worker),
            other => Err(FromSqlError::OutOfRange(other)),
        }
    }
}
