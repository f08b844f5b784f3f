//! Brings the logs of all attempts to the store, behind the tasks' backs: they never wait for it. When the
//! store is away, chunks wait in memory up to a bound; past it the oldest are dropped, with a note. It is not exactly
//! once: a chunk whose append was stored but not answered is appended again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use millrace_domain::TaskId;
use millrace_runtime::Backoff;
use millrace_store::{LogChunk, Store, StoreError};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::backlog::Backlog;
use super::tail::Tails;
use super::writer::LogWriter;

/// How much waits in memory for the store, by default.
pub const BACKLOG_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// How much of the ends of logs waits in memory for their tasks to end, of all tasks together.
const TAILS_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// How many appends are under way at once, each of another attempt.
const SHIPPERS: usize = 8;
/// How long an append may take.
const APPEND_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a task's report waits for its log.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);
/// The first wait before an append is tried again.
const FIRST_RETRY: Duration = Duration::from_millis(100);
/// The longest wait before an append is tried again.
const LONGEST_RETRY: Duration = Duration::from_secs(2);

/// The one thing the shipper needs of a store.
#[async_trait]
trait Append: Send + Sync + 'static {
    async fn append(&self, task: TaskId, chunks: &[LogChunk], budget: u64) -> Result<(), StoreError>;
}

/// The store, as the shipper sees it.
struct ToStore(Arc<dyn Store>);

#[async_trait]
impl Append for ToStore {
    async fn append(&self, task: TaskId, chunks: &[LogChunk], budget: u64) -> Result<(), StoreError> {
        self.0.append_log(task, chunks, budget).await
    }
}

/// The background tasks that empty the backlog. They end when this is dropped.
#[derive(Debug)]
pub struct LogShipper {
    backlog: Arc<Backlog>,
    tails: Arc<Tails>,
    _shippers: JoinSet<()>,
}

impl LogShipper {
    /// Starts shipping to `store`; at most `limit_bytes` wait for it. Needs a Tokio runtime.
    pub fn start(store: Arc<dyn Store>, limit_bytes: usize) -> Self {
        let store: Arc<dyn Append> = Arc::new(ToStore(store));
        Self::to(&store, limit_bytes)
    }

    /// Starts shipping to whatever takes appends.
    fn to(store: &Arc<dyn Append>, limit_bytes: usize) -> Self {
        let backlog = Arc::new(Backlog::new(limit_bytes));
        let mut shippers = JoinSet::new();
        for _ in 0..SHIPPERS {
            shippers.spawn(ship(Arc::clone(store), Arc::clone(&backlog)));
        }
        Self { backlog, tails: Arc::new(Tails::new(TAILS_LIMIT_BYTES)), _shippers: shippers }
    }

    /// Opens the log of one attempt, which keeps `budget_bytes` of its output: three quarters of its beginning, and a
    /// quarter of its end once [`LogWriter::finish`] is called.
    pub fn writer(&self, task: TaskId, budget_bytes: u64) -> LogWriter {
        LogWriter::to_store(Arc::clone(&self.backlog), Arc::clone(&self.tails), task, budget_bytes)
    }

    /// Waits until all that was written of an attempt is in the store, at most 2 s: call it before the result
    /// is reported. `false` when the time was not enough. Costs nothing for an attempt that wrote nothing.
    pub async fn flush(&self, task: TaskId) -> bool {
        match self.backlog.emptied(task) {
            Some(emptied) => matches!(timeout(FLUSH_TIMEOUT, emptied).await, Ok(Ok(()))),
            None => true,
        }
    }

    /// Waits until everything is in the store, at most `within`. `false` when the time was not enough.
    pub async fn close(self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while let Some(task) = self.backlog.any() {
            let Some(emptied) = self.backlog.emptied(task) else { continue };
            if timeout_at(deadline, emptied).await.is_err() {
                return false;
            }
        }
        true
    }
}

