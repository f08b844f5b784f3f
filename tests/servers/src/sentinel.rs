//! A private Redis with two replicas, watched by three Sentinels that make a replica the primary when the primary
//! is gone.

use std::fs;
use std::io;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::port;
use crate::process::{self, Process};
use crate::redis::{self, Redis};

/// The numbers of replicas and Sentinels: the fewest of which one can be lost.
const REPLICAS: usize = 2;
const SENTINELS: usize = 3;

/// The name by which the Sentinels know the primary and its replicas.
const SERVICE: &str = "millrace";

/// The longest that it may take until all know each other.
const START_BOUND: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);

/// Redis under Sentinel with its own data, ended and removed when dropped.
#[derive(Debug)]
pub struct Sentinel {
    watchers: Vec<Watcher>,
    redis: Vec<Redis>,
}

/// A Sentinel.
#[derive(Debug)]
struct Watcher {
    process: Option<Process>,
    port: u16,
    folder: TempDir,
}

impl Sentinel {
    /// Starts all, with these arguments for each Redis ([`Redis::start`]), and waits until every Sentinel knows the
    /// replicas and the other Sentinels. A primary that does not answer is replaced after about 2 s.
    pub fn start(arguments: &[&str]) -> Self {
        let primary = Redis::start(arguments);
        let of = ["--replicaof", "127.0.0.1", &primary.port().to_string(), "--repl-diskless-sync-delay", "0"]
            .map(str::to_owned);
        let of: Vec<&str> = of.iter().map(String::as_str).collect();
        let port = primary.port();
        let replica = [&of[..], arguments].concat();
        let redis = std::iter::once(primary).chain((0..REPLICAS).map(|_| Redis::start(&replica))).collect();
        let watchers = (0..SENTINELS).map(|_| Watcher::start(port)).collect();
        let all = Self { watchers, redis };
        all.wait_until("every sentinel knows the others", |watcher| {
            let master = redis::ask(watcher.port, "SENTINEL MASTER millrace")?;
            let slaves = field(&master, "num-slaves") == Some(REPLICAS);
            Ok(slaves && field(&master, "num-other-sentinels") == Some(SENTINELS - 1))
        });
        all.wait_until("the replicas are in step", |_| {
            let replication = redis::ask(port, "INFO replication")?;
            Ok(replication.matches("state=online").count() == REPLICAS)
        });
        all
    }

    /// The `host:port` of each Sentinel.
    pub fn addresses(&self) -> Vec<String> {
        self.watchers.iter().map(|watcher| format!("127.0.0.1:{}", watcher.port)).collect()
    }

    /// The name by which the Sentinels know the primary and its replicas.
    pub fn service(&self) -> &'static str {
        SERVICE
    }

    /// The number of Redis servers: the first primary is number 0.
    pub fn len(&self) -> usize {
        self.redis.len()
    }

    /// Whether there is no Redis server, which is never so.
    pub fn is_empty(&self) -> bool {
        self.redis.is_empty()
    }

    /// The number of the server that is the primary now, as most Sentinels say; `None` while they do not agree.
    pub fn primary(&self) -> Option<usize> {
        let named = |watcher: &Watcher| {
            let answer = redis::ask(watcher.port, "SENTINEL GET-MASTER-ADDR-BY-NAME millrace").ok()?;
            let port: u16 = answer.lines().last()?.parse().ok()?;
            self.redis.iter().position(|redis| redis.port() == port)
        };
        let named: Vec<Option<usize>> = self.watchers.iter().map(named).collect();
        let votes = |number| named.iter().filter(|one| **one == Some(number)).count();
        (0..self.redis.len()).find(|number| votes(*number) > SENTINELS / 2)
    }

    /// A Redis server by its number, to stop, kill and start again. One that was the primary comes back as such,
    /// until a Sentinel tells it otherwise within about 10 s.
    ///
    /// # Panics
    /// When there is no such server.
    pub fn redis(&mut self, number: usize) -> &mut Redis {
        &mut self.redis[number]
    }

    /// Kills a Sentinel at once. Two are left to agree.
    ///
    /// # Panics
    /// When there is no such Sentinel.
    pub fn kill_sentinel(&mut self, number: usize) {
        self.watchers[number].process = None;
    }

    /// Starts a Sentinel again with what it knew. Does nothing when it runs.
    ///
    /// # Panics
    /// When there is no such Sentinel, or it does not start.
    pub fn start_sentinel_again(&mut self, number: usize) {
        self.watchers[number].start_again();
    }

    fn wait_until(&self, what: &str, is: impl Fn(&Watcher) -> io::Result<bool>) {
        let deadline = Instant::now() + START_BOUND;
        while !self.watchers.iter().all(|watcher| is(watcher).unwrap_or(false)) {
            assert!(Instant::now() < deadline, "waited {START_BOUND:?} until {what}");
            thread::sleep(LOOK);
        }
    }
}

