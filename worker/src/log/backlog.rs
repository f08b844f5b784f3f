//! Chunks of logs that wait for the store, within a bound of memory. How they get there is in [`super::shipper`].

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use millrace_domain::{TaskId, Timestamp};
use millrace_store::{LogChunk, LogStream};
use tokio::sync::{Notify, oneshot};

/// How much one append carries at most (one chunk at least).
const BATCH_BYTES: usize = 256 * 1024;
/// How much a chunk costs in memory beside its text.
pub(crate) const CHUNK_OVERHEAD_BYTES: usize = 64;

/// The backlog: all chunks that wait for the store.
#[derive(Debug)]
pub(crate) struct Backlog {
    limit_bytes: usize,
    queue: Mutex<Queue>,
    wake: Notify,
}

/// The chunks by their attempts, and whose turn it is.
#[derive(Debug, Default)]
struct Queue {
    attempts: HashMap<TaskId, Waiting>,
    /// Attempts that wait for a shipper, the longest waiting first.
    order: VecDeque<TaskId>,
    /// The cost of all chunks here, those under way included.
    bytes: usize,
}

/// The chunks of one attempt that wait.
#[derive(Debug, Default)]
struct Waiting {
    chunks: VecDeque<LogChunk>,
    dropped_bytes: u64,
    under_way: bool,
    /// How much the store is to keep of the attempt, in bytes.
    budget: u64,
    /// Those who wait until nothing of the attempt is left here.
    flushes: Vec<oneshot::Sender<()>>,
}

/// The chunks of one append.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) task: TaskId,
    pub(crate) chunks: Vec<LogChunk>,
    cost_bytes: usize,
    /// How much the store is to keep of the attempt.
    pub(crate) budget: u64,
}

/// The cost of a chunk in memory.
fn cost(chunk: &LogChunk) -> usize {
    chunk.text.len() + CHUNK_OVERHEAD_BYTES
}

impl Backlog {
    /// A backlog that costs at most `limit_bytes`.
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, queue: Mutex::default(), wake: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a chunk; what is over the bound is dropped, the oldest first.
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

    /// Waits for the next batch. Its attempt is under way until [`Backlog::done`].
    pub(crate) async fn next(&self) -> Batch {
        loop {
            let woken = self.wake.notified();
            if let Some(batch) = self.take() {
                return batch;
            }
            woken.await;
        }
    }

    /// Takes the next batch, if anything waits.
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

    /// Ends a batch that was stored, or given up.
    pub(crate) fn done(&self, batch: &Batch) {
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

    /// Answers when nothing of an attempt is left here; `None` when that is so already.
    pub(crate) fn emptied(&self, task: TaskId) -> Option<oneshot::Receiver<()>> {
        let mut queue = self.lock();
        let (sender, receiver) = oneshot::channel();
        queue.attempts.get_mut(&task)?.flushes.push(sender);
        Some(receiver)
    }

    /// Finds an attempt of which something is left here.
    pub(crate) fn any(&self) -> Option<TaskId> {
        self.lock().attempts.keys().next().copied()
    }
}

/// The time of day, which every chunk bears.
pub(super) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
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
