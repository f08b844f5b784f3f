//! The broker, as one process has it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use millrace_broker::{Broker, BrokerError, Consumer, Depth, Outgoing, Queue, Route, Settle};
use millrace_domain::message::{Inbox, InboxBody};
use tokio::sync::{mpsc, watch};

use super::exchange::Ends;
use crate::process::{Lost, Process, Server};
use crate::world::{Shared, World};

/// A process's way to the broker.
pub struct MemoryBroker {
    process: Arc<Process>,
    ready: watch::Sender<bool>,
    /// Whether the broker is blocked, which it never is.
    blocked: watch::Sender<Option<Arc<str>>>,
}

impl MemoryBroker {
    /// A way to a broker in a world of its own, in which nothing goes wrong. Needs a Tokio runtime.
    pub fn calm(world: &Shared) -> Self {
        Self::of(Arc::new(Process::new(0, "alone".to_owned(), world.clone(), None, false)))
    }

    pub(crate) fn of(process: Arc<Process>) -> Self {
        Self { process, ready: watch::Sender::new(true), blocked: watch::Sender::default() }
    }

    async fn ask<T>(
        &self,
        what: &'static str,
        effect: impl FnOnce(&mut World) -> Result<T, BrokerError>,
    ) -> Result<T, BrokerError> {
        if !*self.ready.borrow() {
            return Err(BrokerError::Closed);
        }
        let lost = |Lost| BrokerError::Unavailable("the simulation".into(), "no answer".into());
        self.process.call(Server::Broker, what, effect).await.map_err(lost)?
    }
}

/// Whether a message is a letter of one partition to another.
fn is_letter(message: &Outgoing) -> bool {
    matches!(message.route, Route::Queue(Queue::Inbox(_)))
        && matches!(
            serde_json::from_slice(&message.payload),
            Ok(Inbox { body: InboxBody::Letter { .. }, .. })
        )
}

/// Sends a message to the exchange, with the faults that it suffers on its way.
fn send(world: &mut World, message: &Outgoing, suffers: bool, from: &str) -> Result<(), BrokerError> {
    let (mut copies, mut confirmed) = (1, true);
    if suffers {
        let (dice, faults) = (&mut world.dice, &world.faults);
        let letter = is_letter(message);
        if dice.chance(faults.refused) || letter && dice.chance(faults.letters_refused) {
            return Err(BrokerError::Refused);
        }
        confirmed = !dice.chance(faults.unconfirmed);
        if dice.chance(faults.doubled) {
            copies = 2;
        }
        let promised =
            letter || matches!(message.route, Route::Queue(Queue::Submit | Queue::Rejected | Queue::Parked));
        if dice.chance(faults.dropped) && !promised {
            copies = 0;
        }
    }
    let now = world.true_now();
    world.trace.note(now, 0, "message", (copies, confirmed, &*message.payload), || {
        let text = String::from_utf8_lossy(&message.payload);
        format!("{from} to {:?}, {copies} of it, confirmed: {confirmed}: {text}", message.route)
    });
    world.exchange.publish(message, copies)?;
    if confirmed { Ok(()) } else { Err(BrokerError::Unconfirmed(10)) }
}

#[async_trait]
impl Broker for MemoryBroker {
    async fn declare(&self, queue: &Queue) -> Result<(), BrokerError> {
        self.ask("declare", |world| {
            world.exchange.declare(queue);
            Ok(())
        })
        .await
    }

    async fn publish(&self, messages: Vec<Outgoing>) -> Vec<Result<(), BrokerError>> {
        let Process { suffers, name, .. } = &*self.process;
        let sent = self.ask("publish", |world| {
            Ok(messages.iter().map(|message| send(world, message, *suffers, name)).collect())
        });
        match sent.await {
            Ok(results) => results,
            Err(error) => messages.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    async fn consume(&self, queue: &Queue, prefetch: u16) -> Result<Consumer, BrokerError> {
        let number = self.process.number;
        let asked = self.ask("consume", |world| {
            let Ends { id, name, received, deliveries, settled, line } =
                world.exchange.consume(number, queue, prefetch)?;
            let pump =
                Pump { process: Arc::clone(&self.process), id, name, deliveries: Some(deliveries), settled };
            tokio::spawn(async move {
                tokio::select! {
                    biased;
                    _ = line => {}
                    () = pump.run() => {}
                }
            });
            Ok(Consumer::new(received))
        });
        asked.await
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, BrokerError> {
        self.ask("depth", |world| world.exchange.depth(queue)).await
    }

    fn queue_kind(&self) -> &'static str {
        "memory"
    }

    fn ready(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }

    fn blocked(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.blocked.subscribe()
    }

    async fn close(&self) {
        self.ready.send_replace(false);
        self.process.world.lock().exchange.disconnect(self.process.number);
    }
}

/// The pump of a consumer, which brings its settlements to the broker, also after it was dropped. It ends with the
/// connection.
struct Pump {
    process: Arc<Process>,
    id: u64,
    name: String,
    /// Closed when the consumer is dropped; then nothing. A delivery that was sent at that very moment goes back
    /// with the last sender.
    deliveries: Option<mpsc::Sender<millrace_broker::Delivery>>,
    settled: mpsc::UnboundedReceiver<Settle>,
}

impl Pump {
    async fn run(mut self) {
        while self.deliveries.is_some() || self.world().lock().exchange.holds(&self.name, self.id) {
            tokio::select! {
                biased;
                () = closed(self.deliveries.as_ref()), if self.deliveries.is_some() => {
                    self.deliveries = None;
                    self.world().lock().exchange.stop(&self.name, self.id);
                }
                Some(settle) = self.settled.recv() => {
                    let late = self.lateness(&settle);
                    if !late.is_zero() {
                        tokio::time::sleep(late).await;
                    }
                    self.settle(settle);
                }
            }
        }
        self.world().lock().exchange.remove(&self.name, self.id);
    }

    fn world(&self) -> &Shared {
        &self.process.world
    }

    fn lateness(&self, settle: &Settle) -> Duration {
        let mut world = self.world().lock();
        let late = world.faults.late_acks;
        if world.is_exhausted() {
            return Duration::from_secs(1_000_000);
        }
        if self.process.suffers && world.dice.chance(late) {
            return world.dice.millis(1, 300);
        }
        // What goes back comes again only after a way through the network: no circle is closed in no time.
        Duration::from_millis(u64::from(matches!(settle, Settle::Requeue(_))))
    }

    fn settle(&self, settle: Settle) {
        let mut world = self.world().lock();
        let Some((queue, message)) = world.exchange.settle(&self.name, self.id, settle) else { return };
        let (now, number) = (world.true_now(), self.process.number);
        world.trace.note(now, number, "ack", &*message.payload, || {
            format!("{} {queue:?}: {}", self.process.name, String::from_utf8_lossy(&message.payload))
        });
        let World { auditor, memory, exchange, .. } = &mut *world;
        auditor.acked(memory, exchange, number, &queue, &message);
    }
}

/// Waits until the consumer is dropped.
async fn closed(deliveries: Option<&mpsc::Sender<millrace_broker::Delivery>>) {
    match deliveries {
        Some(deliveries) => deliveries.closed().await,
        None => std::future::pending().await,
    }
}
