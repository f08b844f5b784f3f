//! The queues there are, and what they are called on the broker.
//!
//! Names are fixed: users are told them, and write them into policies, permissions and alerts. The arguments of a
//! queue are fixed too, since a broker refuses to declare one that is there with other arguments. So a change of
//! arguments takes a new name, with a version at its end (`<prefix>.tasks.<pool>.v2`), and what waits under the old
//! name is consumed until nothing is left.

use uuid::Uuid;

/// A queue, by what it is for. The prefix is the broker's business.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Queue {
    /// The queue where clients submit. Durable, first in first out.
    Submit,
    /// The inbox of a partition: what happens to it. Durable, first in first out.
    Inbox(u16),
    /// A queue of tasks, by its text: the name of a pool, and within it that of a namespace and a shape where these have
    /// a queue of their own. Durable, four priorities: level 3 (P0) is delivered first.
    Tasks(String),
    /// The tasks of one priority of such a queue, where the queues themselves have no priorities: P0 to P3. Durable, first in
    /// first out.
    Band(String, u8),
    /// The queue of what could not be accepted, whole. Durable.
    Rejected,
    /// The queue of messages to inboxes that wait for an owner of a newer version, whole. Durable, first in first out.
    Parked,
    /// A worker's copy of the control fanout. Exclusive to its connection, gone with it.
    Control(Uuid),
    /// The queue of answers to one producer or client. Exclusive to its connection, gone with it.
    Replies(Uuid),
}

impl Queue {
    /// The name of the queue on the broker.
    pub fn name(&self, prefix: &str) -> String {
        match self {
            Self::Submit => format!("{prefix}.submit"),
            Self::Inbox(partition) => format!("{prefix}.inbox.{partition}"),
            Self::Tasks(tasks) => format!("{prefix}.tasks.{tasks}"),
            Self::Band(tasks, priority) => format!("{prefix}.tasks.{tasks}.p{priority}"),
            Self::Rejected => format!("{prefix}.rejected"),
            Self::Parked => format!("{prefix}.parked"),
            Self::Control(id) => format!("{prefix}.control.{}", id.simple()),
            Self::Replies(id) => format!("{prefix}.replies.{}", id.simple()),
        }
    }

    /// The key with which the direct exchange `<prefix>` routes to the queue.
    pub fn routing_key(&self) -> String {
        match self {
            Self::Submit => "submit".to_owned(),
            Self::Inbox(partition) => format!("inbox.{partition}"),
            Self::Tasks(tasks) => format!("tasks.{tasks}"),
            Self::Band(tasks, priority) => format!("tasks.{tasks}.p{priority}"),
            Self::Rejected => "rejected".to_owned(),
            Self::Parked => "parked".to_owned(),
            Self::Control(id) => format!("control.{}", id.simple()),
            Self::Replies(id) => format!("replies.{}", id.simple()),
        }
    }

    /// Whether the queue survives a restart of the broker.
    pub fn is_durable(&self) -> bool {
        !matches!(self, Self::Control(_) | Self::Replies(_))
    }
}

/// The number of priority levels of a task queue (P3..P0 are 0..=3); each level costs a sub-queue.
pub const TASK_LEVELS: u8 = 4;

/// The name of the fanout exchange of [`Queue::Control`].
pub fn control_exchange(prefix: &str) -> String {
    format!("{prefix}.control")
}
