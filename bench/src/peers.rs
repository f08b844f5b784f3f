//! Celery and BullMQ on the same servers, doing the same work. Their programs are in `bench/peers`; a script there
//! installs them. A worker is up only while its peer is measured, so that it burdens no other.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use redis::aio::MultiplexedConnection;
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use crate::arguments::{Arguments, Workload};
use crate::cpu::Meter;
use crate::failure::Failure;
use crate::fleet::Servers;
use crate::graph;
use crate::latency::{RATE, percentiles};
use crate::program::Program;
use crate::report::Report;
use crate::throughput::BOUND;

/// One peer with its settings.
pub(crate) struct Peer {
    /// The column of the peer in the report.
    pub(crate) column: &'static str,
    tool: Tool,
    /// The arguments of the worker that choose its pool.
    pool: &'static [&'static str],
    prefetch: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tool {
    Celery,
    BullMq,
}

/// All peers. Of Celery's pools, which is fastest depends on the work.
pub(crate) const PEERS: [Peer; 4] = [
    Peer { column: "celery solo", tool: Tool::Celery, pool: &["-P", "solo"], prefetch: "100" },
    Peer {
        column: "celery threads8",
        tool: Tool::Celery,
        pool: &["-P", "threads", "-c", "8"],
        prefetch: "16",
    },
    Peer {
        column: "celery prefork2",
        tool: Tool::Celery,
        pool: &["-P", "prefork", "-c", "2"],
        prefetch: "64",
    },
    Peer { column: "bullmq", tool: Tool::BullMq, pool: &[], prefetch: "" },
];

/// The tasks before anything counts, and the most tasks of one measurement.
const WARM_UP: usize = 200;
const MOST_TASKS: usize = 5_000;
const LOOK: Duration = Duration::from_millis(5);

/// Measures all peers once. `home` is where they were installed.
pub(crate) async fn round(home: &Path, servers: &Servers, arguments: &Arguments, report: &mut Report) {
    for peer in &PEERS {
        let measured = async {
            let running = Running::start(peer, home, servers).await?;
            running.measure(arguments, servers, report).await?;
            running.worker.stop().await
        };
        if let Err(why) = measured.await {
            report.note_failure(peer.column, &why);
        }
    }
}

/// A peer whose worker is up.
struct Running<'a> {
    peer: &'a Peer,
    worker: Program,
    home: &'a Path,
    environment: Vec<(&'static str, String)>,
    queue: String,
    store: MultiplexedConnection,
    waits: TempDir,
}

