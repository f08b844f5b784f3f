//! Stopping a run: what nobody has claimed is taken back, and the workers are told about the rest.

use std::sync::Arc;
use std::time::Duration;

use millrace_broker::{Outgoing, Route};
use millrace_domain::message::{Control, ControlBody};
use millrace_domain::{Epoch, PartitionId, RunId, TaskId, Unit};
use millrace_store::{Revoke, Revoked};
use tokio::sync::mpsc::UnboundedSender;

use super::outcome::{never_begun, report, taken_back};
use crate::context::Context;
use crate::partition::draft::Stop;
use crate::partition::mailbox::Input;

/// How often it is tried to take back what is queued, and how long apart.
const TAKE_BACK_TRIES: u32 = 30;
const TRY_AGAIN: Duration = Duration::from_secs(1);

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
            .map(|(unit, attempt)| (TaskId { run: stop.run, unit: *unit, attempt: *attempt }, mode))
            .collect();
        let revoked = match context.store.revoke(partition, epoch, &wanted).await {
            Ok(revoked) => revoked,
            Err(error) => {
                return tracing::warn!(run = %stop.run, %error, "the run's tasks cannot be stopped yet");
            }
        };
        let (mut running, mut forced) = (Vec::new(), Vec::new());
        for ((task, _), revoked) in wanted.into_iter().zip(revoked) {
            match revoked {
                Revoked::Done if stop.by_force => forced.push(task),
                Revoked::Unclaimed => never_begun(&inner, task),
                Revoked::Done => taken_back(&inner, task, "stopped"),
                Revoked::Finished { result } => {
                    report(&inner, task, &result);
                }
                Revoked::Claimed { .. } => running.push(task),
                Revoked::Gone => {}
            }
        }
        running.extend(&forced);
        // The run may end with what is taken back, and after that nobody would tell its worker.
        if tell_workers(&context, running).await {
            forced.into_iter().for_each(|task| taken_back(&inner, task, "stopped"));
        }
    });
}

/// Takes back what nobody has claimed of a run that is paused, or gets another priority, and leaves alone what somebody runs.
pub(crate) fn take_back(
    context: &Arc<Context>,
    inner: UnboundedSender<Input>,
    (partition, epoch): (PartitionId, Epoch),
    run: RunId,
    tasks: Vec<(Unit, u32)>,
) {
    let context = Arc::clone(context);
    let tasks: Vec<_> = tasks.into_iter().map(|(unit, attempt)| TaskId { run, unit, attempt }).collect();
    tokio::spawn(async move {
        let wanted: Vec<_> = tasks.iter().map(|task| (*task, Revoke::Unclaimed)).collect();
        for _ in 0..TAKE_BACK_TRIES {
            match context.store.revoke(partition, epoch, &wanted).await {
                Ok(revoked) => {
                    let taken = tasks.iter().zip(revoked);
                    return taken
                        .filter(|(_, revoked)| *revoked == Revoked::Unclaimed)
                        .for_each(|(task, _)| never_begun(&inner, *task));
                }
                Err(error) => tracing::warn!(%run, %error, "what is queued cannot be taken back yet"),
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    });
}

/// Tells the workers to stop tasks, whoever has them: `true` when they are told.
pub(super) async fn tell_workers(context: &Context, tasks: Vec<TaskId>) -> bool {
    let Some(first) = tasks.first().copied() else { return true };
    let control = Control::new(ControlBody::Cancel { tasks });
    let message = Outgoing::new(Route::Control, serde_json::to_vec(&control).unwrap_or_default());
    let told = context.broker.publish(vec![message]).await.into_iter().collect::<Result<Vec<()>, _>>();
    if let Err(error) = &told {
        tracing::warn!(run = %first.run, %error, "the workers cannot be told yet");
    }
    told.is_ok()
}
