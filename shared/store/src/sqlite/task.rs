//! Dispatched attempts. An attempt is one row from its dispatch until its owner retires it.

use millrace_domain::{ClaimToken, Lane, PartitionId, Priority, TaskId, Unit};
use rusqlite::types::{FromSql, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::column::{Millis, RunKey, Text, UnitColumn};
use crate::{Dispatched, TaskRecord};

/// The state of an attempt, as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Queued,
    Claimed,
    Finished,
    Revoked,
    /// One that only a newer version knows.
    Unknown,
}

impl FromSql for State {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(match value.as_i64()? {
            0 => Self::Queued,
            1 => Self::Claimed,
            2 => Self::Finished,
            3 => Self::Revoked,
            _ => Self::Unknown,
        })
    }
}

/// An attempt to those who ask for it: its record, and the token of its claim.
pub(super) struct Attempt {
    pub(super) record: TaskRecord,
    pub(super) token: Option<ClaimToken>,
}

/// Stores an attempt that is dispatched.
pub(super) fn dispatch(
    connection: &Connection,
    partition: PartitionId,
    run: RunKey,
    dispatched: &Dispatched,
) -> Result<()> {
    connection
        .prepare_cached(
            "REPLACE INTO tasks (run, step, attempt, partition, state, dispatched_at, look_at, pool, level)
             VALUES (?1, ?2, ?3, ?4, 0, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            run,
            UnitColumn(dispatched.unit),
            dispatched.attempt,
            partition.0,
            Millis(dispatched.at),
            Millis(dispatched.look_at),
            dispatched.lane.queue.as_str(),
            dispatched.lane.priority.level(),
        ])?;
    Ok(())
}

/// Finds an attempt; `None` for one that is not the current attempt of its step.
pub(super) fn find(connection: &Connection, task: TaskId) -> Result<Option<Attempt>> {
    connection
        .prepare_cached(
            "SELECT state, dispatched_at, session, claimed_at, result, pool, level, token FROM tasks
             WHERE run = (SELECT id FROM runs WHERE run = ?1) AND step = ?2 AND attempt = ?3",
        )?
        .query_row(params![Text(task.run), UnitColumn(task.unit), task.attempt], |row| {
            let token = row.get::<_, Option<Text<_>>>(7)?.map(|token| token.0);
            Ok(Attempt { record: record(row)?, token })
        })
        .optional()
}

/// Lists the current attempts of a run, in order of their units.
pub(super) fn current(connection: &Connection, run: RunKey) -> Result<Vec<(Unit, u32, TaskRecord)>> {
    connection
        .prepare_cached(
            "SELECT state, dispatched_at, session, claimed_at, result, pool, level, step, attempt FROM tasks
             WHERE run = ?1 ORDER BY step & 0xffffffff, step",
        )?
        .query_map([run], |row| Ok((row.get::<_, UnitColumn>(7)?.0, row.get(8)?, record(row)?)))?
        .collect()
}

/// Reads the record from a row that begins with state, dispatched_at, session, claimed_at, result, pool, level.
fn record(row: &Row<'_>) -> Result<TaskRecord> {
    let dispatched_at = row.get::<_, Millis>(1)?.0;
    Ok(match row.get(0)? {
        State::Queued => {
            let (queue, level): (String, i64) = (row.get(5)?, row.get(6)?);
            let priority = Priority::ALL.into_iter().find(|priority| i64::from(priority.level()) == level);
            match (queue.parse(), priority) {
                (Ok(queue), Some(priority)) => {
                    TaskRecord::Queued { dispatched_at, lane: Lane { queue, priority } }
                }
                _ => TaskRecord::Unknown,
            }
        }
        State::Claimed => TaskRecord::Claimed {
            session: row.get::<_, Text<_>>(2)?.0,
            claimed_at: row.get::<_, Millis>(3)?.0,
            dispatched_at,
        },
        State::Finished => TaskRecord::Finished { result: row.get(4)?, dispatched_at: Some(dispatched_at) },
        // That of a claim is left in it.
        State::Revoked => TaskRecord::Revoked {
            dispatched_at: Some(dispatched_at),
            unclaimed: row.get::<_, Option<String>>(2)?.is_none(),
        },
        State::Unknown => TaskRecord::Unknown,
    })
}
