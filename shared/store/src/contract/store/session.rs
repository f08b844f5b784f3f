//! Sessions: the presence of workers.

use async_trait::async_trait;
use millrace_domain::SessionId;

use super::super::{Session, StoreError};

/// The part of a store in which workers say that they are there.
#[async_trait]
pub trait SessionStore: Send + Sync + 'static {
    /// Renews a session: one write, however many tasks the worker runs. Allowed when memory is full.
    async fn renew_session(&self, session: &Session) -> Result<(), StoreError>;

    /// Lists all sessions that were renewed within the last hour or so; who is alive is for the reader to watch.
    async fn sessions(&self) -> Result<Vec<Session>, StoreError>;

    /// Removes a session.
    async fn end_session(&self, session: SessionId) -> Result<(), StoreError>;
}
