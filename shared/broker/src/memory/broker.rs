//! The broker in memory: a directory of queues.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};

use super::consumer::Consuming;
use super::queue::MemoryQueue;
use crate::{Broker, BrokerError, Consumer, Depth, Outgoing, Queue, Route};

/// A broker in this process. Clones share it; when the last is dropped, every stream ends.
#[derive(Debug, Clone)]
pub struct MemoryBroker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    prefix: String,
    directory: RwLock<Directory>,
    ready: watch::Sender<bool>,
    /// The reason why it takes no messages; there is never one.
    blocked: watch::Sender<Option<Arc<str>>>,
}

#[derive(Debug, Default)]
struct Directory {
    queues: HashMap<Queue, Arc<MemoryQueue>>,
    by_name: HashMap<String, Queue>,
    closed: bool,
}

impl MemoryBroker {
    /// An empty broker, ready at once. The prefix shows only in the names that [`Route::ReplyTo`] takes.
    pub fn new(prefix: impl Into<String>) -> Self {
        let shared = Shared {
            prefix: prefix.into(),
            directory: RwLock::default(),
            ready: watch::Sender::new(true),
            blocked: watch::Sender::default(),
        };
        Self { shared: Arc::new(shared) }
    }
}

impl Shared {
    fn read(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Directory> {
        self.directory.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn declare(&self, queue: &Queue) -> Result<Arc<MemoryQueue>, BrokerError> {
        let mut directory = self.write();
        if directory.closed {
            return Err(BrokerError::Closed);
        }
        if let Some(found) = directory.queues.get(queue)
            && !found.is_gone()
        {
            return Ok(Arc::clone(found));
        }
        let name = queue.name(&self.prefix);
        let made = Arc::new(MemoryQueue::new(name.clone(), !queue.is_durable()));
        directory.queues.insert(queue.clone(), Arc::clone(&made));
        directory.by_name.insert(name, queue.clone());
        Ok(made)
    }

    /// The durable queues for which there are messages and that are not there.
    fn missing(&self, messages: &[Outgoing]) -> Vec<Queue> {
        let directory = self.read();
        let queues = messages.iter().filter_map(|message| match &message.route {
            Route::Queue(queue) => Some(queue),
            Route::Control | Route::ReplyTo(_) => None,
        });
        let is_missing = |queue: &&Queue| queue.is_durable() && !directory.queues.contains_key(*queue);
        queues.filter(is_missing).cloned().collect()
    }

    fn forget(&self, queue: &Queue, gone: &Arc<MemoryQueue>) {
        let mut directory = self.write();
        if directory.queues.get(queue).is_some_and(|found| Arc::ptr_eq(found, gone)) {
            directory.queues.remove(queue);
            directory.by_name.remove(gone.name());
        }
    }
}

impl Directory {
    fn find(&self, queue: &Queue, prefix: &str) -> Result<&Arc<MemoryQueue>, BrokerError> {
        if self.closed {
            return Err(BrokerError::Closed);
        }
        self.queues.get(queue).ok_or_else(|| BrokerError::Unroutable(queue.name(prefix)))
    }

    fn publish(&self, message: Outgoing, prefix: &str) -> Result<(), BrokerError> {
        let Outgoing { route, payload, level, properties } = message;
        match route {
            Route::Queue(queue) => {
                let level = if matches!(queue, Queue::Tasks(_)) { level } else { 0 };
                self.find(&queue, prefix)?.publish(level, payload, properties)
            }
            Route::ReplyTo(name) => match self.by_name.get(&name) {
                Some(queue) => self.find(queue, prefix)?.publish(0, payload, properties),
                None if self.closed => Err(BrokerError::Closed),
                None => Err(BrokerError::Unroutable(name)),
            },
            Route::Control if self.closed => Err(BrokerError::Closed),
            Route::Control => {
                for (queue, copy) in &self.queues {
                    if matches!(queue, Queue::Control(_)) {
                        // A worker that goes in this moment is as good as one that went before.
                        let _ = copy.publish(0, payload.clone(), properties.clone());
                    }
                }
                Ok(())
            }
        }
    }
}

#[async_trait]
impl Broker for MemoryBroker {
    async fn declare(&self, queue: &Queue) -> Result<(), BrokerError> {
        self.shared.declare(queue).map(drop)
    }

    async fn publish(&self, messages: Vec<Outgoing>) -> Vec<Result<(), BrokerError>> {
        for queue in self.shared.missing(&messages) {
            // What fails here fails again below.
            let _ = self.shared.declare(&queue);
        }
        let directory = self.shared.read();
        messages.into_iter().map(|message| directory.publish(message, &self.shared.prefix)).collect()
    }

    async fn consume(&self, queue: &Queue, prefetch: u16) -> Result<Consumer, BrokerError> {
        let found = if queue.is_durable() {
            Arc::clone(self.shared.read().find(queue, &self.shared.prefix)?)
        } else {
            self.shared.declare(queue)?
        };
        let prefetch = usize::from(prefetch.max(1));
        let (deliveries, received) = mpsc::channel(prefetch);
        let (settle, settled) = mpsc::unbounded_channel();
        let id = found.add_consumer(prefetch, deliveries.clone(), settle)?;
        let ready = self.shared.ready.subscribe();
        let task = Consuming { queue: Arc::clone(&found), id, deliveries, settled, ready };
        let shared = Arc::downgrade(&self.shared);
        let queue = queue.clone();
        tokio::spawn(task.run(move || {
            if let Some(shared) = shared.upgrade() {
                shared.forget(&queue, &found);
            }
        }));
        Ok(Consumer::new(received))
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, BrokerError> {
        let directory = self.shared.read();
        directory.find(queue, &self.shared.prefix).map(|found| found.depth())
    }

    fn queue_kind(&self) -> &'static str {
        "memory"
    }

    fn is_durable(&self) -> bool {
        false
    }

    fn ready(&self) -> watch::Receiver<bool> {
        self.shared.ready.subscribe()
    }

    fn blocked(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.shared.blocked.subscribe()
    }

    async fn close(&self) {
        let mut directory = self.shared.write();
        directory.closed = true;
        for (_, queue) in directory.queues.drain() {
            queue.close();
        }
        directory.by_name.clear();
        self.shared.ready.send_replace(false);
    }
}
