//! Claims: how workers get and end attempts.

use async_trait::async_trait;
use millrace_domain::{ClaimToken, TaskId};

use super::super::{Claim, ClaimVerdict, Finish, FinishVerdict, StoreError, TaskRecord};

/// The part of a store in which workers hold attempts.
#[async_trait]
pub trait ClaimStore: Send + Sync + 'static {
    /// Claims attempts, atomically each. The same token asked again gets the same answer.
    async fn claim(&self, claims: &[Claim]) -> Result<Vec<ClaimVerdict>, StoreError>;

    /// Stores outcomes, atomically each. Allowed when memory is full. The same again answers the same.
    async fn finish(&self, finishes: &[Finish]) -> Result<Vec<FinishVerdict>, StoreError>;

    /// Hands claimed attempts back unfinished, as if never claimed, so that somebody else can claim the same
    /// attempt. Those no longer held by the token stay as they are.
    async fn hand_back(&self, tasks: &[(TaskId, ClaimToken)]) -> Result<(), StoreError>;

    /// Reads how attempts stand: `None` for one that is not the current attempt of its step.
    async fn tasks(&self, tasks: &[TaskId]) -> Result<Vec<Option<TaskRecord>>, StoreError>;
}
