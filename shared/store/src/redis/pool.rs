//! Pools that somebody has paused.

use millrace_domain::PoolName;
use redis::cmd;

use super::connection::Connection;
use super::keys::Keys;
use super::reply::texts;
use crate::{PausedPool, StoreError};

/// Pauses a pool; one that is paused already stays so.
pub(super) async fn pause(
    connection: &Connection,
    keys: &Keys,
    paused: &PausedPool,
) -> Result<bool, StoreError> {
    let known = serde_json::to_string(paused)
        .map_err(|error| StoreError::Corrupt(format!("expected a pool that can be JSON: {error}")))?;
    let mut call = cmd("HSETNX");
    call.arg(keys.paused_pools()).arg(paused.pool.as_str()).arg(known);
    is_one(connection.ask(call).await?)
}

/// Resumes a pool.
pub(super) async fn resume(
    connection: &Connection,
    keys: &Keys,
    pool: &PoolName,
) -> Result<bool, StoreError> {
    let mut call = cmd("HDEL");
    call.arg(keys.paused_pools()).arg(pool.as_str());
    is_one(connection.ask(call).await?)
}

/// Lists the pools that are paused, in the order of their names.
pub(super) async fn paused(connection: &Connection, keys: &Keys) -> Result<Vec<PausedPool>, StoreError> {
    let mut call = cmd("HVALS");
    call.arg(keys.paused_pools());
    let known = texts(connection.ask(call).await?)?;
    // What only a newer version can read is paused all the same for workers, which go by its name.
    let mut pools: Vec<PausedPool> = known.iter().filter_map(|one| serde_json::from_str(one).ok()).collect();
    pools.sort_unstable_by(|one, other| one.pool.cmp(&other.pool));
    Ok(pools)
}

fn is_one(answer: redis::Value) -> Result<bool, StoreError> {
    match answer {
        redis::Value::Int(number) => Ok(number == 1),
        other => Err(super::reply::unexpected("whether it changed", &other)),
    }
}
