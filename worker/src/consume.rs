//! Brings deliveries to the pipeline: one consumer a pool, with room for as many as there are free slots, so that
//! nothing waits here that another worker could start, and an urgent task takes the next slot that frees.

use std::sync::Arc;
use std::time::Duration;

use millrace_broker::{Broker, Consumer, Queue};
use millrace_domain::PoolName;
use millrace_runtime::Shutdown;
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;

use crate::pipeline::Pipeline;

/// How often a consumer with less room than there is looks whether it can have more.
const GROW_EVERY: Duration = Duration::from_secs(1);

/// The consumer of one pool.
pub(crate) struct Intake {
    pub(crate) pool: PoolName,
    /// The slots of this pool.
    pub(crate) slots: u32,
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) tasks: TaskTracker,
    /// Does the worker's lease hold?
    pub(crate) alive: watch::Receiver<bool>,
    pub(crate) shutdown: Shutdown,
}

impl Intake {
    /// Consumes until the shutdown, through all losses of the connection.
    pub(crate) async fn run(mut self) {
        let free = Arc::new(Semaphore::new(self.slots as usize));
        while !self.shutdown.has_begun() {
            let ready = async {
                let _ = self.alive.wait_for(|alive| *alive).await;
                // After a lost connection, tasks of before may still hold slots: consume with what is free.
                let _ = free.acquire().await;
            };
            tokio::select! {
                biased;
                () = self.shutdown.begun() => return,
                () = ready => {}
            }
            let room = u16::try_from(free.available_permits().max(1)).unwrap_or(u16::MAX);
            match self.consume(room).await {
                Ok(consumer) => self.deliver(consumer, room, &free).await,
                Err(error) => {
                    tracing::debug!(pool = %self.pool, %error, "tasks cannot be consumed yet");
                    tokio::select! {
                        biased;
                        () = self.shutdown.begun() => return,
                        () = tokio::time::sleep(Duration::from_millis(300)) => {}
                    }
                }
            }
        }
    }

    async fn consume(&self, room: u16) -> Result<Consumer, millrace_broker::BrokerError> {
        let broker: &Arc<dyn Broker> = &self.pipeline.broker;
        let queue = Queue::Tasks(self.pool.to_string());
        broker.declare(&queue).await?;
        broker.consume(&queue, room).await
    }

    /// Delivers until the stream ends, the lease is lost, or more room can be had. Dropping the consumer hands back
    /// what has not been received; tasks under way keep theirs.
    async fn deliver(&mut self, mut consumer: Consumer, room: u16, free: &Arc<Semaphore>) {
        let full = u32::from(room) >= self.slots;
        let mut grow = tokio::time::interval(GROW_EVERY);
        grow.reset();
        let mut under_way = 0_usize;
        loop {
            tokio::select! {
                biased;
                () = self.shutdown.begun() => return,
                _ = self.alive.wait_for(|alive| !*alive) => return,
                _ = grow.tick(), if !full => {
                    if under_way > 0 || free.available_permits() > usize::from(room) {
                        return;
                    }
                }
                delivery = consumer.recv() => {
                    let Some(delivery) = delivery else { return };
                    let Ok(slot) = Arc::clone(free).try_acquire_owned() else {
                        delivery.requeue();
                        return;
                    };
                    under_way += 1;
                    let pipeline = Arc::clone(&self.pipeline);
                    self.tasks.spawn(async move {
                        pipeline.carry(delivery).await;
                        drop(slot);
                    });
                }
            }
        }
    }
}
