//! Claims: which worker holds which attempt.

use millrace_domain::{ClaimToken, RunId, TaskId, Timestamp};
use rusqlite::{Connection, Result, params};

use super::column::{Millis, Text, UnitColumn};
use super::task::{Attempt, find};
use crate::{
    Claim, ClaimVerdict, Finish, FinishVerdict, LOOK_AFTER_CLAIM_MS, LOOK_AFTER_HAND_BACK_MS, TaskRecord,
};

/// Claims an attempt.
pub(super) fn claim(connection: &Connection, claim: &Claim, now: Timestamp) -> Result<ClaimVerdict> {
    let task = claim.task;
    let granted = connection
        .prepare_cached(
            "UPDATE tasks SET state = 1, token = ?4, session = ?5, claimed_at = ?6, look_at = ?6 + ?7
             WHERE run = (SELECT id FROM runs WHERE run = ?1) AND step = ?2 AND attempt = ?3 AND state = 0",
        )?
        .execute(params![
            Text(task.run),
            UnitColumn(task.unit),
            task.attempt,
            Text(claim.token),
            Text(claim.session),
            Millis(now),
            LOOK_AFTER_CLAIM_MS,
        ])?;
    if granted == 1 {
        return Ok(ClaimVerdict::Granted);
    }
    Ok(match find(connection, task)? {
        Some(Attempt { record: TaskRecord::Claimed { .. }, token }) if token == Some(claim.token) => {
            ClaimVerdict::Granted
        }
        Some(Attempt { record: TaskRecord::Claimed { session, .. }, .. }) => ClaimVerdict::Held { session },
        Some(Attempt { record: TaskRecord::Finished { result, .. }, .. }) => {
            ClaimVerdict::Finished { result }
        }
        None if !is_stored(connection, task.run)? => ClaimVerdict::Unknown,
        Some(_) | None => ClaimVerdict::Stale,
    })
}

fn is_stored(connection: &Connection, run: RunId) -> Result<bool> {
    connection.prepare_cached("SELECT 1 FROM runs WHERE run = ?1")?.exists([Text(run)])
}

/// Stores the result of an attempt.
pub(super) fn finish(connection: &Connection, finish: &Finish) -> Result<FinishVerdict> {
    let task = finish.task;
    let stored = connection
        .prepare_cached(
            "UPDATE tasks SET state = 2, result = ?5
             WHERE run = (SELECT id FROM runs WHERE run = ?1) AND step = ?2 AND attempt = ?3
               AND state = 1 AND token = ?4",
        )?
        .execute(params![
            Text(task.run),
            UnitColumn(task.unit),
            task.attempt,
            Text(finish.token),
            finish.result,
        ])?;
    if stored == 1 {
        return Ok(FinishVerdict::Stored);
    }
    Ok(match find(connection, task)? {
        Some(Attempt { record: TaskRecord::Finished { .. }, token }) if token == Some(finish.token) => {
            FinishVerdict::Stored
        }
        None if !is_stored(connection, task.run)? => FinishVerdict::Unknown,
        Some(_) | None => FinishVerdict::Stale,
    })
}

/// Hands an attempt back unfinished.
pub(super) fn hand_back(
    connection: &Connection,
    task: TaskId,
    token: ClaimToken,
    now: Timestamp,
) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE tasks SET state = 0, token = NULL, session = NULL, claimed_at = NULL, look_at = ?5
             WHERE run = (SELECT id FROM runs WHERE run = ?1) AND step = ?2 AND attempt = ?3
               AND state = 1 AND token = ?4",
        )?
        .execute(params![
            Text(task.run),
            UnitColumn(task.unit),
            task.attempt,
            Text(token),
            now.as_millis().saturating_add_unsigned(LOOK_AFTER_HAND_BACK_MS),
        ])?;
    Ok(())
}
