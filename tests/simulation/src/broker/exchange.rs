//! All queues, by name.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use millrace_broker::{BrokerError, Delivery, Depth, Outgoing, Queue, Route, Settle};
use tokio::sync::{mpsc, oneshot};

use super::queue::{Holder, Line, Message};
use crate::dice::Dice;

/// The prefix of the names of queues.
pub(crate) const PREFIX: &str = "simulated";

/// The queues of a world.
pub(crate) struct Exchange {
    lines: BTreeMap<String, Line>,
    consumers: u64,
    dice: Dice,
    reordered: u32,
}

/// The ends of the channels that a new consumer gets.
pub(super) struct Ends {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) received: mpsc::Receiver<Delivery>,
    pub(super) deliveries: mpsc::Sender<Delivery>,
    pub(super) settled: mpsc::UnboundedReceiver<Settle>,
    pub(super) line: oneshot::Receiver<()>,
}

impl Exchange {
    pub(crate) fn new(dice: Dice, reordered: u32) -> Self {
        Self { lines: BTreeMap::new(), consumers: 0, dice, reordered }
    }

    /// Delivers in order from now on.
    pub(crate) fn calm(&mut self) {
        self.reordered = 0;
    }

    pub(super) fn declare(&mut self, queue: &Queue) {
        self.lines.entry(queue.name(PREFIX)).or_insert_with(|| Line::new(queue.clone()));
    }

    /// Puts a message into the queues that it is routed to, `copies` times.
    pub(crate) fn publish(&mut self, message: &Outgoing, copies: usize) -> Result<(), BrokerError> {
        let names: Vec<String> = match &message.route {
            Route::Queue(queue) => vec![queue.name(PREFIX)],
            Route::ReplyTo(name) => vec![name.clone()],
            Route::Control => {
                let control = |line: &&Line| matches!(line.queue, Queue::Control(_));
                self.lines.values().filter(control).map(|line| line.queue.name(PREFIX)).collect()
            }
        };
        if let Route::Queue(queue) = &message.route
            && queue.is_durable()
        {
            self.declare(queue);
        }
        for name in names {
            let Some(line) = self.lines.get_mut(&name) else { return Err(BrokerError::Unroutable(name)) };
            for _ in 0..copies {
                line.push(message.level, message.payload.clone(), message.properties.clone());
            }
            line.deliver(&mut self.dice, self.reordered);
        }
        Ok(())
    }

    pub(super) fn consume(
        &mut self,
        process: u16,
        queue: &Queue,
        prefetch: u16,
    ) -> Result<Ends, BrokerError> {
        let name = queue.name(PREFIX);
        if !queue.is_durable() {
            self.declare(queue);
        }
        let Some(found) = self.lines.get_mut(&name) else { return Err(BrokerError::Unroutable(name)) };
        self.consumers += 1;
        let id = self.consumers;
        let prefetch = usize::from(prefetch.max(1));
        let (deliveries, received) = mpsc::channel(prefetch);
        let (settle, settled) = mpsc::unbounded_channel();
        let (cut, line) = oneshot::channel();
        found.holders.push(Holder::new(id, process, prefetch, deliveries.clone(), settle, cut));
        found.deliver(&mut self.dice, self.reordered);
        Ok(Ends { id, name, received, deliveries, settled, line })
    }

    /// Settles one delivery, and returns what was acked and whose it was.
    pub(super) fn settle(&mut self, name: &str, id: u64, settle: Settle) -> Option<(Queue, Message)> {
        let line = self.lines.get_mut(name)?;
        let holder = line.holders.iter_mut().find(|holder| holder.id == id)?;
        let acked = match settle {
            Settle::Ack(tag) => {
                let message = holder.unsettled.remove(&tag)?;
                line.acked += 1;
                Some((line.queue.clone(), message))
            }
            Settle::Requeue(tag) => {
                let message = holder.unsettled.remove(&tag)?;
                line.put_back(message);
                None
            }
        };
        line.deliver(&mut self.dice, self.reordered);
        acked
    }

    /// Notes that a consumer was dropped. An exclusive queue goes with its last.
    pub(super) fn stop(&mut self, name: &str, id: u64) {
        let Some(line) = self.lines.get_mut(name) else { return };
        if let Some(holder) = line.holders.iter_mut().find(|holder| holder.id == id) {
            holder.stop();
        }
        if !line.queue.is_durable() && !line.holders.iter().any(Holder::is_consuming) {
            self.lines.remove(name);
        }
    }

    /// Does a consumer hold anything?
    pub(super) fn holds(&self, name: &str, id: u64) -> bool {
        let holder = self.lines.get(name).and_then(|line| line.holders.iter().find(|holder| holder.id == id));
        holder.is_some_and(|holder| !holder.unsettled.is_empty())
    }

    /// Removes a consumer that holds nothing any more.
    pub(super) fn remove(&mut self, name: &str, id: u64) {
        if let Some(line) = self.lines.get_mut(name) {
            line.holders.retain(|holder| holder.id != id);
        }
    }

    /// Ends the connection of a process: all that it holds goes back, and its exclusive queues are gone.
    pub(crate) fn disconnect(&mut self, process: u16) {
        let mut gone = Vec::new();
        for (name, line) in &mut self.lines {
            if line.disconnect(process) {
                if !line.queue.is_durable() && line.holders.is_empty() {
                    gone.push(name.clone());
                } else {
                    line.deliver(&mut self.dice, self.reordered);
                }
            }
        }
        for name in gone {
            self.lines.remove(&name);
        }
    }

    pub(super) fn depth(&self, queue: &Queue) -> Result<Depth, BrokerError> {
        let name = queue.name(PREFIX);
        self.lines.get(&name).map(Line::depth).ok_or(BrokerError::Unroutable(name))
    }

    /// Finds a durable queue in which something is left, and says what.
    pub(crate) fn left_over(&self) -> Option<String> {
        let durable = self.lines.values().filter(|line| line.queue.is_durable());
        let stays = |queue: &Queue| matches!(queue, Queue::Rejected | Queue::Parked);
        durable.filter(|line| !stays(&line.queue)).find_map(|line| {
            let (ready, unsettled) = (line.ready_count(), line.unsettled_count());
            let left = ready + unsettled > 0;
            left.then(|| format!("{:?} still has {ready} waiting and {unsettled} unsettled", line.queue))
        })
    }

    /// The number of messages that were rejected.
    pub(crate) fn rejected(&self) -> usize {
        self.lines.get(&Queue::Rejected.name(PREFIX)).map_or(0, Line::ready_count)
    }

    /// The messages that wait for a newer version.
    pub(crate) fn parked(&self) -> BTreeSet<Bytes> {
        let line = self.lines.get(&Queue::Parked.name(PREFIX));
        line.into_iter().flat_map(Line::messages).map(|message| message.payload.clone()).collect()
    }

    /// Finds what is not accounted for (invariant 11): what was published was acked, waits, or is held.
    pub(crate) fn unaccounted(&self) -> Option<String> {
        self.lines.values().find_map(|line| {
            let here = (line.ready_count() + line.unsettled_count()) as u64;
            let missing = line.published != line.acked + here;
            missing.then(|| {
                format!("{:?}: {} published, {} acked, {here} there", line.queue, line.published, line.acked)
            })
        })
    }
}
