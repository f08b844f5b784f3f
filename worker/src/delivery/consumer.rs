//! Brings deliveries to the pipeline: one consumer a pool, with room for as many as there are free slots, so that
//! nothing waits here that another worker could start, and an urgent task takes the next slot that frees. Only the
//! tasks of a bundle may wait here for a moment: a bundle holds milliseconds of work.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use millrace_broker::{Broker, BrokerError, Consumer, Delivery, Queue};
use millrace_domain::PoolName;
use millrace_domain::task::Task;
use millrace_runtime::{Attendance, Shutdown, Subscription};
use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;

use super::message::{read_tasks, refuse};
use super::shared_delivery::SharedDelivery;
use super::slots::{Slot, Slots};
use crate::pipeline::Pipeline;

/// How often a consumer that has room for fewer tasks than there are slots looks whether it can have more.
const GROW_EVERY: Duration = Duration::from_secs(1);

/// How long a task may wait for a slot. After that it goes back, for another worker.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// The consumer of one pool: it consumes the pool's queue and starts its tasks, as many at once as the pool has slots.
pub(crate) struct PoolConsumer {
    pub(crate) pool: PoolName,
    /// How many of the worker's slots are this pool's.
    pub(crate) slots: u32,
    pub(crate) context: ConsumerContext,
}

/// What the consumers of all pools share.
#[derive(Clone)]
pub(crate) struct ConsumerContext {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) tasks: TaskTracker,
    /// Whether the worker's lease holds.
    pub(crate) alive: watch::Receiver<bool>,
    /// The names of the pools that somebody has paused.
    pub(crate) paused: watch::Receiver<BTreeSet<String>>,
    pub(crate) shutdown: Shutdown,
    pub(crate) attendance: Attendance,
}

/// Starts the tasks of a pool's deliveries, each when it has a slot.
struct TaskStarter {
    slots: Arc<Slots>,
    /// Notified when a task found no slot in time.
    crowded: Notify,
    pipeline: Arc<Pipeline>,
    pool: PoolName,
    alive: watch::Receiver<bool>,
    paused: watch::Receiver<BTreeSet<String>>,
    shutdown: Shutdown,
}

impl PoolConsumer {
    /// Consumes the pool's queue until the shutdown, through all losses of the connection.
    pub(crate) async fn run(mut self) {
        let starter = Arc::new(TaskStarter {
            slots: Slots::new(self.slots),
            crowded: Notify::new(),
            pipeline: Arc::clone(&self.context.pipeline),
            pool: self.pool.clone(),
            alive: self.context.alive.clone(),
            paused: self.context.paused.clone(),
            shutdown: self.context.shutdown.clone(),
        });
        let pool = self.pool.clone();
        let queue = Queue::Tasks(pool.to_string());
        let shutdown = self.context.shutdown.clone();
        let tasks = Subscription::new(&self.context.broker, queue, &self.context.attendance, shutdown);
        while !tasks.is_over() {
            if !*self.context.alive.borrow() || self.is_paused() || starter.slots.free() == 0 {
                tasks.rests();
            }
            let (pool, paused) = (self.pool.as_str(), &mut self.context.paused);
            let ready = async {
                let _ = self.context.alive.wait_for(|alive| *alive).await;
                let _ = paused.wait_for(|paused| !paused.contains(pool)).await;
                // After a lost connection, tasks of before may still hold slots: consume with what is free.
                starter.slots.any_free().await;
            };
            tokio::select! {
                biased;
                () = self.context.shutdown.begun() => return,
                () = ready => {}
            }
            let room = u16::try_from(starter.slots.free().max(1)).unwrap_or(u16::MAX);
            let tell = |error: &BrokerError| tracing::debug!(%pool, %error, "tasks cannot be consumed yet");
            if let Some(consumer) = tasks.begin(room, tell).await
                && self.deliver(consumer, room, &starter).await
            {
                tasks.ended();
            }
        }
    }

