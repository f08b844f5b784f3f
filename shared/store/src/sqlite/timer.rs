//! Timers of a partition. Those of a run have no column for it: their text names it.

use millrace_domain::{PartitionId, RunId, Timestamp};
use rusqlite::{Connection, Result, params};

use super::column::{Millis, Text, rows};
use crate::Timer;

/// Changes timers. They are cleared first, then set: a timer that is in both is set.
pub(super) fn change(
    connection: &Connection,
    partition: PartitionId,
    set: &[(Timestamp, Timer)],
    cleared: &[Timer],
) -> Result<()> {
    for timer in cleared {
        connection
            .prepare_cached("DELETE FROM timers WHERE partition = ?1 AND timer = ?2")?
            .execute(params![partition.0, Text(timer)])?;
    }
    for (due, timer) in set {
        connection
            .prepare_cached("REPLACE INTO timers (partition, timer, due) VALUES (?1, ?2, ?3)")?
            .execute(params![partition.0, Text(timer), Millis(*due)])?;
    }
    Ok(())
}

/// Clears all timers of a run, whichever it has.
pub(super) fn forget(connection: &Connection, partition: PartitionId, run: RunId) -> Result<()> {
    change(
        connection,
        partition,
        &[],
        &[Timer::Start(run), Timer::RunTimeout(run), Timer::CancelCheck(run)],
    )?;
    // Of retries there is one a step: all that begin with `retry:<run>:`, and `;` comes after `:`.
    connection
        .prepare_cached("DELETE FROM timers WHERE partition = ?1 AND timer > ?2 AND timer < ?3")?
        .execute(params![partition.0, format!("retry:{run}:"), format!("retry:{run};")])?;
    Ok(())
}

/// Lists the timers of a partition in order of (due, text of the timer).
pub(super) fn list(
    connection: &Connection,
    partition: PartitionId,
    after: Option<&(Timestamp, Timer)>,
    limit: usize,
) -> Result<Vec<(Timestamp, Timer)>> {
    let (due, timer) = match after {
        Some((due, timer)) => (due.as_millis(), timer.to_string()),
        None => (i64::MIN, String::new()),
    };
    connection
        .prepare_cached(
            "SELECT due, timer FROM timers WHERE partition = ?1 AND (due, timer) > (?2, ?3)
             ORDER BY due, timer LIMIT ?4",
        )?
        .query_map(params![partition.0, due, timer, rows(limit)], |row| {
            Ok((row.get::<_, Millis>(0)?.0, row.get::<_, Text<_>>(1)?.0))
        })?
        .collect()
}
