//! The logs of attempts.

use async_trait::async_trait;
use millrace_domain::TaskId;

use super::super::{LogChunk, StoreError};

/// The part of a store that keeps the logs of attempts.
#[async_trait]
pub trait LogStore: Send + Sync + 'static {
    /// Adds to the log of an attempt of a stored run. A chunk is kept while the bytes of it and of all before
    /// it, kept or not, are within `budget_bytes`: once that is passed, nothing more is kept.
    async fn append_log(&self, task: TaskId, lines: &[LogChunk], budget_bytes: u64)
    -> Result<(), StoreError>;

    /// Reads the log of an attempt from the chunk numbered `from`, at most `limit` chunks.
    async fn read_log(&self, task: TaskId, from: u64, limit: usize) -> Result<Vec<LogChunk>, StoreError>;
}
