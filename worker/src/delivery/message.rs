//! Messages on a task queue: one that holds tasks is read. One of a newer version is left to those who can read it, and any
//! other goes to the rejected queue, whole.

use std::time::Duration;

use millrace_broker::{Broker, Delivery, Outgoing};
use millrace_domain::Code;
use millrace_domain::task::{Task, TaskError};
use millrace_runtime::Unknown;

use crate::claims::Owners;

/// How long a message that cannot be moved now stays before it goes back: it would come again at once.
const REQUEUE_PAUSE: Duration = Duration::from_secs(1);

/// Why a message on a task queue is not carried out.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It holds no tasks.
    NoTask { code: Code, problem: String },
    /// Its tasks are of a newer version.
    Newer(TaskError),
}

/// Reads the tasks of a delivery.
pub(super) fn read_tasks(delivery: &Delivery) -> Result<Vec<Task>, Refusal> {
    if let Some(problem) = &delivery.properties.unreadable {
        return Err(Refusal::NoTask { code: Code::UnreadableProperties, problem: problem.clone() });
    }
    Task::read(&delivery.payload).map_err(|error| match error.is_newer() && names_runs(delivery) {
        true => Refusal::Newer(error),
        false => Refusal::NoTask { code: Code::UnreadableTask, problem: error.to_string() },
    })
}

/// Whether the owners of a delivery's tasks can be told.
fn names_runs(delivery: &Delivery) -> bool {
    Task::texts(&delivery.payload).is_ok_and(|texts| !texts.is_empty())
}

/// Sees to it that a message that is not carried out is where it belongs.
pub(super) async fn refuse(broker: &dyn Broker, owners: &Owners, delivery: Delivery, refusal: Refusal) {
    match refusal {
        Refusal::NoTask { code, problem } => reject(broker, delivery, code, &problem).await,
        Refusal::Newer(error) => leave(owners, delivery, &error).await,
    }
}

/// Leaves a message to a worker that can read it. It goes back once, and that worker may be the next to get it. When it
/// comes here again, its owners get the tasks, and publish them again later on.
async fn leave(owners: &Owners, delivery: Delivery, error: &TaskError) {
    Unknown::Task.note(error);
    if !delivery.redelivered {
        return delivery.requeue();
    }
    let texts = Task::texts(&delivery.payload).unwrap_or_default();
    if owners.unread(texts).await {
        return delivery.ack();
    }
    give_back_later(delivery);
}

/// Moves a message that is no task to the rejected queue.
async fn reject(broker: &dyn Broker, delivery: Delivery, code: Code, problem: &str) {
    tracing::error!(code = code.as_str(), problem, "a message on the task queue is refused");
    metrics::counter!("millrace_rejected_total", "code" => code.as_str()).increment(1);
    let message =
        Outgoing::rejected(delivery.payload.clone(), delivery.properties.clone(), code.as_str(), problem);
    if broker.publish(vec![message]).await.into_iter().all(|sent| sent.is_ok()) {
        return delivery.ack();
    }
    give_back_later(delivery);
}

fn give_back_later(delivery: Delivery) {
    tokio::spawn(async move {
        tokio::time::sleep(REQUEUE_PAUSE).await;
        delivery.requeue();
    });
}
