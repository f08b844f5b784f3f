//! What producers tell every worker.

use std::sync::Arc;
use std::time::Duration;

use millrace_broker::{Broker, Queue};
use millrace_domain::SessionId;
use millrace_domain::message::{Control, ControlBody};
use millrace_runtime::{Post, Shutdown};

use crate::running::Running;
use crate::stop::StopReason;

/// Messages not handled yet, at most.
const PREFETCH: u16 = 100;

/// Listens until `ended`. What is missed while the connection is down is told again by the run's owner.
pub(crate) async fn listen(
    broker: Arc<dyn Broker>,
    session: SessionId,
    running: Arc<Running>,
    post: Post,
    ended: Shutdown,
) {
    let queue = Queue::Control(session.0);
    while !ended.has_begun() {
        post.wanted();
        let consumer = async {
            broker.declare(&queue).await?;
            broker.consume(&queue, PREFETCH).await
        };
        let consumer = tokio::select! {
            biased;
            () = ended.begun() => return,
            consumer = consumer => consumer,
        };
        let Ok(mut consumer) = consumer else {
            tokio::select! {
                biased;
                () = ended.begun() => return,
                () = tokio::time::sleep(Duration::from_millis(500)) => continue,
            }
        };
        post.began();
        loop {
            let delivery = tokio::select! {
                biased;
                () = ended.begun() => return,
                delivery = consumer.recv() => delivery,
            };
            let Some(delivery) = delivery else {
                post.ended();
                break;
            };
            // Its properties say nothing, so that it does not matter whether they can be read.
            match serde_json::from_slice::<Control>(&delivery.payload) {
                Ok(Control { body: ControlBody::Cancel { tasks }, .. }) => {
                    for task in tasks {
                        if running.stop(task, StopReason::Cancelled) {
                            tracing::info!(%task, "cancelled");
                        }
                    }
                }
                Err(error) => tracing::debug!(%error, "a control message of another version"),
            }
            delivery.ack();
        }
    }
}
