//! After the store's clock was ahead for a moment, and was set back: what was planned meanwhile lies too far ahead, by
//! as much as it was. Fires, timers of runs and looks of the watch are planned anew, partition by partition, beside
//! the work that there is; each is compared with how far ahead it can lie, so it does not matter who planned it.

use std::sync::Arc;
use std::time::Duration;

use millrace_domain::{Epoch, PartitionId, Timestamp, WorkflowId};
use millrace_store::StoreError;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::actor::{Actor, STORE_PAUSE};
use super::answer::Answer;
use super::command::Command;
use super::commands::replan::Planned;
use super::mailbox::{Input, Work};
use super::recovery::damaged::skip_if_damaged;
use super::recovery::watched::{FAR, farthest_look};
use crate::context::Context;
use crate::failpoint;

/// So much of a partition is planned anew in one batch.
const PAGE: usize = 500;

/// A watermark that lies further ahead than this was written by a clock that was ahead.
const AHEAD: Duration = Duration::from_secs(2);

/// The consequence of damage to a partition, for the log.
const UNPLANNED: &str = "what was planned of it by a clock that was ahead comes late";

impl Actor {
    /// Does what a correction of the store's clock asks for: a clock that went back leaves plans behind.
    pub(super) fn follow_clock(&mut self) {
        let steps_back = self.corrections.borrow_and_update().steps_back;
        if steps_back == self.steps_back || failpoint::is_removed("replan") {
            return;
        }
        self.steps_back = steps_back;
        self.dispatcher.progress.clear();
        self.memory.locks.clock_went_back(self.context.now());
        // Until it is done, whoever takes a partition over must know.
        self.partitions.values_mut().for_each(|owned| owned.is_ahead = true);
        self.replan(self.partitions.iter().map(|(partition, owned)| (partition, owned.epoch)).collect());
    }

    /// Whether a partition was last written to by a clock that was ahead of this one. Its watermark says so, and where what was
    /// dispatched before has held that back, the epoch may: it follows the last one, which was taken by that clock.
    pub(super) fn is_ahead(&self, epoch: Epoch, published_until: Timestamp) -> bool {
        let taken_at = Timestamp::from_millis(i64::try_from(epoch.0 / 1_000).unwrap_or(i64::MAX));
        published_until.max(taken_at) > self.context.now() + AHEAD && !failpoint::is_removed("replan")
    }

    /// Plans partitions anew, beside all else.
    pub(super) fn replan(&self, partitions: Vec<(PartitionId, Epoch)>) {
        let (context, inner, steps_back) = (Arc::clone(&self.context), self.inner.clone(), self.steps_back);
        tokio::spawn(async move {
            for (partition, epoch) in partitions {
                pass(&context, &inner, partition, epoch, steps_back).await;
            }
        });
    }

    /// A partition was planned anew. After another step back, or under another epoch, another pass is under way.
    pub(super) fn replanned(&mut self, partition: PartitionId, epoch: Epoch, steps_back: u64) {
        let is_last = steps_back == self.steps_back;
        if let Some(owned) =
            self.partitions.get_mut(partition).filter(|owned| owned.epoch == epoch && is_last)
        {
            owned.is_ahead = false;
        }
    }
}

/// Plans a partition anew, for as long as it is ours.
async fn pass(
    context: &Arc<Context>,
    inner: &UnboundedSender<Input>,
    partition: PartitionId,
    epoch: Epoch,
    steps_back: u64,
) {
    while tell(inner, partition, Planned::Workflows(Vec::new())).await {
        let passed = async {
            Ok(workflows(context, inner, partition).await?
                && timers(context, inner, partition).await?
                && looks(context, partition, epoch).await?)
        };
        match skip_if_damaged(partition, passed.await, UNPLANNED) {
            Ok(Some(true)) => {
                let _ = inner.send(Input::Replanned(partition, epoch, steps_back));
                return;
            }
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%partition, %error, "it cannot be planned anew yet");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }
}

/// `false` when the partition is not ours any more.
async fn workflows(
    context: &Context,
    inner: &UnboundedSender<Input>,
    partition: PartitionId,
) -> Result<bool, StoreError> {
    let stored = context.store.list_workflows(partition).await?;
    let names: Vec<WorkflowId> = stored.into_iter().map(|(name, _)| name).collect();
    for names in names.chunks(PAGE) {
        if !tell(inner, partition, Planned::Workflows(names.to_vec())).await {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn timers(
    context: &Context,
    inner: &UnboundedSender<Input>,
    partition: PartitionId,
) -> Result<bool, StoreError> {
    let mut after = None;
    loop {
        let mut timers = context.store.timers(partition, after, PAGE).await?;
        let is_last = timers.len() < PAGE;
        after = timers.last().cloned();
        timers.retain(|(_, timer)| timer.run().is_some());
        if !timers.is_empty() && !tell(inner, partition, Planned::Timers(timers)).await {
            return Ok(false);
        }
        if is_last {
            return Ok(true);
        }
    }
}

/// A claim sets its look by the store's clock, whatever that shows.
async fn looks(context: &Context, partition: PartitionId, epoch: Epoch) -> Result<bool, StoreError> {
    let mut all = Vec::new();
    loop {
        let page = context.store.watched(partition, Timestamp::default()..=FAR, all.len(), PAGE).await?;
        let is_last = page.len() < PAGE;
        all.extend(page);
        if is_last {
            break;
        }
    }
    for page in all.chunks(PAGE) {
        let tasks: Vec<_> = page.iter().map(|(_, task)| *task).collect();
        let records = context.store.tasks(&tasks).await?;
        let now = context.now();
        let nearer = page.iter().zip(records).filter_map(|((look, task), record)| {
            let farthest = farthest_look(record.as_ref(), now);
            (*look > farthest).then_some((farthest, *task))
        });
        let nearer: Vec<_> = nearer.collect();
        if !nearer.is_empty() {
            context.store.set_looks(partition, epoch, Timestamp::default(), &nearer).await?;
        }
    }
    Ok(true)
}

/// Gives a part to the loop, and waits until that is committed. `false` when it was not.
async fn tell(inner: &UnboundedSender<Input>, partition: PartitionId, planned: Planned) -> bool {
    let (answer, done) = oneshot::channel();
    let command = Command::Replan(partition, planned);
    let sent = inner.send(Input::Work(Work { command, delivery: None, answer: Answer::Local(answer) }));
    sent.is_ok() && done.await.is_ok()
}
