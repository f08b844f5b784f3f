//! Executors on real processes and a real server.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bench;
mod environment;
mod guardian;
mod http;
mod leftovers;
mod outputs;
mod shell;
mod stop;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_domain::task::Task;
use millrace_domain::{
    Epoch, PartitionId, PoolName, Priority, RunId, Seq, SessionId, StepIndex, Timestamp, WorkflowId,
};
use millrace_store::{LogChunk, LogStream};
use millrace_worker::executors::{Ended, Execution, Executor, Registry};
use millrace_worker::guardian::Guardian;
use millrace_worker::log::LogWriter;
use millrace_worker::settings::Settings;
use millrace_worker::stop::{Stop, StopHandle};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;
use uuid::Uuid;

const FIXTURE: &str = env!("CARGO_BIN_EXE_worker-fixture");

/// A bench to run tasks on: a directory of its own, a guardian, and the standard executors. Needs a Tokio runtime.
struct Bench {
    directory: TempDir,
    settings: Arc<Settings>,
    registry: Registry,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(directory.path(), SessionId(Uuid::new_v4()));
        settings.guardian = Some(Guardian::start(FIXTURE, settings.session).unwrap());
        change(&mut settings);
        let registry = Registry::standard(&settings);
        Self { directory, settings: Arc::new(settings), registry }
    }

    fn guardian(&self) -> &Guardian {
        self.settings.guardian.as_ref().unwrap()
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn start(&self, task: &Task) -> Started<'_> {
        let (handle, stop) = StopHandle::new();
        Started { bench: self, task: task.clone(), handle, stop }
    }

    async fn run(&self, task: &Task) -> Ran {
        self.start(task).run().await
    }

    async fn script(&self, script: &str) -> Ran {
        self.run(&script_task(script)).await
    }
}

/// A task that can be stopped.
struct Started<'a> {
    bench: &'a Bench,
    task: Task,
    handle: StopHandle,
    stop: Stop,
}

impl Started<'_> {
    async fn run(self) -> Ran {
        let (log, chunks) = LogWriter::channel(self.bench.settings.log_budget_bytes);
        let context = Execution { log, stop: self.stop, settings: Arc::clone(&self.bench.settings) };
        let began = Instant::now();
        let deadline = Duration::from_secs(60);
        let ended = tokio::time::timeout(deadline, self.bench.registry.execute(&self.task, &context)).await;
        let ended = ended.expect("a task ended within a minute");
        context.log.finish();
        drop(context);
        Ran { ended, took: began.elapsed(), chunks: collect(chunks) }
    }
}

/// How a task ended, and what it wrote.
#[derive(Debug)]
struct Ran {
    ended: Ended,
    took: Duration,
    chunks: Vec<LogChunk>,
}

impl Ran {
    fn reason(&self) -> &str {
        self.ended.reason.as_deref().unwrap_or_default()
    }

    fn text(&self, stream: LogStream) -> String {
        self.chunks.iter().filter(|chunk| chunk.stream == stream).map(|chunk| chunk.text.as_str()).collect()
    }

    fn stdout(&self) -> String {
        self.text(LogStream::Stdout)
    }
}

fn collect(mut chunks: UnboundedReceiver<LogChunk>) -> Vec<LogChunk> {
    std::iter::from_fn(|| chunks.try_recv().ok()).collect()
}

fn task(uses: &str, with: Value) -> Task {
    Task {
        v: Task::VERSION,
        run: RunId::new(Uuid::new_v4(), PartitionId(3)),
        workflow: WorkflowId::adhoc(),
        step: "main".parse().unwrap(),
        index: StepIndex(0),
        item: None,
        attempt: 2,
        epoch: Epoch(1),
        seq: Seq(1),
        pool: PoolName::default(),
        priority: Priority::default(),
        uses: uses.to_owned(),
        with,
        env: [].into(),
        working_dir: None,
        timeout_ms: None,
        scheduled_at: Timestamp::from_millis(1_700_000_000_000),
        dispatched_at: Timestamp::from_millis(1_700_000_000_000),
        at_most_once: false,
        rate: None,
        traceparent: None,
    }
}

fn script_task(script: &str) -> Task {
    task("shell", json!({ "run": script }))
}

/// Waits for a condition with a deadline.
async fn until(what: &str, within: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whether a process lives; a zombie does not.
fn alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X'])))
}

/// The pid that a script wrote to a file.
fn pid_in(file: &Path) -> Option<i32> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}
