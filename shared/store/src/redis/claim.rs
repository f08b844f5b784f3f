//! Claims: which worker holds which attempt. A batch costs one script call per partition it touches, all in one round
//! trip.

use millrace_domain::{ClaimToken, PartitionId, TaskId};
use redis::Value;

use super::connection::Connection;
use super::keys::Keys;
use super::reply::{array, parsed};
use super::script::Script;
use super::task::{BATCH, Tagged, tagged};
use crate::{
    Claim, ClaimVerdict, Finish, FinishVerdict, LOOK_AFTER_CLAIM_MS, LOOK_AFTER_HAND_BACK_MS, StoreError,
};

/// Claims attempts.
pub(super) async fn claim(
    connection: &Connection,
    keys: &Keys,
    claims: &[Claim],
) -> Result<Vec<ClaimVerdict>, StoreError> {
    let batches = by_partition(claims, |claim| claim.task);
    let call = |(partition, batch): &(PartitionId, Vec<usize>)| {
        let batch = || batch.iter().map(|index| &claims[*index]);
        let mut call = Script::Claim.on(&keys.with_runs(keys.watch(*partition), batch().map(|one| one.task)));
        call.arg(LOOK_AFTER_CLAIM_MS);
        for Claim { task, token, session } in batch() {
            call.arg(Keys::attempt(task.unit, task.attempt)).arg(token.to_string());
            call.arg(session.to_string()).arg(task.to_string());
        }
        call
    };
    let answers = connection.ask_all(batches.iter().map(call).collect()).await?;
    in_order(claims.len(), batches, answers, |answer| match tagged(answer)? {
        Tagged::Number(0) => Ok(ClaimVerdict::Stale),
        Tagged::Number(2) => Ok(ClaimVerdict::Unknown),
        Tagged::Number(_) => Ok(ClaimVerdict::Granted),
        Tagged::Claimed(session) => Ok(ClaimVerdict::Held { session: parsed(&session, "a session")? }),
        Tagged::Finished(result) => Ok(ClaimVerdict::Finished { result }),
    })
}

/// Stores the results of attempts.
pub(super) async fn finish(
    connection: &Connection,
    keys: &Keys,
    finishes: &[Finish],
) -> Result<Vec<FinishVerdict>, StoreError> {
    let batches = by_partition(finishes, |finish| finish.task);
    let call = |(_, batch): &(PartitionId, Vec<usize>)| {
        let batch = || batch.iter().map(|index| &finishes[*index]);
        let mut call = Script::Finish.on(&batch().map(|one| keys.run(one.task.run)).collect::<Vec<_>>());
        for Finish { task, token, result } in batch() {
            call.arg(Keys::attempt(task.unit, task.attempt)).arg(token.to_string()).arg(result);
        }
        call
    };
    let answers = connection.ask_all(batches.iter().map(call).collect()).await?;
    in_order(finishes.len(), batches, answers, |answer| match tagged(answer)? {
        Tagged::Number(0) => Ok(FinishVerdict::Stale),
        Tagged::Number(2) => Ok(FinishVerdict::Unknown),
        _ => Ok(FinishVerdict::Stored),
    })
}

/// Hands attempts back unfinished.
pub(super) async fn hand_back(
    connection: &Connection,
    keys: &Keys,
    tasks: &[(TaskId, ClaimToken)],
) -> Result<(), StoreError> {
    let batches = by_partition(tasks, |(task, _)| *task);
    let call = |(partition, batch): &(PartitionId, Vec<usize>)| {
        let batch = || batch.iter().map(|index| tasks[*index]);
        let mut call =
            Script::HandBack.on(&keys.with_runs(keys.watch(*partition), batch().map(|(task, _)| task)));
        call.arg(LOOK_AFTER_HAND_BACK_MS);
        for (task, token) in batch() {
            call.arg(Keys::attempt(task.unit, task.attempt)).arg(token.to_string()).arg(task.to_string());
        }
        call
    };
    connection.ask_all(batches.iter().map(call).collect()).await.map(drop)
}

/// The places of what is asked, by partition, in pieces of [`BATCH`].
fn by_partition<T>(asked: &[T], task: impl Fn(&T) -> TaskId) -> Vec<(PartitionId, Vec<usize>)> {
    let mut places: Vec<usize> = (0..asked.len()).collect();
    let partition = |place: &usize| task(&asked[*place]).run.partition();
    places.sort_by_key(partition); // stable: those of a partition stay in order
    places
        .chunk_by(|a, b| partition(a) == partition(b))
        .flat_map(|same| same.chunks(BATCH).map(|piece| (partition(&piece[0]), piece.to_vec())))
        .collect()
}

/// The answers of batches, in the order in which they were asked for.
fn in_order<T>(
    count: usize,
    batches: Vec<(PartitionId, Vec<usize>)>,
    answers: Vec<Value>,
    read: impl Fn(Value) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut placed = Vec::with_capacity(count);
    for ((_, batch), answer) in batches.into_iter().zip(answers) {
        let answers = array(answer)?;
        if answers.len() != batch.len() {
            return Err(StoreError::Corrupt(format!(
                "expected {} verdicts, got {}",
                batch.len(),
                answers.len()
            )));
        }
        for (place, answer) in batch.into_iter().zip(answers) {
            placed.push((place, read(answer)?));
        }
    }
    placed.sort_by_key(|(place, _)| *place);
    Ok(placed.into_iter().map(|(_, verdict)| verdict).collect())
}