    fn is_paused(&self) -> bool {
        self.context.paused.borrow().contains(self.pool.as_str())
    }

    /// Starts what is delivered until the stream ends, the lease is lost, the pool is paused, there are more tasks than slots, or more room
    /// can be had; answers whether the stream ended. Dropping the consumer hands back what has not been received; tasks
    /// under way keep theirs.
    async fn deliver(&self, mut consumer: Consumer, room: u16, starter: &Arc<TaskStarter>) -> bool {
        let full = u32::from(room) >= self.slots;
        let mut grow = tokio::time::interval(GROW_EVERY);
        grow.reset();
        let mut under_way = 0_usize;
        let mut alive = self.context.alive.clone();
        let mut paused = self.context.paused.clone();
        loop {
            tokio::select! {
                biased;
                () = self.context.shutdown.begun() => return false,
                () = lapsed(&mut alive) => return false,
                () = rests(&mut paused, &self.pool) => return false,
                () = starter.crowded.notified() => return false,
                _ = grow.tick(), if !full => {
                    if under_way > 0 || starter.slots.free() > u32::from(room) {
                        return false;
                    }
                }
                delivery = consumer.recv() => {
                    let Some(delivery) = delivery else { return true };
                    under_way += 1;
                    self.start(delivery, starter).await;
                }
            }
        }
    }

    /// Starts each task of a delivery.
    async fn start(&self, delivery: Delivery, starter: &Arc<TaskStarter>) {
        let tasks = match read_tasks(&delivery) {
            Ok(tasks) => tasks,
            Err(refusal) => {
                // A broker that takes no messages must not hold up the tasks behind it.
                let (broker, pipeline) =
                    (Arc::clone(&self.context.broker), Arc::clone(&self.context.pipeline));
                self.context.tasks.spawn(async move {
                    refuse(&*broker, &pipeline.owners, delivery, refusal).await;
                });
                return;
            }
        };
        let delivery = Arc::new(SharedDelivery::new(delivery, tasks));
        for place in 0..delivery.tasks().len() {
            let running = Arc::clone(starter).run_in_slot(Arc::clone(&delivery), place);
            self.context.tasks.spawn(self.context.shutdown.vital("a task", running));
        }
    }
}

impl TaskStarter {
    /// Runs one task of a delivery, which is at `place` there, from its wait for a slot to its end.
    async fn run_in_slot(self: Arc<Self>, delivery: Arc<SharedDelivery>, place: usize) {
        let Some(task) = delivery.tasks().get(place) else { return };
        match self.wait_for_slot(task, &delivery).await {
            Some(_slot) => self.pipeline.run(task, &delivery).await,
            None => delivery.give_back(),
        }
    }

    /// Waits for a slot for a task. `None` when the task is better off with another worker.
    async fn wait_for_slot(&self, task: &Task, delivery: &SharedDelivery) -> Option<Slot> {
        let (mut alive, mut paused) = (self.alive.clone(), self.paused.clone());
        let slot = tokio::select! {
            biased;
            () = rests(&mut paused, &self.pool) => return None,
            slot = self.slots.take(task.priority) => slot,
            () = tokio::time::sleep(LONGEST_WAIT) => {
                self.crowded.notify_one();
                return None;
            }
            () = lapsed(&mut alive) => return None,
            () = self.shutdown.begun() => return None,
        };
        // While it waited, the others of its bundle may have gone back, and it with them.
        (!delivery.is_settled()).then_some(slot)
    }
}

/// Waits until a pool is paused.
async fn rests(paused: &mut watch::Receiver<BTreeSet<String>>, pool: &PoolName) {
    if paused.wait_for(|paused| paused.contains(pool.as_str())).await.is_err() {
        // Nobody tells any more, and so it never is.
        std::future::pending::<()>().await;
    }
}

/// Waits until the worker's lease does not hold.
async fn lapsed(alive: &mut watch::Receiver<bool>) {
    let _ = alive.wait_for(|alive| !*alive).await;
}
