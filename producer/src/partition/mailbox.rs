//! What reaches the loop: work, and what happens to the partitions themselves.

use millrace_broker::Delivery;
use millrace_domain::{Epoch, PartitionId, TaskId, Timestamp};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::answer::{Answer, COME_AGAIN};
use super::command::Command;

/// An entry of the mailbox.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every entry is work: a box would cost each an allocation"
)]
pub(crate) enum Input {
    /// Something is asked of a partition.
    Work(Work),
    /// A partition is ours now.
    Took { partition: PartitionId, epoch: Epoch, published_until: Timestamp },
    /// A partition is not ours any more: forget it.
    Lost(PartitionId),
    /// Stop working on a partition, then say so.
    GiveUp(PartitionId, oneshot::Sender<()>),
    /// All of a partition that is held under this epoch was planned anew, after so many steps back of the clock.
    Replanned(PartitionId, Epoch, u64),
    /// Dispatched attempts that the broker does not have: (task, dispatched at).
    Missing(Vec<(TaskId, Timestamp)>),
    /// Entries of the watch whose attempt is not current any more.
    Forget(Vec<TaskId>),
}

/// A command, and what to settle once it is committed.
pub(crate) struct Work {
    /// The command.
    pub(crate) command: Command,
    /// The message that brought it.
    pub(crate) delivery: Option<Delivery>,
    /// The one who waits for the outcome.
    pub(crate) answer: Answer,
}

impl Work {
    /// A command that nobody waits for.
    pub(crate) fn silent(command: Command) -> Self {
        Self { command, delivery: None, answer: Answer::Nobody }
    }

    /// Gives up what cannot be done here: the message goes back to its queue, and whoever waits asks again.
    pub(crate) fn hand_back(self) {
        if let Some(delivery) = self.delivery {
            delivery.requeue();
        }
    }

    /// Puts it into the loop again after a while.
    pub(crate) fn come_again(self, inner: UnboundedSender<Input>) {
        tokio::spawn(async move {
            tokio::time::sleep(COME_AGAIN).await;
            let _ = inner.send(Input::Work(self));
        });
    }
}
