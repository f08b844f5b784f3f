//! A consumer: one channel and one task, which passes deliveries on and tells the server what was settled. Both
//! outlive the consumer for as long as something that it received is unsettled.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::Channel;
use lapin::message::Delivery as Received;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
    BasicRecoverOptions,
};
use lapin::types::{FieldTable, ShortString};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, sleep, timeout, timeout_at};

use super::administration::Administration;
use super::link::{Link, Live, signalled};
use super::message::{self, short};
use super::topology::{DeclareError, Topology, is_not_found};
use super::unacked::Unacked;
use crate::{BrokerError, Consumer, Delivery, Queue, Settle};

/// The greatest number of deliveries, and of settlements, that are taken in one step.
const BATCH: usize = 512;
/// The interval at which the channel's state is looked at: lapin does not always end a stream with its channel.
const LOOK: Duration = Duration::from_millis(500);
/// The silence after which a consumer that holds nothing, and whose queue has messages, is deaf.
const SILENCE: Duration = Duration::from_secs(5);
const ANSWER_BOUND: Duration = Duration::from_secs(2);
/// The longest time for which the server may go on delivering after it was told to stop.
const CANCEL_BOUND: Duration = Duration::from_secs(10);
const CLOSE_BOUND: Duration = Duration::from_secs(5);

/// The time for which a channel on a quorum queue stays open after the last ack: the server hands acks to such a
/// queue some 30 at a time, and what waits for that is lost with the channel, so that it would all be delivered
/// again.
pub(super) const LINGER: Duration = Duration::from_millis(200);

/// The surroundings of a consumer: what it needs of its broker.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) link: Link,
    pub(crate) topology: Arc<Topology>,
    pub(crate) administration: Arc<Administration>,
    /// Whether the broker closes.
    pub(crate) draining: watch::Receiver<bool>,
    pub(crate) bound: Duration,
}

/// Starts consuming.
pub(crate) async fn consume(
    around: Surroundings,
    queue: &Queue,
    prefetch: u16,
) -> Result<Consumer, BrokerError> {
    let deadline = Instant::now() + around.bound;
    let live = around.link.live(deadline).await?;
    let prefetch = prefetch.max(1);
    let opened = timeout_at(deadline, open(&around, &live, queue, prefetch)).await;
    let (channel, stream) = match opened {
        Ok(Ok(opened)) => opened,
        Ok(Err(DeclareError::Refused(error))) => return Err(error),
        Ok(Err(DeclareError::Failed(error))) if is_not_found(&error) => {
            return Err(BrokerError::Unroutable(around.topology.name(queue)));
        }
        Ok(Err(DeclareError::Failed(error))) => return Err(around.link.unavailable(error.to_string())),
        Err(_) => return Err(around.link.unavailable("no answer to consume")),
    };
    let (deliveries, received) = mpsc::channel(usize::from(prefetch));
    let (settle, settled) = mpsc::unbounded_channel();
    let task = Consuming {
        around,
        live,
        queue: queue.clone(),
        channel,
        consumer_tag: stream.tag(),
        phase: Phase::Consuming(deliveries),
        settle,
        unacked: Unacked::new(),
        last_delivery: Instant::now(),
        next_question: Instant::now() + SILENCE,
        suspected: false,
        recovered: true,
    };
    tokio::spawn(task.run(stream, settled));
    Ok(Consumer::new(received))
}

async fn open(
    around: &Surroundings,
    live: &Live,
    queue: &Queue,
    prefetch: u16,
) -> Result<(Channel, lapin::Consumer), DeclareError> {
    let channel = live.connection.create_channel().await.map_err(DeclareError::Failed)?;
    if !queue.is_durable() {
        // It goes with its last consumer, so that it may have to be made again.
        around.administration.declare(queue).await.map_err(DeclareError::Refused)?;
    }
    let name = short("queue name", &around.topology.name(queue)).map_err(DeclareError::Refused)?;
    let qos = channel.basic_qos(prefetch, BasicQosOptions::default()).await;
    qos.map_err(DeclareError::Failed)?;
    let consume =
        channel.basic_consume(name, "".into(), BasicConsumeOptions::default(), FieldTable::default());
    let stream = consume.await.map_err(DeclareError::Failed)?;
    Ok((channel, stream))
}