/// Appends one batch after the other, each until the store has taken or refused it.
async fn ship(store: Arc<dyn Append>, backlog: Arc<Backlog>) {
    loop {
        let batch = backlog.next().await;
        let mut backoff = Backoff::new(FIRST_RETRY, LONGEST_RETRY);
        loop {
            let appended =
                timeout(APPEND_TIMEOUT, store.append(batch.task, &batch.chunks, batch.budget)).await;
            match appended {
                Ok(Ok(())) => break,
                Ok(Err(StoreError::Unavailable(..) | StoreError::Full(_))) | Err(_) => {
                    backoff.wait().await;
                }
                Ok(Err(error)) => {
                    tracing::warn!(task = %batch.task, %error, "a part of a log was refused and is dropped");
                    break;
                }
            }
        }
        backlog.done(&batch);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use millrace_domain::{PartitionId, RunId, StepIndex};
    use millrace_store::LogStream;

    use super::*;
    use crate::log::backlog::CHUNK_OVERHEAD_BYTES;

    /// Keeps what it is given, unless it is away.
    #[derive(Default)]
    struct Shelf {
        away: AtomicBool,
        kept: Mutex<HashMap<TaskId, String>>,
    }

    #[async_trait]
    impl Append for Shelf {
        async fn append(&self, task: TaskId, chunks: &[LogChunk], _: u64) -> Result<(), StoreError> {
            if self.away.load(Ordering::SeqCst) {
                return Err(StoreError::Unavailable("here".into(), "away".into()));
            }
            let mut kept = self.kept.lock().unwrap();
            kept.entry(task).or_default().extend(chunks.iter().map(|chunk| chunk.text.as_str()));
            Ok(())
        }
    }

    fn task(step: u32) -> TaskId {
        TaskId {
            run: RunId::new(uuid::Uuid::nil(), PartitionId(1)),
            unit: StepIndex(step).into(),
            attempt: 1,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_flush_waits_until_all_of_an_attempt_is_stored_in_order() {
        let shelf = Arc::new(Shelf::default());
        let shipper = LogShipper::to(&(shelf.clone() as Arc<dyn Append>), BACKLOG_LIMIT_BYTES);
        for step in 0..50 {
            let log = shipper.writer(task(step), 1 << 20);
            for line in 0..20 {
                log.write(LogStream::Stdout, &format!("{line} "));
                tokio::task::yield_now().await;
            }
        }
        let expected: String = (0..20).map(|line| format!("{line} ")).collect();
        for step in 0..50 {
            assert!(shipper.flush(task(step)).await);
            assert_eq!(shelf.kept.lock().unwrap()[&task(step)], expected);
        }
        assert!(shipper.flush(task(99)).await, "an attempt that wrote nothing has nothing to wait for");
    }

    #[tokio::test(start_paused = true)]
    async fn chunks_outlive_an_outage_of_the_store_and_a_flush_does_not_wait_for_ever() {
        let shelf = Arc::new(Shelf::default());
        shelf.away.store(true, Ordering::SeqCst);
        let shipper = LogShipper::to(&(shelf.clone() as Arc<dyn Append>), BACKLOG_LIMIT_BYTES);
        shipper.writer(task(0), 100).write(LogStream::Stdout, "kept");
        assert!(!shipper.flush(task(0)).await);
        shelf.away.store(false, Ordering::SeqCst);
        assert!(shipper.close(Duration::from_secs(10)).await);
        assert_eq!(shelf.kept.lock().unwrap()[&task(0)], "kept");
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_a_long_log_is_stored_before_a_flush_is_over() {
        let shelf = Arc::new(Shelf::default());
        let shipper = LogShipper::to(&(shelf.clone() as Arc<dyn Append>), BACKLOG_LIMIT_BYTES);
        let log = shipper.writer(task(0), 1 << 20);
        for line in 0..300_000 {
            log.write(LogStream::Stdout, &format!("line {line}\n"));
        }
        log.write(LogStream::Stderr, "the cause\n");
        log.finish();
        assert!(shipper.flush(task(0)).await);
        let kept = &shelf.kept.lock().unwrap()[&task(0)];
        assert!(kept.starts_with("line 0\nline 1\n") && kept.ends_with("line 299999\nthe cause\n"));
        assert!((1_000_000..1_050_000).contains(&kept.len()), "{} bytes", kept.len());
        let note = kept.lines().find(|line| line.ends_with("are left out here")).unwrap();
        let kept_lines = kept.lines().filter(|line| line.starts_with("line ")).count();
        assert!(
            note.contains(&format!("({} lines)", 300_000 - kept_lines)),
            "{note}, {kept_lines} lines are there"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn past_the_bound_the_oldest_chunks_are_dropped_with_a_note() {
        let shelf = Arc::new(Shelf::default());
        shelf.away.store(true, Ordering::SeqCst);
        let shipper = LogShipper::to(&(shelf.clone() as Arc<dyn Append>), 20 * (1 + CHUNK_OVERHEAD_BYTES));
        // Once every shipper is busy with an attempt, what comes after has to wait.
        for step in 0..SHIPPERS as u32 {
            shipper.writer(task(step), 100).write(LogStream::Stdout, "x");
            tokio::task::yield_now().await;
        }
        let log = shipper.writer(task(50), 1 << 20);
        for letter in 'a'..='z' {
            log.write(LogStream::Stdout, &letter.to_string());
        }
        shelf.away.store(false, Ordering::SeqCst);
        assert!(shipper.close(Duration::from_secs(10)).await);
        let kept = shelf.kept.lock().unwrap();
        let note = "... 14 bytes of output dropped: the store did not take them in time\n";
        assert_eq!(kept[&task(50)], format!("{note}opqrstuvwxyz"));
        assert_eq!(kept[&task(0)], "x");
    }
}
