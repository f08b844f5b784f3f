//! Presence of workers.

use millrace_domain::{SessionId, Timestamp};
use rusqlite::{Connection, Result, params};

use super::column::{Millis, Text, json};
use super::pool;
use crate::Session;

/// The time after which a session that was not renewed is forgotten.
const FORGET_AFTER_MS: u64 = 3_600_000;

/// Renews a session, and forgets those that are over for long; answers the names of the pools that are paused.
pub(super) fn renew(connection: &Connection, session: &Session, now: Timestamp) -> Result<Vec<String>> {
    connection.prepare_cached("DELETE FROM sessions WHERE renewed_at < ?1")?.execute([oldest(now)])?;
    connection
        .prepare_cached("REPLACE INTO sessions (session, renewed_at, body) VALUES (?1, ?2, ?3)")?
        .execute(params![Text(session.id), Millis(now), json(session)?])?;
    // What was renewed when the clock was ahead was renewed now.
    connection
        .prepare_cached("UPDATE sessions SET renewed_at = ?1 WHERE renewed_at > ?1")?
        .execute([Millis(now)])?;
    pool::names(connection)
}

/// Lists the sessions that were renewed lately.
pub(super) fn list(connection: &Connection, now: Timestamp) -> Result<Vec<Session>> {
    connection
        .prepare_cached("SELECT body, renewed_at FROM sessions WHERE renewed_at >= ?1 ORDER BY session")?
        .query_map([oldest(now)], |row| {
            let (known, Millis(renewed_at)) = (row.get::<_, String>(0)?, row.get(1)?);
            let silent_ms = u64::try_from(now.as_millis() - renewed_at.as_millis()).ok();
            Ok(Session::read(&known).map(|session| Session { silent_ms, ..session }))
        })?
        .filter_map(Result::transpose)
        .collect()
}

/// Removes a session.
pub(super) fn end(connection: &Connection, session: SessionId) -> Result<()> {
    connection.prepare_cached("DELETE FROM sessions WHERE session = ?1")?.execute([Text(session)])?;
    Ok(())
}

fn oldest(now: Timestamp) -> i64 {
    now.as_millis().saturating_sub_unsigned(FORGET_AFTER_MS)
}
