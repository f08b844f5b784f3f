//! Stopping a run: what nobody has claimed is taken back, and the workers are told about the rest.

use std::sync::Arc;

use millrace_broker::{Outgoing, Route};
use millrace_domain::message::{Control, ControlBody};
use millrace_domain::{Epoch, PartitionId, TaskId};
use millrace_store::{Revoke, Revoked};
use tokio::sync::mpsc::UnboundedSender;

use super::outcome::{report, taken_back};
use crate::context::Context;
use crate::partition::draft::Stop;
use crate::partition::mailbox::Input;

/// Carries out a stop: takes back what nobody has claimed, and tells the workers about the rest. What fails here
/// is done again when the run's cancel timer is due.
pub(crate) fn carry_out(
    context: &Arc<Context>,
    inner: UnboundedSender<Input>,
    partition: PartitionId,
    epoch: Epoch,
    stop: Stop,
) {
    let context = Arc::clone(context);
    tokio::spawn(async move {
        let mode = if stop.by_force { Revoke::Anyway } else { Revoke::Unclaimed };
        let wanted: Vec<_> = stop
            .tasks
            .iter()
            .map(|(step, attempt)| (TaskId { run: stop.run, unit: (*step).into(), attempt: *attempt }, mode))
            .collect();
        let revoked = match context.store.revoke(partition, epoch, &wanted).await {
            Ok(revoked) => revoked,
            Err(error) => {
                return tracing::warn!(run = %stop.run, %error, "the run's tasks cannot be stopped yet");
            }
        };
        let mut running = Vec::new();
        for ((task, _), revoked) in wanted.into_iter().zip(revoked) {
            match revoked {
                Revoked::Done => {
                    taken_back(&inner, task, "stopped");
                    if stop.by_force {
                        running.push(task);
                    }
                }
                Revoked::Finished { result } => {
                    report(&inner, task, &result);
                }
                Revoked::Claimed { .. } => running.push(task),
                Revoked::Gone => {}
            }
        }
        if !running.is_empty() {
            let control = Control::new(ControlBody::Cancel { tasks: running });
            let message = Outgoing::new(Route::Control, serde_json::to_vec(&control).unwrap_or_default());
            for error in context.broker.publish(vec![message]).await.into_iter().filter_map(Result::err) {
                tracing::warn!(run = %stop.run, %error, "the workers cannot be told yet");
            }
        }
    });
}
