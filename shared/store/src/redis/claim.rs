//! Who holds which attempt: workers' calls, and the owner's revocation. A batch costs one script call per
//! partition it touches, all in one round trip.

use millrace_domain::{ClaimToken, Epoch, PartitionId, TaskId};
use redis::{Cmd, Value, cmd};

use super::connection::Connection;
use super::keys::Keys;
use super::record;
use super::reply::{array, maybe_text, parsed, text, unexpected};
use super::script::Script;
use crate::{
    Claim, ClaimVerdict, Finish, FinishVerdict, LOOK_AFTER_CLAIM_MS, Revoke, Revoked, StoreError, TaskRecord,
};

/// What was handed back is published again by its worker's broker; look when that has had its time.
const LOOK_AFTER_HAND_BACK_MS: u64 = 30_000;

/// So many at most in one script call: it holds up everybody else.
const BATCH: usize = 512;

pub(super) async fn claim(
    connection: &Connection,
    keys: &Keys,
    claims: &[Claim],
) -> Result<Vec<ClaimVerdict>, StoreError> {
    let batches = by_partition(claims, |claim| claim.task);
    let call = |(partition, batch): &(PartitionId, Vec<usize>)| {
        let mut call = Script::Claim.on(&[&keys.watch(*partition)]);
        call.arg(LOOK_AFTER_CLAIM_MS);
        for claim in batch.iter().map(|index| &claims[*index]) {
            attempt(&mut call, keys, claim.task).arg(claim.token.to_string());
            call.arg(claim.session.to_string()).arg(claim.task.to_string());
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

pub(super) async fn finish(
    connection: &Connection,
    keys: &Keys,
    finishes: &[Finish],
) -> Result<Vec<FinishVerdict>, StoreError> {
    let batches = by_partition(finishes, |finish| finish.task);
    let call = |(partition, batch): &(PartitionId, Vec<usize>)| {
        let mut call = Script::Finish.on(&[&keys.watch(*partition)]);
        for finish in batch.iter().map(|index| &finishes[*index]) {
            attempt(&mut call, keys, finish.task).arg(finish.token.to_string());
            call.arg(&finish.result);
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

pub(super) async fn hand_back(
    connection: &Connection,
    keys: &Keys,
    tasks: &[(TaskId, ClaimToken)],
) -> Result<(), StoreError> {
    let batches = by_partition(tasks, |(task, _)| *task);
    let call = |(partition, batch): &(PartitionId, Vec<usize>)| {
        let mut call = Script::HandBack.on(&[&keys.watch(*partition)]);
        call.arg(LOOK_AFTER_HAND_BACK_MS);
        for (task, token) in batch.iter().map(|index| &tasks[*index]) {
            attempt(&mut call, keys, *task).arg(token.to_string()).arg(task.to_string());
        }
        call
    };
    connection.ask_all(batches.iter().map(call).collect()).await.map(drop)
}

pub(super) async fn tasks(
    connection: &Connection,
    keys: &Keys,
    tasks: &[TaskId],
) -> Result<Vec<Option<TaskRecord>>, StoreError> {
    let read = |task: &TaskId| {
        let mut command = cmd("HGET");
        attempt(&mut command, keys, *task);
        command
    };
    let mut records = Vec::with_capacity(tasks.len());
    for tasks in tasks.chunks(BATCH) {
        let answers = connection.ask_each(tasks.iter().map(read).collect()).await?;
        for (task, answer) in tasks.iter().zip(answers) {
            let record =
                answer.and_then(|answer| maybe_text(answer)?.map(|text| record::read(&text)).transpose());
            records.push(match record {
                // A damaged run is as good as gone, and must not hide the others.
                Err(StoreError::Corrupt(why)) => {
                    tracing::error!(%task, why, "the record of the attempt is damaged");
                    None
                }
                record => record?,
            });
        }
    }
    Ok(records)
}

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
        let mut call = Script::Revoke.on(&[&own]);
        call.arg(epoch.0);
        for (task, when) in batch.iter().map(|index| &tasks[*index]) {
            attempt(&mut call, keys, *task);
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
                Tagged::Number(_) => Revoked::Done,
                Tagged::Claimed(session) => Revoked::Claimed { session: parsed(&session, "a session")? },
                Tagged::Finished(result) => Revoked::Finished { result },
            };
        }
    }
    Ok(verdicts)
}

/// Names an attempt: the key of its run, and the field.
fn attempt<'a>(call: &'a mut Cmd, keys: &Keys, task: TaskId) -> &'a mut Cmd {
    call.arg(keys.run(task.run)).arg(Keys::attempt(task.step, task.attempt))
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

/// What scripts answer about an attempt.
enum Tagged {
    Number(i64),
    Claimed(String),
    Finished(String),
}

fn tagged(answer: Value) -> Result<Tagged, StoreError> {
    if let Value::Int(number) = answer {
        return Ok(Tagged::Number(number));
    }
    let mut text = text(answer)?;
    let rest = text.split_off(text.len().min(1));
    match text.as_str() {
        "c" => Ok(Tagged::Claimed(rest)),
        "f" => Ok(Tagged::Finished(rest)),
        other => Err(unexpected("a verdict", &Value::SimpleString(other.to_owned()))),
    }
}
