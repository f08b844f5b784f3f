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

/// Lists dispatched attempts by when to look at them. What cannot be read is passed over: where there is any, one who
/// goes on after `skip` of them may see some a second time, and misses none.
pub(super) async fn list(
    connection: &Connection,
    keys: &Keys,
    partition: PartitionId,
    looks: RangeInclusive<Timestamp>,
    skip: usize,
    limit: usize,
) -> Result<Vec<(Timestamp, TaskId)>, StoreError> {
    let key = keys.watch(partition);
    let mut found = Vec::new();
    let mut start = skip;
    while found.len() < limit {
        let wanted = limit - found.len();
        let mut command = cmd("ZRANGEBYSCORE");
        command.arg(&key).arg(looks.start().as_millis()).arg(looks.end().as_millis());
        command.arg("WITHSCORES").arg("LIMIT").arg(start).arg(wanted);
        let page: Vec<(Timestamp, String)> = scored(connection.ask(command).await?, "a task")?;
        let last = page.len() < wanted;
        start = start.saturating_add(page.len());
        // What names no task was written by a newer version, which looks at it itself.
        found.extend(page.into_iter().filter_map(|(look, task)| Some((look, task.parse().ok()?))));
        if last {
            break;
        }
    }
    Ok(found)
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
