//! What holds for the whole cluster, and who is in it.

use millrace_domain::{ProducerId, Timestamp};
use redis::cmd;

use super::connection::Connection;
use super::keys::Keys;
use super::reply::{parsed, text, texts};
use super::safety;
use super::script::Script;
use crate::{Fullness, StoreError};

pub(super) async fn found(connection: &Connection, keys: &Keys, partitions: u16) -> Result<u16, StoreError> {
    if partitions == 0 {
        return Err(StoreError::Configuration(
            "a cluster needs 1 partition at least, 64 is usual".to_owned(),
        ));
    }
    let (mut set, mut get) = (cmd("HSETNX"), cmd("HGET"));
    set.arg(keys.meta()).arg("partitions").arg(partitions);
    get.arg(keys.meta()).arg("partitions");
    let mut answers = connection.ask_all(vec![set, get]).await?;
    parsed(&text(answers.swap_remove(1))?, "a number of partitions")
}

pub(super) async fn now(connection: &Connection) -> Result<Timestamp, StoreError> {
    let parts = texts(connection.ask(cmd("TIME")).await?)?;
    let [seconds, micros] = parts.as_slice() else {
        return Err(StoreError::Corrupt(format!("expected seconds and microseconds, got {parts:?}")));
    };
    let seconds: i64 = parsed(seconds, "seconds")?;
    let micros: i64 = parsed(micros, "microseconds")?;
    Ok(Timestamp::from_millis(seconds * 1_000 + micros / 1_000))
}

pub(super) async fn fullness(connection: &Connection) -> Result<Fullness, StoreError> {
    let mut command = cmd("INFO");
    command.arg("memory");
    Ok(safety::fullness(&safety::text(&connection.ask(command).await?)))
}

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

pub(super) async fn leave(
    connection: &Connection,
    keys: &Keys,
    producer: ProducerId,
) -> Result<(), StoreError> {
    let mut command = cmd("ZREM");
    command.arg(keys.producers()).arg(producer.to_string());
    connection.ask(command).await.map(drop)
}
