//! Sessions: the presence of workers.

use async_trait::async_trait;
use millrace_domain::{PoolName, SessionId};

use super::super::{PausedPool, Session, StoreError};

/// The part of a store in which workers say that they are there.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Renews a session: one write, however many tasks the worker runs. Allowed when memory is full. Answers the names of the
    /// pools that are paused, so that a worker hears of these without asking for them.
    async fn renew_session(&self, session: &Session) -> Result<Vec<String>, StoreError>;

    /// Lists all sessions that were renewed within the last hour or so; who is alive is for the reader to watch.
    async fn sessions(&self) -> Result<Vec<Session>, StoreError>;

    /// Removes a session.
    async fn end_session(&self, session: SessionId) -> Result<(), StoreError>;

    /// Pauses a pool. `false` when it is paused already, and stays as it is.
    async fn pause_pool(&self, paused: &PausedPool) -> Result<bool, StoreError>;

    /// Resumes a pool. `false` when it is not paused.
    async fn resume_pool(&self, pool: &PoolName) -> Result<bool, StoreError>;

    /// Lists the pools that are paused, in the order of their names.
    async fn paused_pools(&self) -> Result<Vec<PausedPool>, StoreError>;
}
