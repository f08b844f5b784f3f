//! One queue in memory: what waits, by level, and who holds what. It is locked for the time of one step and
//! never across an await.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::topology::TASK_LEVELS;
use crate::{BrokerError, Delivery, Depth, Properties, Settle};

/// The greatest number of messages that may wait in one queue; more are refused, to be published again later.
const MAX_READY: usize = 1_000_000;

/// A queue in memory.
#[derive(Debug)]
pub(crate) struct MemoryQueue {
    name: String,
    exclusive: bool,
    state: Mutex<State>,
}

/// The id of a consumer of a queue.
pub(crate) type ConsumerId = u64;

#[derive(Debug, Default)]
struct State {
    /// The number of the next message that is published: its place among those of its level, for ever.
    sequence: u64,
    /// The messages that wait, by level, each in order of sequence.
    ready: [VecDeque<Message>; TASK_LEVELS as usize],
    ready_count: usize,
    holders: Vec<Holder>,
    next_id: ConsumerId,
    /// The consumer whose turn it is.
    turn: usize,
    gone: bool,
}

#[derive(Debug)]
struct Message {
    sequence: u64,
    level: usize,
    payload: Bytes,
    properties: Properties,
    redelivered: bool,
}

/// A consumer and what it holds. Its tags are consecutive: that of `unsettled[0]` is `first_tag`.
#[derive(Debug)]
struct Holder {
    id: ConsumerId,
    prefetch: usize,
    outstanding: usize,
    first_tag: u64,
    unsettled: VecDeque<Option<Message>>,
    /// The deliveries to the consumer; `None` once it was dropped.
    deliveries: Option<mpsc::Sender<Delivery>>,
    settle: mpsc::UnboundedSender<Settle>,
}

impl MemoryQueue {
    /// A queue of this name without messages.
    pub(crate) fn new(name: String, exclusive: bool) -> Self {
        Self { name, exclusive, state: Mutex::default() }
    }

    /// The name of the queue on the broker.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the queue went with its consumer.
    pub(crate) fn is_gone(&self) -> bool {
        self.state().gone
    }

    /// Takes a message and delivers what can be delivered.
    pub(crate) fn publish(
        &self,
        level: u8,
        payload: Bytes,
        properties: Properties,
    ) -> Result<(), BrokerError> {
        let mut state = self.state();
        if state.gone {
            return Err(BrokerError::Unroutable(self.name.clone()));
        }
        if state.ready_count >= MAX_READY {
            return Err(BrokerError::Refused);
        }
        let level = usize::from(level.min(TASK_LEVELS - 1));
        let sequence = state.sequence;
        state.sequence += 1;
        state.ready[level].push_back(Message { sequence, level, payload, properties, redelivered: false });
        state.ready_count += 1;
        state.deliver();
        Ok(())
    }

    /// Adds a consumer, which gets deliveries at once. `deliveries` must have room for `prefetch`.
    pub(crate) fn add_consumer(
        &self,
        prefetch: usize,
        deliveries: mpsc::Sender<Delivery>,
        settle: mpsc::UnboundedSender<Settle>,
    ) -> Result<ConsumerId, BrokerError> {
        let mut state = self.state();
        if state.gone {
            return Err(BrokerError::Unroutable(self.name.clone()));
        }
        let id = state.next_id;
        state.next_id += 1;
        state.holders.push(Holder {
            id,
            prefetch,
            outstanding: 0,
            first_tag: 1,
            unsettled: VecDeque::new(),
            deliveries: Some(deliveries),
            settle,
        });
        state.deliver();
        Ok(id)
    }

    /// Settles deliveries of a consumer. Those that are not its own, or settled already, are passed over.
    pub(crate) fn settle(&self, id: ConsumerId, told: &[Settle]) {
        let mut state = self.state();
        let Some(at) = state.holders.iter().position(|holder| holder.id == id) else { return };
        for &settle in told {
            let (tag, requeue) = match settle {
                Settle::Ack(tag) => (tag, false),
                Settle::Requeue(tag) => (tag, true),
            };
            if let Some(message) = state.holders[at].take(tag)
                && requeue
            {
                state.put_back(message);
            }
        }
        state.deliver();
    }

    /// Delivers nothing more to a consumer that was dropped; what it holds stays its own until that is settled. An
    /// exclusive queue goes with its last consumer. Says whether the queue is gone.
    pub(crate) fn cancel(&self, id: ConsumerId) -> bool {
        let mut state = self.state();
        if let Some(holder) = state.holders.iter_mut().find(|holder| holder.id == id) {
            holder.deliveries = None;
        }
        state.gone |= self.exclusive && !state.holders.iter().any(Holder::is_consuming);
        state.gone
    }

    /// Whether this consumer holds anything.
    pub(crate) fn holds(&self, id: ConsumerId) -> bool {
        self.state().holders.iter().any(|holder| holder.id == id && holder.outstanding > 0)
    }

    /// Removes a consumer that holds nothing, or whose broker is closed.
    pub(crate) fn remove(&self, id: ConsumerId) {
        self.state().holders.retain(|holder| holder.id != id);
    }

    /// Ends every consumer's stream.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.gone = true;
        state.holders.clear();
    }

    /// The depth of the queue.
    pub(crate) fn depth(&self) -> Depth {
        let state = self.state();
        let consumers = state.holders.iter().filter(|holder| holder.is_consuming()).count();
        Depth { ready: state.ready_count as u64, consumers: u32::try_from(consumers).unwrap_or(u32::MAX) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Delivers while something waits and somebody has room, in turns.
    fn deliver(&mut self) {
        while self.ready_count > 0 && !self.gone {
            let count = self.holders.len();
            let turn = self.turn;
            let Some(at) =
                (0..count).map(|step| (turn + step) % count).find(|&at| self.holders[at].has_room())
            else {
                return;
            };
            let Some(message) = self.ready.iter_mut().rev().find_map(VecDeque::pop_front) else { return };
            self.ready_count -= 1;
            self.turn = at + 1;
            self.holders[at].give(message);
        }
    }

    /// Puts a message back to its original place.
    fn put_back(&mut self, mut message: Message) {
        message.redelivered = true;
        let level = &mut self.ready[message.level];
        let at = level.partition_point(|other| other.sequence < message.sequence);
        level.insert(at, message);
        self.ready_count += 1;
    }
}

impl Holder {
    fn is_consuming(&self) -> bool {
        self.deliveries.as_ref().is_some_and(|deliveries| !deliveries.is_closed())
    }

    fn has_room(&self) -> bool {
        self.outstanding < self.prefetch && self.is_consuming()
    }

    /// Gives the message to the consumer. When that is dropped in this moment, so is the delivery, which comes back
    /// by the same way as any.
    fn give(&mut self, message: Message) {
        let tag = self.first_tag + self.unsettled.len() as u64;
        let delivery = Delivery::new(
            message.payload.clone(),
            message.properties.clone(),
            message.redelivered,
            tag,
            self.settle.clone(),
        );
        self.unsettled.push_back(Some(message));
        self.outstanding += 1;
        if let Some(deliveries) = &self.deliveries {
            let _ = deliveries.try_send(delivery);
        }
    }

    fn take(&mut self, tag: u64) -> Option<Message> {
        let at = usize::try_from(tag.checked_sub(self.first_tag)?).ok()?;
        let message = self.unsettled.get_mut(at)?.take()?;
        self.outstanding -= 1;
        while let Some(None) = self.unsettled.front() {
            self.unsettled.pop_front();
            self.first_tag += 1;
        }
        Some(message)
    }
}
