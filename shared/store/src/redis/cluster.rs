//! What holds for the whole cluster, and who is in it.

use millrace_domain::{ClusterId, Epoch, ProducerId, Timestamp};
use redis::{Cmd, Value, cmd};

use super::connection::Connection;
use super::keys::Keys;
use super::reply::{array, maybe_text, parsed, texts};
use super::safety;
use super::script::Script;
use crate::{Cluster, FORMAT, Fullness, StoreError};

/// The fields of what is fixed for the cluster, in the order in which they are read.
const FIELDS: [&str; 6] = ["id", "partitions", "queues", "format", "since", "minor"];

/// Founds the cluster, or answers what is fixed for the one that is there.
pub(super) async fn found(
    connection: &Connection,
    keys: &Keys,
    wanted: &Cluster,
) -> Result<Cluster, StoreError> {
    let Cluster { id, partitions, queues, format, minor, since: _ } = wanted;
    if *partitions == 0 {
        return Err(StoreError::Configuration(
            "a cluster needs 1 partition at least, 64 is usual".to_owned(),
        ));
    }
    let mut call = Script::Found.on(&[&keys.meta()]);
    call.arg(id.to_string()).arg(partitions).arg(queues).arg(format).arg(minor);
    let holds = cluster(connection.ask(call).await?)?;
    holds.ok_or_else(|| StoreError::Corrupt("expected what is fixed for the cluster, got nothing".to_owned()))
}

/// Reads what is fixed for the cluster, and the time, in one round trip.
pub(super) async fn stored(
    connection: &Connection,
    keys: &Keys,
) -> Result<(Option<Cluster>, Timestamp), StoreError> {
    let mut answers = connection.ask_all(vec![read(keys), cmd("TIME")]).await?.into_iter();
    let mut next = || answers.next().unwrap_or(Value::Nil);
    Ok((cluster(next())?, time(next())?))
}

/// Reads an answer to [`read`]. What an older program has not written has a meaning of its own; fields that this one
/// does not know are not read.
pub(super) fn cluster(answer: Value) -> Result<Option<Cluster>, StoreError> {
    let fields = array(answer)?.into_iter().map(maybe_text).collect::<Result<Vec<_>, _>>()?;
    let [id, Some(partitions), queues, format, since, minor] = fields.as_slice() else { return Ok(None) };
    Ok(Some(Cluster {
        id: id.as_deref().map_or(Ok(ClusterId::UNKNOWN), |id| parsed(id, "a cluster"))?,
        partitions: parsed(partitions, "a number of partitions")?,
        queues: queues.clone().unwrap_or_default(),
        format: format.as_deref().map_or(Ok(FORMAT), |format| parsed(format, "a format"))?,
        minor: minor.as_deref().map_or(Ok(0), |minor| parsed(minor, "the minor number of a format"))?,
        since: Epoch(since.as_deref().map_or(Ok(0), |since| parsed(since, "an instant"))?),
    }))
}

/// The command that asks what is fixed for the cluster.
pub(super) fn read(keys: &Keys) -> Cmd {
    let mut read = cmd("HMGET");
    read.arg(keys.meta()).arg(&FIELDS);
    read
}

/// Reads the server's clock.
pub(super) async fn now(connection: &Connection) -> Result<Timestamp, StoreError> {
    time(connection.ask(cmd("TIME")).await?)
}

fn time(answer: Value) -> Result<Timestamp, StoreError> {
    let parts = texts(answer)?;
    let [seconds, micros] = parts.as_slice() else {
        return Err(StoreError::Corrupt(format!("expected seconds and microseconds, got {parts:?}")));
    };
    let seconds: i64 = parsed(seconds, "seconds")?;
    let micros: i64 = parsed(micros, "microseconds")?;
    Ok(Timestamp::from_millis(seconds * 1_000 + micros / 1_000))
}

/// Reads how full the server is.
pub(super) async fn fullness(connection: &Connection) -> Result<Fullness, StoreError> {
    let mut command = cmd("INFO");
    command.arg("memory");
    Ok(safety::fullness(&safety::text(&connection.ask(command).await?)))
}

/// Announces a producer, and answers all that are here.
pub(super) async fn meet(
    connection: &Connection,
    keys: &Keys,
    producer: ProducerId,
    ttl_ms: u64,
) -> Result<Vec<ProducerId>, StoreError> {
    let mut call = Script::Meet.on(&[&keys.producers()]);
    call.arg(producer.to_string()).arg(ttl_ms);
    let here = texts(connection.ask(call).await?)?;
    let mut here: Vec<ProducerId> =
        here.iter().map(|producer| parsed(producer, "a producer")).collect::<Result<_, _>>()?;
    here.sort();
    Ok(here)
}

/// Removes a producer.
pub(super) async fn leave(
    connection: &Connection,
    keys: &Keys,
    producer: ProducerId,
) -> Result<(), StoreError> {
    let mut command = cmd("ZREM");
    command.arg(keys.producers()).arg(producer.to_string());
    connection.ask(command).await.map(drop)
}
