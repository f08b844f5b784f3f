//! Removes what a fleet left on shared servers. What cannot be removed is left there: its prefix is used by
//! nobody else.

use std::thread;
use std::time::Duration;

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::{Connection, ConnectionProperties};
use millrace_servers::Servers;
use tokio::runtime::Builder;
use tokio::time::timeout;

/// The longest that a sweep may take.
const BOUND: Duration = Duration::from_secs(10);

/// The most partitions of a fleet, and the pools that tests use.
const PARTITIONS: u16 = 64;
const POOLS: [&str; 8] = ["default", "gpu", "other", "short", "frail", "cold", "idle", "nobody"];

/// Removes all queues, exchanges and keys of a prefix. Blocks; can be called inside of a runtime.
pub(crate) fn sweep(servers: &Servers, prefix: &str) {
    let (servers, prefix) = (servers.clone(), prefix.to_owned());
    let sweeper = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let _ = runtime.block_on(async { timeout(BOUND, remove_queues(&servers.amqp_url, &prefix)).await });
        remove_keys(&servers.redis_url, &prefix)
    });
    let _ = sweeper.join();
}

async fn remove_queues(url: &str, prefix: &str) -> lapin::Result<()> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let inboxes = (0..PARTITIONS).map(|partition| format!("inbox.{partition}"));
    let kinds = ["", ".p0", ".p1", ".p2", ".p3", ".workers"];
    let tasks = POOLS.iter().flat_map(|pool| kinds.map(|kind| format!("tasks.{pool}{kind}")));
    for name in inboxes.chain(tasks).chain(["submit".to_owned(), "rejected".to_owned()]) {
        // Deleting what is not there is fine.
        channel.queue_delete(format!("{prefix}.{name}").into(), QueueDeleteOptions::default()).await?;
    }
    for name in [prefix.to_owned(), format!("{prefix}.control")] {
        channel.exchange_delete(name.into(), ExchangeDeleteOptions::default()).await?;
    }
    connection.close(200, "swept".into()).await
}

fn remove_keys(url: &str, prefix: &str) -> redis::RedisResult<()> {
    let mut connection = redis::Client::open(url)?.get_connection_with_timeout(BOUND)?;
    connection.set_read_timeout(Some(BOUND))?;
    let mut cursor = 0_u64;
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(format!("{prefix}:*")).arg("COUNT").arg(5_000);
        let (next, keys): (u64, Vec<String>) = scan.query(&mut connection)?;
        if !keys.is_empty() {
            redis::cmd("UNLINK").arg(keys).exec(&mut connection)?;
        }
        if next == 0 {
            return Ok(());
        }
        cursor = next;
    }
}