impl<'a> Running<'a> {
    /// Starts the worker on a queue and a database of its own.
    async fn start(peer: &'a Peer, home: &'a Path, servers: &Servers) -> Result<Self, Failure> {
        let waits = TempDir::with_prefix("millrace-bench-peer-")?;
        let queue = format!("peer-{}", Uuid::new_v4().simple());
        let redis_url = format!("{}/2", servers.redis.url());
        let mut store = redis::Client::open(redis_url.as_str())?.get_multiplexed_async_connection().await?;
        let _: () = redis::cmd("FLUSHDB").query_async(&mut store).await?;
        let environment = vec![
            ("PEER_AMQP_URL", servers.rabbitmq.url()),
            ("PEER_REDIS_URL", redis_url),
            ("PEER_QUEUE", queue.clone()),
            ("PEER_PREFETCH", peer.prefetch.to_owned()),
            ("PEER_WAITS", waits.path().display().to_string()),
            ("NODE_PATH", home.join("bullmq/node_modules").display().to_string()),
            ("NODE_ENV", "production".to_owned()),
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
        ];
        let celery = ["-A", "app", "worker", "-l", "WARNING", "--without-gossip", "--without-mingle"];
        let mut command = match peer.tool {
            Tool::Celery => {
                let mut command = Command::new(home.join("celery/bin/celery"));
                command.args(celery).arg("--without-heartbeat").args(peer.pool);
                command
            }
            Tool::BullMq => command_of("node", "worker.js"),
        };
        command.current_dir(folder(peer.tool)).envs(environment.iter().map(|(n, v)| (n, v)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let worker = Program::spawn(command).map_err(|e| {
            format!("{e}: install the peers first with bench/peers/setup.sh {}", home.display())
        })?;
        Ok(Self { peer, worker, home, environment, queue, store, waits })
    }

    /// Measures all workloads that are wanted and that the peer can do.
    async fn measure(
        &self,
        arguments: &Arguments,
        servers: &Servers,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let column = self.peer.column;
        self.submit("submit", WARM_UP).await?;
        if arguments.wants(Workload::W1) {
            self.throughput(arguments.tasks().min(MOST_TASKS), servers, report).await?;
        }
        if arguments.wants(Workload::W2) {
            let waits = self.latency(arguments.latencies()).await?;
            report.note("w2.p50", column, waits.p50);
            report.note("w2.p99", column, waits.p99);
        }
        if arguments.wants(Workload::W3) {
            for (key, what, size) in [("w3.chain", "chain", graph::CHAIN), ("w3.fan", "fan", graph::FAN)] {
                let answer = self.client(&[what, &size.to_string()]).await?;
                let took = answer["ms"].as_f64().ok_or("a client that did not say how long")?;
                report.note(key, column, took);
            }
        }
        Ok(())
    }

    /// Measures the throughput in each way of submitting that the peer has, with what it cost.
    async fn throughput(&self, tasks: usize, servers: &Servers, report: &mut Report) -> Result<(), Failure> {
        let ways: &[_] = match self.peer.tool {
            Tool::Celery => &[("w1.singly", "submit")],
            Tool::BullMq => &[("w1.singly", "submit"), ("w1.batches", "bulk")],
        };
        for (key, way) in ways {
            let mut processes = servers.processes();
            processes.push(("worker", self.worker.pid()));
            let meter = Meter::start(processes);
            let (speed, client_cpu) = self.submit(way, tasks).await?;
            let mut split = meter.per_thousand(tasks);
            split.insert("client", client_cpu / tasks as f64 * 1e3);
            report.note_cpu(key, self.peer.column, split);
            report.note(key, self.peer.column, speed);
        }
        Ok(())
    }

    /// Submits tasks until the last result is in the store, and returns the tasks a second and the client's CPU
    /// seconds.
    async fn submit(&self, way: &str, tasks: usize) -> Result<(f64, f64), Failure> {
        let before = self.results().await?;
        let count = tasks.to_string();
        let arguments = [way, count.as_str()];
        let (answer, ended) = tokio::try_join!(self.client(&arguments), self.ended(before + tasks))?;
        let began = answer["began"].as_f64().zip(answer["cpu"].as_f64());
        let (began, cpu) = began.ok_or("a client that did not say when it began")?;
        Ok((tasks as f64 / (ended - began), cpu))
    }

    /// Waits until there are so many results, and returns when that was: seconds since the epoch.
    async fn ended(&self, wanted: usize) -> Result<f64, Failure> {
        let deadline = Instant::now() + BOUND;
        while self.results().await? < wanted {
            if Instant::now() > deadline {
                return Err(format!("there are not {wanted} results after {BOUND:?}").into());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64())
    }

    /// Counts the results that the peer has stored.
    async fn results(&self) -> Result<usize, Failure> {
        let mut store = self.store.clone();
        let mut command = match self.peer.tool {
            Tool::Celery => redis::cmd("DBSIZE"),
            Tool::BullMq => redis::cmd("ZCARD"),
        };
        if self.peer.tool == Tool::BullMq {
            command.arg(format!("bull:{}:completed", self.queue));
        }
        Ok(command.query_async(&mut store).await?)
    }

    /// Measures the time from the submission to the start of a task, as the task itself tells it.
    async fn latency(&self, count: usize) -> Result<crate::latency::Waits, Failure> {
        self.client(&["rate", &RATE.to_string(), &count.to_string()]).await?;
        let deadline = Instant::now() + BOUND;
        loop {
            let waits = self.written()?;
            if waits.len() >= count {
                return percentiles(waits);
            }
            if Instant::now() > deadline {
                return Err(format!("only {} of {count} tasks have started", waits.len()).into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn written(&self) -> Result<Vec<f64>, Failure> {
        let mut waits = Vec::new();
        for file in std::fs::read_dir(self.waits.path())? {
            let text = std::fs::read_to_string(file?.path())?;
            // A line without its end is still being written.
            waits.extend(
                text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse::<f64>().ok()),
            );
        }
        Ok(waits)
    }

    /// Runs the peer's client to its end, and reads its answer.
    async fn client(&self, arguments: &[&str]) -> Result<Value, Failure> {
        let mut command = match self.peer.tool {
            Tool::Celery => command_of(self.home.join("celery/bin/python"), "client.py"),
            Tool::BullMq => command_of("node", "client.js"),
        };
        command.args(arguments).current_dir(folder(self.peer.tool)).stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut command = tokio::process::Command::from(command);
        let done = tokio::time::timeout(BOUND, command.kill_on_drop(true).output()).await??;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr);
            return Err(format!("client {arguments:?}: {}", said.lines().last().unwrap_or_default()).into());
        }
        Ok(serde_json::from_slice(&done.stdout)?)
    }
}

fn command_of(program: impl AsRef<std::ffi::OsStr>, script: &str) -> Command {
    let mut command = Command::new(program);
    command.arg(script);
    command
}

/// The folder of a peer's programs.
fn folder(tool: Tool) -> std::path::PathBuf {
    let name = if tool == Tool::Celery { "celery" } else { "bullmq" };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}
