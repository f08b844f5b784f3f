//! Publishes what commits have dispatched. The outbox is not a second copy of the messages: the watch holds
//! every dispatched attempt, a commit stores the watermark up to which all is confirmed, and whoever takes a
//! partition over publishes what came after it again. A crash so makes a duplicate, never a loss.

use std::sync::Arc;
use std::time::Duration;

use millrace_broker::{BrokerError, Outgoing, Queue, Route};
use millrace_domain::task::Task;
use millrace_domain::{Lane, Timestamp};
use millrace_runtime::Backoff;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::context::Context;
use crate::failpoint;

/// Tasks on their way to the broker, at most; past it, the loop waits.
const IN_FLIGHT: usize = 8_000;

/// The publisher of tasks.
pub(crate) struct Outbox {
    context: Arc<Context>,
    room: Arc<Semaphore>,
}

impl Outbox {
    /// An empty one.
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self { context, room: Arc::new(Semaphore::new(IN_FLIGHT)) }
    }

    /// Publishes tasks, packed into messages, in the background until each is confirmed.
    pub(crate) fn publish(&self, packed: Vec<Vec<Task>>, dispatched_at: Timestamp) {
        for tasks in split(packed) {
            let batch = self.context.published.send(dispatched_at, tasks.len());
            let (context, room) = (Arc::clone(&self.context), Arc::clone(&self.room));
            tokio::spawn(async move {
                let permits = u32::try_from(count(&tasks)).unwrap_or(u32::MAX);
                let Ok(permit) = room.acquire_many_owned(permits).await else { return };
                if deliver(&context, tasks, permit).await {
                    context.published.confirm(batch);
                }
            });
        }
    }

    /// Waits while too many tasks are on their way: whoever comes first is served first.
    pub(crate) async fn room(&self) {
        drop(self.room.acquire().await);
    }
}

/// The interval at which it is logged again that tasks cannot be published for good.
const TELL_AGAIN: Duration = Duration::from_secs(30);

/// The first and the longest wait before messages that were not confirmed are published again.
const WAITS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// The number of tasks in messages.
fn count(packed: &[Vec<Task>]) -> usize {
    packed.iter().map(Vec::len).sum()
}

/// Batches that always fit into the room there is.
fn split(packed: Vec<Vec<Task>>) -> Vec<Vec<Vec<Task>>> {
    if packed.is_empty() {
        return Vec::new();
    }
    if count(&packed) <= IN_FLIGHT / 4 {
        return vec![packed];
    }
    let (mut parts, mut room) = (Vec::new(), 0);
    for tasks in packed {
        if tasks.len() > room {
            parts.push(Vec::new());
            room = IN_FLIGHT / 4;
        }
        room -= tasks.len();
        if let Some(part) = parts.last_mut() {
            part.push(tasks);
        }
    }
    parts
}

/// Publishes until all are confirmed. `false` when the process ends first.
async fn deliver(context: &Context, mut packed: Vec<Vec<Task>>, _room: OwnedSemaphorePermit) -> bool {
    let mut backoff = Backoff::new(WAITS.0, WAITS.1);
    let mut told: Option<Instant> = None;
    loop {
        let messages = packed.iter().filter_map(|tasks| message_of(tasks)).collect();
        let results = context.broker.publish(messages).await;
        let mut failed = results.into_iter();
        packed.retain(|tasks| match (failed.next(), tasks.first()) {
            (Some(Ok(())), _) | (_, None) => false,
            (Some(Err(error)), Some(task)) => {
                tracing::debug!(task = %task.id(), %error, "task not confirmed; publishing it again");
                // Trying again does not help by itself: somebody has to know.
                if matches!(error, BrokerError::Configuration(_))
                    && told.is_none_or(|told| told.elapsed() >= TELL_AGAIN)
                {
                    tracing::warn!(queue = %task.queue(), %error, "the tasks of a queue cannot be published");
                    told = Some(Instant::now());
                }
                true
            }
            (None, _) => true,
        });
        if packed.is_empty() {
            failpoint::pass("published");
            return true;
        }
        if context.shutdown.has_begun() {
            return false;
        }
        backoff.wait().await;
    }
}

/// The message of one task, or of a bundle: all of one lane.
pub(crate) fn message_of(tasks: &[Task]) -> Option<Outgoing> {
    let first = tasks.first()?;
    let Lane { queue, priority } = first.lane();
    let mut message = Outgoing::new(Route::Queue(Queue::Tasks(queue.to_string())), Task::message(tasks));
    message.level = priority.level();
    Some(message)
}
