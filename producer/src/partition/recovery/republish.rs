//! Publishing again what the broker may not have: after a takeover, and when the watch found a task missing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use millrace_domain::task::Task;
use millrace_domain::{Epoch, PartitionId, TaskId, Timestamp};
use millrace_store::TaskRecord;
use tokio::sync::mpsc::UnboundedSender;

use super::watched::{FAR, PAGE};
use crate::context::Context;
use crate::failpoint;
use crate::partition::dispatch::outbox::message_of;
use crate::partition::draft::FIRST_LOOK;
use crate::partition::mailbox::Input;

/// A task that could not be published again is looked at again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// After a takeover: what was dispatched and is not claimed goes to the broker again, where the watermark says that
/// it may never have got there.
pub(crate) fn unconfirmed(
    context: &Arc<Context>,
    inner: UnboundedSender<Input>,
    partition: PartitionId,
    published_until: Timestamp,
) {
    let context = Arc::clone(context);
    tokio::spawn(async move {
        let mut skip = 0;
        loop {
            let page = match context.store.watched(partition, Timestamp::default()..=FAR, skip, PAGE).await {
                Ok(page) => page,
                Err(error) => return tracing::warn!(%partition, %error, "what is dispatched cannot be read"),
            };
            let tasks: Vec<TaskId> = page.into_iter().map(|(_, task)| task).collect();
            let Ok(records) = context.store.tasks(&tasks).await else { return };
            let unconfirmed = |record| match record {
                Some(TaskRecord::Queued { dispatched_at, .. }) if dispatched_at >= published_until => {
                    Some(dispatched_at)
                }
                _ => None,
            };
            let missing: Vec<_> = tasks
                .iter()
                .zip(records)
                .filter_map(|(task, record)| unconfirmed(record).map(|at| (*task, at)))
                .collect();
            if !missing.is_empty() {
                let _ = inner.send(Input::Missing(missing));
            }
            if tasks.len() < PAGE {
                return;
            }
            skip += PAGE;
        }
    });
}

/// Publishes tasks again that the broker must have lost. One too many is harmless: the claim decides.
pub(crate) fn missing(context: &Arc<Context>, found: Vec<(Task, Epoch)>) {
    if found.is_empty() || failpoint::is_removed("outbox") {
        return;
    }
    let context = Arc::clone(context);
    tokio::spawn(async move {
        let now = context.now();
        let mut messages = Vec::new();
        let mut tasks = Vec::new();
        for (task, epoch) in found {
            tracing::debug!(task = %task.id(), "publishing it again: nobody has claimed it");
            tasks.push((task.id(), epoch));
            messages.extend(message_of(&[task]));
        }
        let mut looks: BTreeMap<(PartitionId, Epoch), Vec<(Timestamp, TaskId)>> = BTreeMap::new();
        for ((task, epoch), published) in tasks.into_iter().zip(context.broker.publish(messages).await) {
            let look_in = if published.is_ok() { FIRST_LOOK } else { LOOK_AGAIN };
            if let Err(error) = published {
                tracing::warn!(%task, %error, "an unclaimed task could not be published again yet");
            }
            looks.entry((task.run.partition(), epoch)).or_default().push((now + look_in, task));
        }
        for ((partition, epoch), looks) in looks {
            if let Err(error) = context.store.set_looks(partition, epoch, now, &looks).await {
                tracing::warn!(%partition, %error, "the watch cannot be set");
            }
        }
    });
}
