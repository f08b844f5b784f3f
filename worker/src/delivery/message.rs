//! Messages on a task queue: one that holds tasks is read, any other goes to the rejected queue, whole.

use std::time::Duration;

use millrace_broker::{Broker, Delivery, Outgoing, UNREADABLE_CODE};
use millrace_domain::task::{Task, TaskError};

/// How long a message that cannot be rejected now stays before it goes back: it would come again at once.
const REQUEUE_PAUSE: Duration = Duration::from_secs(1);

/// Why a message on a task queue is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    code: &'static str,
    problem: String,
}

/// Reads the tasks of a delivery.
pub(super) fn read_tasks(delivery: &Delivery) -> Result<Vec<Task>, Refusal> {
    if let Some(problem) = &delivery.properties.unreadable {
        return Err(Refusal { code: UNREADABLE_CODE, problem: problem.clone() });
    }
    let unreadable = |error: TaskError| Refusal { code: "unreadable-task", problem: error.to_string() };
    Task::read(&delivery.payload).map_err(unreadable)
}

/// Moves a message that is no task to the rejected queue.
pub(super) async fn reject(broker: &dyn Broker, delivery: Delivery, refusal: Refusal) {
    let Refusal { code, problem } = refusal;
    tracing::error!(code, problem, "a message on the task queue is refused");
    metrics::counter!("millrace_rejected_total", "code" => code).increment(1);
    let message = Outgoing::rejected(delivery.payload.clone(), delivery.properties.clone(), code, &problem);
    if broker.publish(vec![message]).await.into_iter().all(|sent| sent.is_ok()) {
        return delivery.ack();
    }
    tokio::spawn(async move {
        tokio::time::sleep(REQUEUE_PAUSE).await;
        delivery.requeue();
    });
}
