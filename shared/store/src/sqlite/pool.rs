//! Pools that somebody has paused.

use millrace_domain::PoolName;
use rusqlite::{Connection, Result, params};

use super::column::json;
use crate::PausedPool;

/// Pauses a pool; one that is paused already stays so.
pub(super) fn pause(connection: &Connection, paused: &PausedPool) -> Result<bool> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO paused_pools (pool, body) VALUES (?1, ?2)")?
        .execute(params![paused.pool.as_str(), json(paused)?])
        .map(|changed| changed == 1)
}

/// Resumes a pool.
pub(super) fn resume(connection: &Connection, pool: &PoolName) -> Result<bool> {
    connection
        .prepare_cached("DELETE FROM paused_pools WHERE pool = ?1")?
        .execute([pool.as_str()])
        .map(|changed| changed == 1)
}

/// Lists the pools that are paused, in the order of their names.
pub(super) fn paused(connection: &Connection) -> Result<Vec<PausedPool>> {
    let mut query = connection.prepare_cached("SELECT body FROM paused_pools ORDER BY pool")?;
    let bodies = query.query_map([], |row| row.get::<_, String>(0))?;
    bodies.map(|body| Ok(serde_json::from_str(&body?).ok())).filter_map(Result::transpose).collect()
}

/// The names of the pools that are paused.
pub(super) fn names(connection: &Connection) -> Result<Vec<String>> {
    connection
        .prepare_cached("SELECT pool FROM paused_pools ORDER BY pool")?
        .query_map([], |row| row.get(0))?
        .collect()
}
