//! The stage of a recording: the servers, and the processes of the old version on them.

use std::path::Path;

use millrace_faults::proxy::Proxy;
use millrace_tests::{Fleet, Process, wait_until};
use redis::Commands;

use super::log::BOUND;

/// The prefix of the recording.
pub(super) const PREFIX: &str = "millrace";

/// The servers, and the program.
pub(super) struct Stage<'a> {
    pub(super) program: &'a Path,
    pub(super) fleet: Fleet,
    pub(super) redis_url: String,
}

impl Stage<'_> {
    /// Starts a producer that reaches Redis through a proxy.
    pub(super) async fn producer(&self, prefix: &str, redis: &Proxy) -> Process {
        let url = format!("redis://127.0.0.1:{}", redis.port());
        let variables =
            [("MILLRACE_PREFIX", prefix), ("MILLRACE_PARTITIONS", "4"), ("MILLRACE_REDIS_URL", &url)];
        self.start("producer", &[], &variables).await
    }

    pub(super) async fn worker(&self, prefix: &str, pool: &str, slots: &str) -> Process {
        let arguments = ["--pool", pool, "--concurrency", slots, "--label", "zone=a"];
        self.start("worker", &arguments, &[("MILLRACE_PREFIX", prefix)]).await
    }

    pub(super) async fn start(&self, role: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Process {
        let log = self.fleet.folder();
        let mut process = self.fleet.start_program(self.program, log, role, arguments, variables);
        process.is_ready().await;
        process
    }

    /// A field of a run, as Redis holds it.
    pub(super) fn field(&self, run: &str, field: &str) -> Option<String> {
        let mut connection = redis::Client::open(self.redis_url.as_str()).unwrap().get_connection().unwrap();
        let keys: Vec<String> = connection.keys(format!("{PREFIX}:*:run:{run}")).unwrap();
        connection.hget(keys.first()?, field).unwrap()
    }

    /// Waits until a record of an attempt begins so: `q`, `c`, `f` or `x`.
    pub(super) async fn record_is(&self, run: &str, field: &str, phase: char) {
        wait_until(BOUND, &format!("{field} of {run} is {phase}"), async || {
            let record = self.field(run, field).unwrap_or_default();
            if record.starts_with(phase) { Ok(()) } else { Err(record) }
        })
        .await;
    }
}
