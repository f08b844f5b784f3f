//! One queue: what waits, who consumes it, and who holds what.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use millrace_broker::topology::TASK_LEVELS;
use millrace_broker::{Delivery, Depth, Properties, Queue, Settle};
use tokio::sync::{mpsc, oneshot};

use crate::dice::Dice;

/// A message that waits or is held.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    sequence: u64,
    level: usize,
    pub(crate) payload: Bytes,
    pub(crate) properties: Properties,
    redelivered: bool,
}

/// A consumer of a queue, and what it holds.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) id: u64,
    pub(super) process: u16,
    prefetch: usize,
    next_tag: u64,
    pub(super) unsettled: BTreeMap<u64, Message>,
    /// The way to the consumer; `None` once it was dropped.
    deliveries: Option<mpsc::Sender<Delivery>>,
    settle: mpsc::UnboundedSender<Settle>,
    /// Dropped with the connection.
    _line: oneshot::Sender<()>,
}

/// A queue, and what became of all that was put into it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) queue: Queue,
    sequence: u64,
    ready: [VecDeque<Message>; TASK_LEVELS as usize],
    pub(super) holders: Vec<Holder>,
    turn: usize,
    pub(super) published: u64,
    pub(super) acked: u64,
}

impl Holder {
    pub(super) fn new(
        id: u64,
        process: u16,
        prefetch: usize,
        deliveries: mpsc::Sender<Delivery>,
        settle: mpsc::UnboundedSender<Settle>,
        line: oneshot::Sender<()>,
    ) -> Self {
        Self {
            id,
            process,
            prefetch,
            next_tag: 1,
            unsettled: BTreeMap::new(),
            deliveries: Some(deliveries),
            settle,
            _line: line,
        }
    }

    pub(super) fn is_consuming(&self) -> bool {
        self.deliveries.as_ref().is_some_and(|deliveries| !deliveries.is_closed())
    }

    /// Notes that the consumer was dropped; what it received stays its own until that is settled.
    pub(super) fn stop(&mut self) {
        self.deliveries = None;
    }

    fn has_room(&self) -> bool {
        self.unsettled.len() < self.prefetch && self.is_consuming()
    }

    fn give(&mut self, message: Message) {
        let tag = self.next_tag;
        self.next_tag += 1;
        let delivery = Delivery::new(
            message.payload.clone(),
            message.properties.clone(),
            message.redelivered,
            tag,
            self.settle.clone(),
        );
        self.unsettled.insert(tag, message);
        if let Some(deliveries) = &self.deliveries {
            // Dropped in this moment, it comes back by the same way as any.
            let _ = deliveries.try_send(delivery);
        }
    }
}

impl Line {
    pub(super) fn new(queue: Queue) -> Self {
        Self {
            queue,
            sequence: 0,
            ready: Default::default(),
            holders: Vec::new(),
            turn: 0,
            published: 0,
            acked: 0,
        }
    }

    pub(super) fn push(&mut self, level: u8, payload: Bytes, properties: Properties) {
        let level = if matches!(self.queue, Queue::Tasks(_)) { level.min(TASK_LEVELS - 1) } else { 0 };
        let (sequence, level) = (self.sequence, usize::from(level));
        self.sequence += 1;
        self.published += 1;
        self.ready[level].push_back(Message { sequence, level, payload, properties, redelivered: false });
    }

    /// Puts a message back to its original place.
    pub(super) fn put_back(&mut self, mut message: Message) {
        message.redelivered = true;
        let level = &mut self.ready[message.level];
        let at = level.partition_point(|other| other.sequence < message.sequence);
        level.insert(at, message);
    }

    /// Delivers while something waits and somebody has room, in turns; `reordered` times in a thousand not what
    /// comes first.
    pub(super) fn deliver(&mut self, dice: &mut Dice, reordered: u32) {
        loop {
            let count = self.holders.len();
            let turn = self.turn;
            let Some(at) =
                (0..count).map(|step| (turn + step) % count).find(|at| self.holders[*at].has_room())
            else {
                return;
            };
            let Some(level) = self.ready.iter_mut().rev().find(|level| !level.is_empty()) else { return };
            let first = if dice.chance(reordered) { dice.below(level.len() as u64) as usize } else { 0 };
            let Some(message) = level.remove(first) else { return };
            self.turn = at + 1;
            self.holders[at].give(message);
        }
    }

    /// Ends the consumers of a process, and puts back all that they hold.
    pub(super) fn disconnect(&mut self, process: u16) -> bool {
        let (gone, stay): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.holders).into_iter().partition(|holder| holder.process == process);
        self.holders = stay;
        let any = !gone.is_empty();
        for message in gone.into_iter().flat_map(|holder| holder.unsettled.into_values()) {
            self.put_back(message);
        }
        any
    }

    /// All that waits or is held.
    pub(super) fn messages(&self) -> impl Iterator<Item = &Message> {
        let held = self.holders.iter().flat_map(|holder| holder.unsettled.values());
        self.ready.iter().flatten().chain(held)
    }

    pub(super) fn ready_count(&self) -> usize {
        self.ready.iter().map(VecDeque::len).sum()
    }

    pub(super) fn unsettled_count(&self) -> usize {
        self.holders.iter().map(|holder| holder.unsettled.len()).sum()
    }

    pub(super) fn depth(&self) -> Depth {
        let consumers = self.holders.iter().filter(|holder| holder.is_consuming()).count();
        Depth { ready: self.ready_count() as u64, consumers: u32::try_from(consumers).unwrap_or(u32::MAX) }
    }
}
