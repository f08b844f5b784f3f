//! Taking dispatched attempts back. One that was taken back stays watched until its owner retires it, so that
//! whoever takes over in between finds it.

use millrace_domain::{Epoch, PartitionId, TaskId};
use rusqlite::{Connection, Result, params};

use super::column::{Text, UnitColumn};
use super::partition;
use super::task::{self, Attempt};
use crate::{Revoke, Revoked, TaskRecord};

/// Takes attempts back, each under its condition.
pub(super) fn revoke(
    connection: &Connection,
    partition: PartitionId,
    epoch: Epoch,
    tasks: &[(TaskId, Revoke)],
) -> Result<Vec<Revoked>> {
    if !partition::holds(connection, partition, epoch)? {
        return Ok(vec![Revoked::Gone; tasks.len()]);
    }
    tasks
        .iter()
        .map(|(task, when)| {
            if task.run.partition() == partition {
                revoke_one(connection, *task, *when)
            } else {
                Ok(Revoked::Gone)
            }
        })
        .collect()
}

fn revoke_one(connection: &Connection, task: TaskId, when: Revoke) -> Result<Revoked> {
    let mut unclaimed = false;
    let Some(Attempt { record, .. }) = task::find(connection, task)? else { return Ok(Revoked::Gone) };
    match record {
        TaskRecord::Finished { result, .. } => return Ok(Revoked::Finished { result }),
        TaskRecord::Revoked { unclaimed, .. } => return Ok(taken_back(unclaimed)),
        TaskRecord::Claimed { session, .. } => match when {
            Revoke::Anyway => {}
            Revoke::HeldBy(named) if named == session => {}
            Revoke::HeldBy(_) | Revoke::Unclaimed => return Ok(Revoked::Claimed { session }),
        },
        TaskRecord::Unknown => return Ok(Revoked::Gone),
        TaskRecord::Queued { .. } => unclaimed = true,
    }
    connection
        .prepare_cached(
            "UPDATE tasks SET state = 3
             WHERE run = (SELECT id FROM runs WHERE run = ?1) AND step = ?2 AND attempt = ?3",
        )?
        .execute(params![Text(task.run), UnitColumn(task.unit), task.attempt])?;
    Ok(taken_back(unclaimed))
}

fn taken_back(unclaimed: bool) -> Revoked {
    if unclaimed { Revoked::Unclaimed } else { Revoked::Done }
}
