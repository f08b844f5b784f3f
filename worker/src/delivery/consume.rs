//! Brings deliveries to the pipeline: one consumer a pool, with room for as many as there are free slots, so that
//! nothing waits here that another worker could start, and an urgent task takes the next slot that frees. Only the
//! tasks of a bundle may wait here for a moment: a bundle holds milliseconds of work.

use std::sync::Arc;
use std::time::Duration;

use millrace_broker::{Broker, Consumer, Delivery, Queue};
use millrace_domain::PoolName;
use millrace_domain::task::Task;
use millrace_runtime::{Attendance, Shutdown};
use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;

use super::parcel::Parcel;
use super::slots::{Slot, Slots};
use crate::pipeline::{Pipeline, read};

/// How often a consumer with less room than there is looks whether it can have more.
const GROW_EVERY: Duration = Duration::from_secs(1);

/// A task that finds no slot for so long goes back, for another worker.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

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
    pub(crate) attendance: Attendance,
}

/// Where the tasks of deliveries go.
struct Floor {
    slots: Arc<Slots>,
    /// A task found no slot.
    crowded: Notify,
    pipeline: Arc<Pipeline>,
    alive: watch::Receiver<bool>,
    shutdown: Shutdown,
}

impl Intake {
    /// Consumes until the shutdown, through all losses of the connection.
    pub(crate) async fn run(mut self) {
        let floor = Arc::new(Floor {
            slots: Slots::new(self.slots),
            crowded: Notify::new(),
            pipeline: Arc::clone(&self.pipeline),
            alive: self.alive.clone(),
            shutdown: self.shutdown.clone(),
        });
        let post = self.attendance.post(Queue::Tasks(self.pool.to_string()).routing_key());
        while !self.shutdown.has_begun() {
            if !*self.alive.borrow() || floor.slots.free() == 0 {
                post.rests();
            }
            let ready = async {
                let _ = self.alive.wait_for(|alive| *alive).await;
                // After a lost connection, tasks of before may still hold slots: consume with what is free.
                floor.slots.any_free().await;
            };
            tokio::select! {
                biased;
                () = self.shutdown.begun() => return,
                () = ready => {}
            }
            post.wanted();
            let room = u16::try_from(floor.slots.free().max(1)).unwrap_or(u16::MAX);
            let consumer = tokio::select! {
                biased;
                () = self.shutdown.begun() => return,
                consumer = self.consume(room) => consumer,
            };
            match consumer {
                Ok(consumer) => {
                    post.began();
                    if self.deliver(consumer, room, &floor).await {
                        post.ended();
                    }
                }
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

    /// Delivers until the stream ends, the lease is lost, there are more tasks than slots, or more room can be had.
    /// Dropping the consumer hands back what has not been received; tasks under way keep theirs. Did the stream end?
    async fn deliver(&self, mut consumer: Consumer, room: u16, floor: &Arc<Floor>) -> bool {
        let full = u32::from(room) >= self.slots;
        let mut grow = tokio::time::interval(GROW_EVERY);
        grow.reset();
        let mut under_way = 0_usize;
        let mut alive = self.alive.clone();
        loop {
            tokio::select! {
                biased;
                () = self.shutdown.begun() => return false,
                () = lapsed(&mut alive) => return false,
                () = floor.crowded.notified() => return false,
                _ = grow.tick(), if !full => {
                    if under_way > 0 || floor.slots.free() > u32::from(room) {
                        return false;
                    }
                }
                delivery = consumer.recv() => {
                    let Some(delivery) = delivery else { return true };
                    under_way += 1;
                    self.begin(delivery, floor).await;
                }
            }
        }
    }

    /// Begins each task of a delivery.
    async fn begin(&self, delivery: Delivery, floor: &Arc<Floor>) {
        let tasks = match read(&delivery) {
            Ok(tasks) => tasks,
            Err(refusal) => {
                // A broker that takes no messages must not hold up the tasks behind it.
                let pipeline = Arc::clone(&self.pipeline);
                self.tasks.spawn(async move { pipeline.reject(delivery, refusal).await });
                return;
            }
        };
        let parcel = Arc::new(Parcel::new(delivery, tasks.len()));
        for task in tasks {
            let carried = Arc::clone(floor).carry(task, Arc::clone(&parcel));
            self.tasks.spawn(self.shutdown.vital("a task", carried));
        }
    }
}

impl Floor {
    /// One task, from its wait for a slot to its end.
    async fn carry(self: Arc<Self>, task: Task, parcel: Arc<Parcel>) {
        match self.slot(&task, &parcel).await {
            Some(_slot) => self.pipeline.carry(task, &parcel).await,
            None => parcel.give_back(),
        }
    }

    /// A slot for it. `None` when it is better off elsewhere.
    async fn slot(&self, task: &Task, parcel: &Parcel) -> Option<Slot> {
        let mut alive = self.alive.clone();
        let slot = tokio::select! {
            biased;
            slot = self.slots.take(task.priority) => slot,
            () = tokio::time::sleep(LONGEST_WAIT) => {
                self.crowded.notify_one();
                return None;
            }
            () = lapsed(&mut alive) => return None,
            () = self.shutdown.begun() => return None,
        };
        // While it waited, the others of its bundle may have gone back, and it with them.
        (!parcel.is_back()).then_some(slot)
    }
}

/// Waits until the lease does not hold.
async fn lapsed(alive: &mut watch::Receiver<bool>) {
    let _ = alive.wait_for(|alive| !*alive).await;
}
