//! The task beside a consumer in memory: it passes on what is settled, and cleans up when the consumer is dropped.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::queue::{ConsumerId, MemoryQueue};
use crate::Settle;

/// How many settlements are taken in one step.
const BATCH: usize = 1024;

/// Runs until the consumer is dropped; says whether its queue went with it.
pub(crate) async fn run(
    queue: Arc<MemoryQueue>,
    id: ConsumerId,
    mut settle: mpsc::UnboundedReceiver<Settle>,
    mut dropped: oneshot::Receiver<()>,
) -> bool {
    let mut told = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            count = settle.recv_many(&mut told, BATCH) => {
                if count == 0 {
                    break;
                }
                queue.settle(id, &told);
                told.clear();
            }
            _ = &mut dropped => break,
        }
    }
    while let Ok(settle) = settle.try_recv() {
        told.push(settle);
    }
    queue.settle(id, &told);
    queue.remove_consumer(id)
}
