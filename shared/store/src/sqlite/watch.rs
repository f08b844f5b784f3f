//! When to look next at each dispatched attempt.

use std::ops::RangeInclusive;

use millrace_domain::{Epoch, PartitionId, TaskId, Timestamp};
use rusqlite::{Connection, Result, params};

use super::column::{Millis, Text, UnitColumn, rows};
use super::partition;

/// Lists dispatched attempts by when to look at them.
pub(super) fn list(
    connection: &Connection,
    partition: PartitionId,
    looks: &RangeInclusive<Timestamp>,
    skip: usize,
    limit: usize,
) -> Result<Vec<(Timestamp, TaskId)>> {
    connection
        .prepare_cached(
            "SELECT tasks.look_at, runs.run, tasks.step, tasks.attempt
             FROM tasks JOIN runs ON runs.id = tasks.run
             WHERE tasks.partition = ?1 AND tasks.look_at BETWEEN ?2 AND ?3
             ORDER BY tasks.look_at, tasks.run, tasks.step LIMIT ?4 OFFSET ?5",
        )?
        .query_map(
            params![partition.0, Millis(*looks.start()), Millis(*looks.end()), rows(limit), rows(skip)],
            |row| {
                let run = row.get::<_, Text<_>>(1)?.0;
                Ok((
                    row.get::<_, Millis>(0)?.0,
                    TaskId { run, unit: row.get::<_, UnitColumn>(2)?.0, attempt: row.get(3)? },
                ))
            },
        )?
        .collect()
}

/// Sets when attempts are looked at next, unless the epoch is stale.
pub(super) fn set_looks(
    connection: &Connection,
    partition: PartitionId,
    epoch: Epoch,
    due: Timestamp,
    looks: &[(Timestamp, TaskId)],
) -> Result<()> {
    if !partition::holds(connection, partition, epoch)? {
        return Ok(());
    }
    let mut later = connection.prepare_cached(
        "UPDATE tasks SET look_at = ?4
         WHERE run = (SELECT id FROM runs WHERE run = ?1) AND step = ?2 AND attempt = ?3 AND partition = ?5
           AND (look_at <= ?6 OR look_at > ?4)",
    )?;
    for (at, task) in looks {
        later.execute(params![
            Text(task.run),
            UnitColumn(task.unit),
            task.attempt,
            Millis(*at),
            partition.0,
            Millis(due)
        ])?;
    }
    Ok(())
}