/// The reason why a consumer's task ends.
enum End {
    /// The end was wanted: the consumer was dropped and all is settled, or the broker closes. Everything works still.
    Wanted,
    /// The consumer has to be built again.
    Broken(String),
}

/// The phase of the task. Settlements are passed on in all of them.
enum Phase {
    /// The task passes deliveries on, to here.
    Consuming(mpsc::Sender<Delivery>),
    /// The consumer was dropped, and the server told so. What still comes goes back.
    Cancelling { until: Instant },
    /// Nothing comes any more. The task waits for the last settlement.
    Settling,
}

impl Phase {
    fn is_dropped(&self) -> bool {
        matches!(self, Self::Consuming(deliveries) if deliveries.is_closed())
    }

    /// Waits until the consumer is dropped, once.
    async fn dropped(&self) {
        match self {
            Self::Consuming(deliveries) => deliveries.closed().await,
            Self::Cancelling { .. } | Self::Settling => std::future::pending().await,
        }
    }
}

struct Consuming {
    around: Surroundings,
    live: Arc<Live>,
    queue: Queue,
    channel: Channel,
    consumer_tag: ShortString,
    phase: Phase,
    settle: mpsc::UnboundedSender<Settle>,
    unacked: Unacked,
    last_delivery: Instant,
    /// When to ask next whether messages wait.
    next_question: Instant,
    suspected: bool,
    /// Whether, since the last delivery, the server was told to take back what it counts as ours.
    recovered: bool,
}

impl Consuming {
    async fn run(mut self, stream: lapin::Consumer, mut settled: mpsc::UnboundedReceiver<Settle>) {
        let mut stream = stream.ready_chunks(BATCH);
        let mut settlements = Vec::with_capacity(BATCH);
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut draining = self.around.draining.clone();
        let mut link = self.around.link.clone();
        let end = loop {
            if matches!(self.phase, Phase::Settling) && self.unacked.is_idle() {
                break End::Wanted;
            }
            let step = tokio::select! {
                arrived = stream.next(), if !matches!(self.phase, Phase::Settling) => self.pass_on(arrived),
                _ = settled.recv_many(&mut settlements, BATCH) => self.tell(&mut settlements),
                () = self.phase.dropped() => self.cancel(),
                () = signalled(&mut draining) => Err(End::Wanted),
                () = link.changed() => match link.is_current(&self.live) {
                    true => Ok(()),
                    false => Err(End::Broken("the connection ended".to_owned())),
                },
                _ = look.tick() => self.look().await,
            };
            if let Err(end) = step {
                break end;
            }
        };
        let is_wanted = matches!(end, End::Wanted);
        match end {
            End::Wanted => {
                settled.close();
                while let Ok(settle) = settled.try_recv() {
                    settlements.push(settle);
                }
                let _ = self.tell(&mut settlements);
            }
            End::Broken(reason) => {
                let queue = self.around.topology.name(&self.queue);
                tracing::warn!(%queue, %reason, "a consumer ended");
            }
        }
        // What is unsettled goes back to the queue with the channel.
        if self.channel.status().connected() {
            if is_wanted && self.around.topology.is_quorum(&self.queue) {
                sleep(LINGER).await;
            }
            let _ = timeout(CLOSE_BOUND, self.channel.close(200, "ended".into())).await;
        }
    }

    fn pass_on(&mut self, arrived: Option<Vec<lapin::Result<Received>>>) -> Result<(), End> {
        let Some(arrived) = arrived else {
            if matches!(self.phase, Phase::Cancelling { .. }) {
                self.phase = Phase::Settling;
                return Ok(());
            }
            return Err(End::Broken("the broker ended it".to_owned()));
        };
        self.last_delivery = Instant::now();
        self.suspected = false;
        self.recovered = false;
        for received in arrived {
            let received = received.map_err(|error| End::Broken(error.to_string()))?;
            let tag = received.delivery_tag;
            self.unacked.delivered(tag);
            let properties = message::properties(&received.properties);
            let settle = self.settle.clone();
            let delivery = Delivery::new(received.data.into(), properties, received.redelivered, tag, settle);
            // Dropped here when the consumer is, it goes back as any does.
            let Phase::Consuming(deliveries) = &self.phase else { continue };
            // There is room for `prefetch` of them, and the server does not send more.
            if let Err(mpsc::error::TrySendError::Full(_)) = deliveries.try_send(delivery) {
                return Err(End::Broken("the broker sent more than was asked for".to_owned()));
            }
        }
        Ok(())
    }

