//! The watch of a partition: when to look next at each dispatched attempt.

use std::ops::RangeInclusive;

use millrace_domain::{Epoch, PartitionId, TaskId, Timestamp};
use redis::cmd;

use super::connection::Connection;
use super::keys::Keys;
use super::reply::scored;
use super::script::Script;
use crate::StoreError;

/// The greatest number of pairs in one call.
const PAIRS: usize = 2_000;

/// Lists dispatched attempts by when to look at them.
pub(super) async fn list(
    connection: &Connection,
    keys: &Keys,
    partition: PartitionId,
    looks: RangeInclusive<Timestamp>,
    skip: usize,
    limit: usize,
) -> Result<Vec<(Timestamp, TaskId)>, StoreError> {
    let mut command = cmd("ZRANGEBYSCORE");
    command.arg(keys.watch(partition)).arg(looks.start().as_millis()).arg(looks.end().as_millis());
    command.arg("WITHSCORES").arg("LIMIT").arg(skip).arg(limit);
    scored(connection.ask(command).await?, "a task")
}

/// Sets when attempts are looked at next, unless the epoch is stale.
pub(super) async fn set_looks(
    connection: &Connection,
    keys: &Keys,
    partition: PartitionId,
    epoch: Epoch,
    due: Timestamp,
    looks: &[(Timestamp, TaskId)],
) -> Result<(), StoreError> {
    let (own, watch) = (keys.own(partition), keys.watch(partition));
    let call = |looks: &[(Timestamp, TaskId)]| {
        let mut call = Script::SetLooks.on(&[&own, &watch]);
        call.arg(epoch.0).arg(due.as_millis());
        for (at, task) in looks {
            call.arg(at.as_millis()).arg(task.to_string());
        }
        call
    };
    connection.ask_all(looks.chunks(PAIRS).map(call).collect()).await.map(drop)
}
