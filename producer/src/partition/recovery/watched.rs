//! The index of dispatched attempts, as it is read: what is to be looked at, and when to look again.

use std::ops::RangeInclusive;
use std::time::Duration;

use futures_util::future::join_all;
use millrace_broker::{BrokerError, Queue};
use millrace_domain::{Epoch, PartitionId, Seq, TaskId, TaskQueue, Timestamp};
use millrace_store::{LOOK_AFTER_CLAIM_MS, StoreError, TaskRecord};

use super::damaged::skip_if_damaged;
use crate::context::Context;
use crate::partition::draft::FIRST_LOOK;

/// Entries of a partition looked at in one pass.
pub(crate) const PAGE: usize = 500;

/// An unclaimed task is looked at again at least this often.
pub(crate) const LONGEST_LOOK: Duration = Duration::from_secs(600);

/// After every look that is set.
pub(crate) const FAR: Timestamp = Timestamp::from_millis(i64::MAX / 4);

/// The consequence of damage to a partition's index, for the log.
pub(super) const UNWATCHED: &str = "what gets lost of it is not found";

/// A partition that is watched, as of a seq.
pub(super) type Watched = (PartitionId, Epoch, Seq);

/// How many messages wait in a queue of tasks. One that is not there holds none.
pub(super) async fn ready(context: &Context, queue: &TaskQueue) -> Option<u64> {
    match context.broker.depth(&Queue::Tasks(queue.to_string())).await {
        Ok(depth) => Some(depth.ready),
        Err(BrokerError::Unroutable(_)) => Some(0),
        Err(error) => {
            tracing::debug!(%queue, %error, "the queue cannot be looked at");
            None
        }
    }
}

/// When an attempt that stands so is looked at again at the latest.
pub(crate) fn farthest_look(record: Option<&TaskRecord>, now: Timestamp) -> Timestamp {
    match record {
        Some(TaskRecord::Claimed { .. }) => now + Duration::from_millis(LOOK_AFTER_CLAIM_MS),
        Some(TaskRecord::Queued { dispatched_at, .. }) => {
            now + now.since(*dispatched_at).clamp(FIRST_LOOK, LONGEST_LOOK)
        }
        Some(TaskRecord::Finished { .. } | TaskRecord::Revoked { .. }) | None => now + FIRST_LOOK,
        Some(TaskRecord::Unknown) => now + LONGEST_LOOK,
    }
}

/// What is dispatched in partitions and to be looked at in that time: asked for at once, for all, which is one trip. One
/// that is damaged is left out.
pub(super) async fn watched(
    context: &Context,
    partitions: &[Watched],
    looks: &RangeInclusive<Timestamp>,
    limit: usize,
) -> Result<Vec<(Watched, Vec<(Timestamp, TaskId)>)>, StoreError> {
    let asked =
        partitions.iter().map(|(partition, ..)| context.store.watched(*partition, looks.clone(), 0, limit));
    let mut found = Vec::with_capacity(partitions.len());
    for (one, answer) in partitions.iter().zip(join_all(asked).await) {
        found.extend(skip_if_damaged(one.0, answer, UNWATCHED)?.map(|due| (*one, due)));
    }
    Ok(found)
}