    /// Tells the server to deliver nothing more: the consumer was dropped. The end of the stream is the answer.
    fn cancel(&mut self) -> Result<(), End> {
        self.phase = Phase::Cancelling { until: Instant::now() + CANCEL_BOUND };
        if !self.queue.is_durable() {
            self.around.topology.forget(&self.queue);
        }
        let cancel = self.channel.basic_cancel(self.consumer_tag.clone(), BasicCancelOptions::default());
        match cancel.now_or_never() {
            Some(Err(error)) => Err(End::Broken(error.to_string())),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// Tells the server what was settled. Polled once, an ack is on its way; there is no answer to wait for.
    fn tell(&mut self, settlements: &mut Vec<Settle>) -> Result<(), End> {
        if self.phase.is_dropped() {
            // First, or the server delivers again, to here, what goes back.
            self.cancel()?;
        }
        settlements.drain(..).for_each(|settle| self.unacked.settle(settle));
        let acks = self.unacked.flush();
        let mut failed = None;
        let ack = |tag, multiple| self.channel.basic_ack(tag, BasicAckOptions { multiple }).now_or_never();
        for tag in acks.requeue {
            let options = BasicNackOptions { multiple: false, requeue: true };
            failed = failed.or(self.channel.basic_nack(tag, options).now_or_never());
        }
        if let Some(tag) = acks.up_to {
            failed = failed.or(ack(tag, true));
        }
        for tag in acks.single {
            failed = failed.or(ack(tag, false));
        }
        match failed {
            Some(Err(error)) => Err(End::Broken(error.to_string())),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// Whether none of us would notice that the queue has lost its binding. What comes here is published by
    /// strangers, or to all workers at once; whoever publishes to the other queues is told that nothing took it.
    fn is_fed_unseen(&self) -> bool {
        matches!(self.queue, Queue::Submit | Queue::Control(_))
    }

    /// Looks whether the channel is as it should be, and whether the server delivers.
    async fn look(&mut self) -> Result<(), End> {
        if !self.channel.status().connected() {
            return Err(End::Broken("its channel was closed".to_owned()));
        }
        let now = Instant::now();
        match self.phase {
            Phase::Consuming(_) => {}
            Phase::Cancelling { until } if until <= now => {
                return Err(End::Broken("no answer to the cancellation".to_owned()));
            }
            Phase::Cancelling { .. } | Phase::Settling => return Ok(()),
        }
        if !self.unacked.is_idle() || now < self.next_question || now < self.last_delivery + SILENCE {
            return Ok(());
        }
        // Acks may have been lost on their way, and with them all room: nothing is held here, so all that the server
        // still counts as ours may go back. In silence there is nothing that this could be done to twice.
        if !std::mem::replace(&mut self.recovered, true) {
            let recover = self.channel.basic_recover(BasicRecoverOptions { requeue: true });
            return match timeout(ANSWER_BOUND, recover).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(End::Broken(error.to_string())),
                Err(_) => Err(End::Broken("no answer to a recovery".to_owned())),
            };
        }
        let waits = match timeout(ANSWER_BOUND, self.around.administration.depth(&self.queue)).await {
            Ok(Ok(depth)) => depth.ready > 0,
            Ok(Err(BrokerError::Unroutable(_))) => return Err(End::Broken("its queue is gone".to_owned())),
            Ok(Err(_)) | Err(_) => false,
        };
        // Asked twice: a message may just have come.
        if waits && self.suspected {
            return Err(End::Broken("messages wait and none is delivered".to_owned()));
        }
        if self.is_fed_unseen() {
            let bound = timeout(ANSWER_BOUND, self.around.administration.bind(&self.queue)).await;
            if let Ok(Err(BrokerError::Unroutable(_))) = bound {
                return Err(End::Broken("its queue is gone".to_owned()));
            }
        }
        self.suspected = waits;
        self.next_question = Instant::now() + if waits { LOOK } else { SILENCE };
        Ok(())
    }
}
