//! Brings the logs of all attempts to the store, behind the tasks' backs: they never wait for it. When the
//! store is away, chunks wait in memory up to a bound; past it the oldest are dropped, with a note. It is not
//! exactly once: a chunk whose append was stored but not answered is appended again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use millrace_domain::TaskId;
use millrace_store::{LogChunk, LogStream, Store, StoreError};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::log::{LogWriter, now};

/// How much waits in memory for the store, by default.
pub const BACKLOG_LIMIT_BYTES: usize = 16 * 1024 * 1024;

/// How many appends are under way at once, each of another attempt.
const SHIPPERS: usize = 8;
/// The most one append carries (one chunk at least).
const BATCH_BYTES: usize = 256 * 1024;
const APPEND_TIMEOUT: Duration = Duration::from_secs(5);
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(2);
/// What a chunk costs in memory beside its text.
const CHUNK_OVERHEAD_BYTES: usize = 64;

/// The one thing the shipper needs of a store.
#[async_trait]
trait Append: Send + Sync + 'static {
    async fn append(&self, task: TaskId, chunks: &[LogChunk], budget: u64) -> Result<(), StoreError>;
}

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
    _shippers: JoinSet<()>,
}

impl LogShipper {
    /// Starts shipping to `store`; at most `limit_bytes` wait for it. Needs a Tokio runtime.
    pub fn start(store: Arc<dyn Store>, limit_bytes: usize) -> Self {
        let store: Arc<dyn Append> = Arc::new(ToStore(store));
        Self::to(&store, limit_bytes)
    }

    fn to(store: &Arc<dyn Append>, limit_bytes: usize) -> Self {
        let backlog = Arc::new(Backlog::new(limit_bytes));
        let mut shippers = JoinSet::new();
        for _ in 0..SHIPPERS {
            shippers.spawn(ship(Arc::clone(store), Arc::clone(&backlog)));
        }
        Self { backlog, _shippers: shippers }
    }

    /// The writer of one attempt, which keeps `budget_bytes` of its output.
    pub fn writer(&self, task: TaskId, budget_bytes: u64) -> LogWriter {
        LogWriter::to_store(Arc::clone(&self.backlog), task, budget_bytes)
    }

    /// Waits until all that was written of an attempt is in the store, at most 2 s: call it before the result
    /// is reported. `false` when the time was not enough. Costs nothing for an attempt that wrote nothing.
    pub async fn flush(&self, task: TaskId) -> bool {
        match self.backlog.empty(task) {
            Some(emptied) => matches!(timeout(FLUSH_TIMEOUT, emptied).await, Ok(Ok(()))),
            None => true,
        }
    }

    /// Waits until everything is in the store, at most `within`. `false` when the time was not enough.
    pub async fn close(self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while let Some(task) = self.backlog.any() {
            let Some(emptied) = self.backlog.empty(task) else { continue };
            if timeout_at(deadline, emptied).await.is_err() {
                return false;
            }
        }
        true
    }
}

