//! Pools that somebody has paused: their workers take nothing new.

use std::fmt;

use millrace_domain::{PoolName, Timestamp};
use serde::{Deserialize, Serialize};

/// A paused pool. As JSON it is what is stored of it, under its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausedPool {
    /// The name of the pool.
    pub pool: PoolName,
    /// Who has paused it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Since when, by the clock of the store.
    pub at: Timestamp,
}

/// The pause in words: `pool gpu is paused by ann since 2026-01-01T00:00:00Z: the driver is replaced`.
impl fmt::Display for PausedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pool, by, why, at } = self;
        write!(f, "pool {pool} is paused")?;
        if !by.is_empty() {
            write!(f, " by {by}")?;
        }
        write!(f, " since {at}")?;
        if !why.is_empty() {
            write!(f, ": {why}")?;
        }
        Ok(())
    }
}
