//! What an owner looks after: timers, dispatched attempts that may get lost, runs that ended long ago.

use std::ops::RangeInclusive;

use async_trait::async_trait;
use millrace_domain::{Epoch, PartitionId, TaskId, Timestamp};

use super::super::{Revoke, Revoked, StoreError, Timer};

/// The part of a store that tells an owner what to look at, and lets it take back and forget.
#[async_trait]
pub trait WatchStore: Send + Sync + 'static {
    /// Lists timers of a partition in order of (due, the timer's text), after `after`, at most `limit`.
    async fn timers(
        &self,
        partition: PartitionId,
        after: Option<(Timestamp, Timer)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, Timer)>, StoreError>;

    /// Lists dispatched attempts of a partition whose next look is in `looks`, in order of that, at most `limit`,
    /// leaving out the first `skip`.
    async fn watched(
        &self,
        partition: PartitionId,
        looks: RangeInclusive<Timestamp>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<(Timestamp, TaskId)>, StoreError>;

    /// Sets when dispatched attempts are looked at next. A look that is set for a time after `due` is never put off, only
    /// brought forward, so that one that a claim has set meanwhile stands. Attempts that are no longer watched stay so. A
    /// stale epoch changes nothing.
    async fn set_looks(
        &self,
        partition: PartitionId,
        epoch: Epoch,
        due: Timestamp,
        looks: &[(Timestamp, TaskId)],
    ) -> Result<(), StoreError>;

    /// Takes dispatched attempts back, atomically each, under the fence of `epoch`. See [`Revoke`].
    async fn revoke(
        &self,
        partition: PartitionId,
        epoch: Epoch,
        tasks: &[(TaskId, Revoke)],
    ) -> Result<Vec<Revoked>, StoreError>;

    /// Forgets what ended long ago: finished runs beyond `keep` in number or older than `until`, with all
    /// that belongs to them, at most a bounded number a call, the first to expire first. A keyed run stays for
    /// 24 h at least after its creation.
    /// Answers how many were forgotten.
    async fn expire(
        &self,
        partition: PartitionId,
        until: Timestamp,
        keep: usize,
    ) -> Result<usize, StoreError>;
}
