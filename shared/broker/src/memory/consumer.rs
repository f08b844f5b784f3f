//! The task beside a consumer in memory: it passes on what is settled, also after the consumer was dropped.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::queue::{ConsumerId, MemoryQueue};
use crate::{Delivery, Settle};

/// The greatest number of settlements that are taken in one step.
const BATCH: usize = 1024;

/// The consumption of a queue, as the task of a consumer has it.
pub(crate) struct Consuming {
    pub(crate) queue: Arc<MemoryQueue>,
    pub(crate) id: ConsumerId,
    /// The deliveries; closed when the consumer is dropped.
    pub(crate) deliveries: mpsc::Sender<Delivery>,
    pub(crate) settled: mpsc::UnboundedReceiver<Settle>,
    /// Whether the broker is ready. False, or gone, when it has closed.
    pub(crate) ready: watch::Receiver<bool>,
}

impl Consuming {
    /// Runs until the consumer is dropped and the last of what it received is settled, or the broker closes. Calls
    /// `forget` when the queue goes with the consumer.
    pub(crate) async fn run(self, forget: impl Fn()) {
        let Self { queue, id, deliveries, mut settled, mut ready } = self;
        let mut told = Vec::with_capacity(BATCH);
        let mut consumed = Some(deliveries);
        while consumed.is_some() || queue.holds(id) {
            tokio::select! {
                biased;
                _ = ready.wait_for(|ready| !*ready) => break,
                () = dropped(consumed.as_ref()) => {
                    // What came in that very moment is dropped with it, and so goes back.
                    consumed = None;
                    if queue.cancel(id) {
                        forget();
                    }
                }
                count = settled.recv_many(&mut told, BATCH) => {
                    if count == 0 {
                        break;
                    }
                    queue.settle(id, &told);
                    told.clear();
                }
            }
        }
        queue.remove(id);
    }
}

/// Waits until the consumer is dropped, once.
async fn dropped(consumed: Option<&mpsc::Sender<Delivery>>) {
    match consumed {
        Some(deliveries) => deliveries.closed().await,
        None => std::future::pending().await,
    }
}
