//! Timers of a partition: a sorted set by due time.

use millrace_domain::{PartitionId, Timestamp};

use super::connection::Connection;
use super::keys::Keys;
use super::reply::parsed;
use super::sorted::{self, Start};
use crate::{StoreError, Timer};

/// Lists the timers of a partition in order of (due, text of the timer), which is the order of a sorted set.
pub(super) async fn list(
    connection: &Connection,
    keys: &Keys,
    partition: PartitionId,
    after: Option<(Timestamp, Timer)>,
    limit: usize,
) -> Result<Vec<(Timestamp, Timer)>, StoreError> {
    let start = after.map_or(Start::First, |(due, timer)| Start::After(due, timer.to_string()));
    let read = |due, timer: String| Ok(Some((due, parsed(&timer, "a timer")?)));
    sorted::list(connection, &keys.timers(partition), start, limit, read).await
}