async fn ship(store: Arc<dyn Append>, backlog: Arc<Backlog>) {
    loop {
        let batch = backlog.next().await;
        let mut wait = FIRST_RETRY;
        loop {
            let appended =
                timeout(APPEND_TIMEOUT, store.append(batch.task, &batch.chunks, batch.budget)).await;
            match appended {
                Ok(Ok(())) => break,
                Ok(Err(StoreError::Unavailable(..) | StoreError::Full(_))) | Err(_) => {
                    sleep(wait).await;
                    wait = (wait * 2).min(LAST_RETRY);
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

/// What waits for the store.
#[derive(Debug)]
pub(crate) struct Backlog {
    limit_bytes: usize,
    queue: Mutex<Queue>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    attempts: HashMap<TaskId, Waiting>,
    /// Attempts that wait for a shipper, the longest waiting first.
    order: VecDeque<TaskId>,
    /// Of all chunks here, those under way included.
    bytes: usize,
}

/// What waits of one attempt.
#[derive(Debug, Default)]
struct Waiting {
    chunks: VecDeque<LogChunk>,
    dropped_bytes: u64,
    under_way: bool,
    budget: u64,
    flushes: Vec<oneshot::Sender<()>>,
}

struct Batch {
    task: TaskId,
    chunks: Vec<LogChunk>,
    cost_bytes: usize,
    budget: u64,
}

fn cost(chunk: &LogChunk) -> usize {
    chunk.text.len() + CHUNK_OVERHEAD_BYTES
}

impl Backlog {
    fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, queue: Mutex::default(), wake: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, task: TaskId, chunk: LogChunk, budget_bytes: u64) {
        let mut queue = self.lock();
        let queue = &mut *queue;
        queue.bytes += cost(&chunk);
        let waiting = queue.attempts.entry(task).or_default();
        // The worker's own words are outside of the task's budget, and a store may count more than the text.
        waiting.budget = budget_bytes.saturating_mul(2).saturating_add(64 * 1024);
        let idle = waiting.chunks.is_empty() && !waiting.under_way;
        waiting.chunks.push_back(chunk);
        if idle {
            queue.order.push_back(task);
        }
        while queue.bytes > self.limit_bytes && queue.drop_oldest(task) {}
        self.wake.notify_one();
    }

    async fn next(&self) -> Batch {
        loop {
            let woken = self.wake.notified();
            if let Some(batch) = self.take() {
                return batch;
            }
            woken.await;
        }
    }

    fn take(&self) -> Option<Batch> {
        let mut queue = self.lock();
        let queue = &mut *queue;
        let task = queue.order.pop_front()?;
        let waiting = queue.attempts.get_mut(&task)?;
        waiting.under_way = true;
        let mut chunks = Vec::new();
        if waiting.dropped_bytes > 0 {
            let bytes = std::mem::take(&mut waiting.dropped_bytes);
            let text = format!("... {bytes} bytes of output dropped: the store did not take them in time\n");
            chunks.push(LogChunk { at: now(), stream: LogStream::Worker, text });
        }
        let mut cost_bytes = 0;
        while let Some(chunk) = waiting.chunks.pop_front() {
            cost_bytes += cost(&chunk);
            chunks.push(chunk);
            if cost_bytes >= BATCH_BYTES {
                break;
            }
        }
        if !queue.order.is_empty() {
            self.wake.notify_one();
        }
        Some(Batch { task, chunks, cost_bytes, budget: waiting.budget })
    }

    fn done(&self, batch: &Batch) {
        let mut queue = self.lock();
        let queue = &mut *queue;
        queue.bytes -= batch.cost_bytes;
        let Some(waiting) = queue.attempts.get_mut(&batch.task) else { return };
        waiting.under_way = false;
        if !waiting.chunks.is_empty() || waiting.dropped_bytes > 0 {
            queue.order.push_back(batch.task);
        } else if let Some(waiting) = queue.attempts.remove(&batch.task) {
            for flush in waiting.flushes {
                // Whoever waited may have given up.
                let _ = flush.send(());
            }
        }
    }

    fn empty(&self, task: TaskId) -> Option<oneshot::Receiver<()>> {
        let mut queue = self.lock();
        let (sender, receiver) = oneshot::channel();
        queue.attempts.get_mut(&task)?.flushes.push(sender);
        Some(receiver)
    }

    fn any(&self) -> Option<TaskId> {
        self.lock().attempts.keys().next().copied()
    }
}

impl Queue {
    /// Drops one chunk: the oldest of the attempt that waits longest, or else of `task`, whose earlier ones are
    /// under way. `false` when there is none.
    fn drop_oldest(&mut self, task: TaskId) -> bool {
        let oldest = self.order.iter().copied().chain([task]).find_map(|candidate| {
            let waiting = self.attempts.get_mut(&candidate)?;
            let chunk = waiting.chunks.pop_front()?;
            waiting.dropped_bytes += chunk.text.len() as u64;
            Some(chunk)
        });
        self.bytes -= oldest.as_ref().map_or(0, cost);
        oldest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use millrace_domain::{PartitionId, RunId, StepIndex};

    use super::*;

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
        TaskId { run: RunId::new(uuid::Uuid::nil(), PartitionId(1)), step: StepIndex(step), attempt: 1 }
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