impl Watcher {
    fn start(primary: u16) -> Self {
        let folder = match TempDir::with_prefix("millrace-sentinel-") {
            Ok(folder) => folder,
            Err(error) => panic!("a temporary folder for sentinel cannot be made: {error}"),
        };
        let port = port::free();
        let quorum = SENTINELS / 2 + 1;
        let lines = format!(
            "bind 127.0.0.1\nport {port}\npidfile {}\ndir {}\n\
             sentinel monitor {SERVICE} 127.0.0.1 {primary} {quorum}\n\
             sentinel down-after-milliseconds {SERVICE} 1500\n\
             sentinel failover-timeout {SERVICE} 6000\n\
             sentinel parallel-syncs {SERVICE} {REPLICAS}\n",
            process::pid_file(folder.path()).display(),
            folder.path().display(),
        );
        if let Err(error) = fs::write(folder.path().join("sentinel.conf"), lines) {
            panic!("the configuration of sentinel cannot be written: {error}");
        }
        let mut watcher = Self { process: None, port, folder };
        watcher.start_again();
        watcher
    }

    fn start_again(&mut self) {
        if self.process.is_some() {
            return;
        }
        let folder = self.folder.path();
        let mut command = Command::new("redis-server");
        command.arg(folder.join("sentinel.conf")).arg("--sentinel");
        let port = self.port;
        let started = Process::start(&mut command, folder).and_then(|mut process| {
            process.wait_until(|| redis::answers(port).unwrap_or(false))?;
            Ok(process)
        });
        match started {
            Ok(process) => self.process = Some(process),
            Err(error) => panic!("sentinel did not start: {error}\n{}", process::last_lines(folder)),
        }
    }
}

/// The number that follows a name in an answer on the wire.
fn field(answer: &str, name: &str) -> Option<usize> {
    let mut lines = answer.lines().skip_while(|line| *line != name);
    lines.nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_primary_is_replaced_and_comes_back_as_a_replica() {
        let mut sentinel = Sentinel::start(&[]);
        assert_eq!((sentinel.primary(), sentinel.len()), (Some(0), 3));
        assert_eq!(redis::ask(sentinel.redis(0).port(), "SET kept 7").unwrap(), "+OK\r\n");
        assert_eq!(redis::ask(sentinel.redis(0).port(), "WAIT 2 1000").unwrap(), ":2\r\n");
        sentinel.redis(0).kill();
        let deadline = Instant::now() + Duration::from_secs(30);
        let heir = loop {
            match sentinel.primary() {
                Some(number) if number != 0 => break number,
                seen => assert!(Instant::now() < deadline, "no new primary: {seen:?}"),
            }
            thread::sleep(LOOK);
        };
        assert_eq!(redis::ask(sentinel.redis(heir).port(), "GET kept").unwrap(), "$1\r\n7\r\n");
        sentinel.redis(0).start_again();
        let port = sentinel.redis(0).port();
        while !redis::ask(port, "ROLE").is_ok_and(|role| role.contains("slave")) {
            assert!(Instant::now() < deadline + Duration::from_secs(30), "it stayed a primary");
            thread::sleep(LOOK);
        }
    }
}
