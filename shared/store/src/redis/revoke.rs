//! Taking dispatched attempts back, for their owner.

use millrace_domain::{Epoch, PartitionId, TaskId};

use super::connection::Connection;
use super::keys::Keys;
use super::reply::{array, parsed};
use super::script::Script;
use super::task::{BATCH, Tagged, tagged};
use crate::{Revoke, Revoked, StoreError};

/// Takes attempts back, each under its condition.
pub(super) async fn revoke(
    connection: &Connection,
    keys: &Keys,
    partition: PartitionId,
    epoch: Epoch,
    tasks: &[(TaskId, Revoke)],
) -> Result<Vec<Revoked>, StoreError> {
    let own = keys.own(partition);
    // A task of another partition is none of this owner's, and its keys would be of another slot.
    let indices: Vec<usize> = (0..tasks.len()).filter(|i| tasks[*i].0.run.partition() == partition).collect();
    let batches: Vec<_> = indices.chunks(BATCH).map(|batch| (partition, batch.to_vec())).collect();
    let call = |(_, batch): &(PartitionId, Vec<usize>)| {
        let batch = || batch.iter().map(|index| tasks[*index]);
        let mut call = Script::Revoke.on(&keys.with_runs(own.clone(), batch().map(|(task, _)| task)));
        call.arg(epoch.0);
        for (task, when) in batch() {
            call.arg(Keys::attempt(task.unit, task.attempt));
            match when {
                Revoke::Unclaimed => call.arg("unclaimed"),
                Revoke::HeldBy(session) => call.arg(session.to_string()),
                Revoke::Anyway => call.arg("anyway"),
            };
        }
        call
    };
    let answers = connection.ask_all(batches.iter().map(call).collect()).await?;
    let mut verdicts = vec![Revoked::Gone; tasks.len()];
    for ((_, batch), answer) in batches.into_iter().zip(answers) {
        for (index, answer) in batch.into_iter().zip(array(answer)?) {
            verdicts[index] = match tagged(answer)? {
                Tagged::Number(0) => Revoked::Gone,
                Tagged::Number(2) => Revoked::Unclaimed,
                Tagged::Number(_) => Revoked::Done,
                Tagged::Claimed(session) => Revoked::Claimed { session: parsed(&session, "a session")? },
                Tagged::Finished(result) => Revoked::Finished { result },
            };
        }
    }
    Ok(verdicts)
}
