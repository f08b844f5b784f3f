//! The raw limit: the least that a client of broker and store can do for the same work. A durable queue with ten
//! priorities, persistent messages of about a hundred bytes of JSON that the consumer parses, confirms, acks.

mod graph;
mod latency;
mod spawn;
mod throughput;

pub(crate) use graph::{chain, fan};
pub(crate) use latency::latency;
pub(crate) use spawn::spawn;
pub(crate) use throughput::throughput;

use std::time::{SystemTime, UNIX_EPOCH};

use lapin::options::{BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer};
use redis::aio::MultiplexedConnection;
use uuid::Uuid;

use crate::failure::Failure;
use crate::fleet::Servers;

/// The most messages that are not acked yet.
const PREFETCH: u16 = 500;

/// The script that claims a task for this worker.
const CLAIM: &str =
    "if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[1], 'run', 'PX', 600000) end return 1";
/// The script that stores an outcome.
const DONE: &str = "redis.call('SET', KEYS[1], ARGV[1], 'EX', 3600) return redis.call('INCR', 'done')";
/// The script that stores an outcome, and returns how many branches the join still waits for.
const JOIN: &str = "redis.call('SET', KEYS[1], ARGV[1], 'EX', 3600) return redis.call('DECR', 'join')";

/// Declares a queue of its own, and consumes from it.
async fn consume(channel: &Channel) -> Result<(String, Consumer), Failure> {
    let queue = format!("raw.{}", Uuid::new_v4().simple());
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-priority".into(), AMQPValue::LongInt(10));
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.as_str().into(), durable, arguments).await?;
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let consumer =
        channel.basic_consume(queue.as_str().into(), "".into(), options, FieldTable::default()).await?;
    Ok((queue, consumer))
}

/// Connects to a database of the same Redis that nothing else uses, empties it, and loads the scripts.
async fn store(servers: &Servers) -> Result<MultiplexedConnection, Failure> {
    let client = redis::Client::open(format!("{}/1", servers.redis.url()))?;
    let mut store = client.get_multiplexed_async_connection().await?;
    let _: () = redis::cmd("FLUSHDB").query_async(&mut store).await?;
    for script in [CLAIM, DONE, JOIN] {
        let _: String = redis::cmd("SCRIPT").arg("LOAD").arg(script).query_async(&mut store).await?;
    }
    Ok(store)
}

/// Runs a loaded script on one key.
async fn eval(store: &MultiplexedConnection, hash: &str, key: &str) -> Result<i64, Failure> {
    let mut store = store.clone();
    Ok(redis::cmd("EVALSHA").arg(hash).arg(1).arg(key).arg("ok").query_async(&mut store).await?)
}

fn hash(script: &str) -> String {
    redis::Script::new(script).get_hash().to_owned()
}

/// Writes message number `number`, with the instant of its publish.
fn message(number: usize) -> Vec<u8> {
    let now = now();
    format!(
        r#"{{"id":"{number:016}","t":{now:.6},"name":"noop","args":[1,2,3],"kw":{{"key":"valuevalue"}},"pad":"xxxxx"}}"#
    )
    .into_bytes()
}

/// Reads the number of a message and the instant of its publish.
fn parse(message: &[u8]) -> Result<(usize, f64), Failure> {
    let value: serde_json::Value = serde_json::from_slice(message)?;
    let number = value["id"].as_str().and_then(|id| id.parse().ok());
    number.zip(value["t"].as_f64()).ok_or_else(|| "a message that nobody sent".into())
}

/// The time now, in seconds since the epoch.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
