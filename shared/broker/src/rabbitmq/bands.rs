//! One consumer over the bands of a pool, where a quorum queue has no priorities: a queue for each, urgent first.
//!
//! While the slots suffice, it *flows*: a consumer on every band, each with room for all slots, so that any band may
//! fill them. As soon as more comes than there are slots, what is too much goes back, and it *pulls*: whenever a slot
//! is free, the bands are asked one after the other, the most urgent first. When all are empty it flows again. So
//! never is more held than there are slots, and an urgent task takes the next one that frees. Pulling costs the
//! broker more for each task; one band that fills all slots never leads to it.

use std::collections::HashMap;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use lapin::Channel;
use lapin::message::BasicGetMessage;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions,
};
use lapin::types::FieldTable;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::consumer::{self, Surroundings};
use super::link::signalled;
use super::message::{self, short};
use super::topology::is_not_found;
use crate::{BrokerError, Consumer, Delivery, Queue, Settle};

/// The interval at which the channel's state is looked at.
const LOOK: Duration = Duration::from_millis(500);
const GET_BOUND: Duration = Duration::from_secs(5);
const CLOSE_BOUND: Duration = Duration::from_secs(5);

/// A delivery that was passed on and is not settled.
enum Held {
    /// The delivery came by itself.
    Pushed(Delivery),
    /// The delivery was asked for: its tag on our channel.
    Pulled(u64),
}

/// The mode of consuming: how deliveries come.
enum Mode {
    /// They flow: each band's consumer, the most urgent first.
    Flowing(Vec<Consumer>),
    /// They are pulled: the next band to ask.
    Pulling(usize),
}

/// The next thing that happens to a consumer of bands.
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, on the stack: a box would cost an allocation a delivery"
)]
enum Step {
    Pushed(usize, Option<Delivery>),
    Settled,
    Dropped,
    Free,
    Over,
    Look,
}

struct Merging {
    around: Surroundings,
    bands: Vec<Queue>,
    slots: usize,
    prefetch: u16,
    channel: Channel,
    presence: lapin::Consumer,
    /// The deliveries; `None` when the consumer was dropped: then nothing new is taken, and the last settlement
    /// waited for.
    deliveries: Option<mpsc::Sender<Delivery>>,
    settle: mpsc::UnboundedSender<Settle>,
    held: HashMap<u64, Held>,
    last_tag: u64,
    mode: Mode,
}

/// Starts consuming the bands of `queue`.
pub(crate) async fn consume(
    around: Surroundings,
    queue: &Queue,
    prefetch: u16,
) -> Result<Consumer, BrokerError> {
    let deadline = Instant::now() + around.bound;
    let live = around.link.live(deadline).await?;
    let prefetch = prefetch.max(1);
    let presence = around.topology.presence(queue);
    let name = short("queue name", &presence)?;
    let open = async {
        let channel = live.connection.create_channel().await?;
        let options = BasicConsumeOptions::default();
        let stream = channel.basic_consume(name, "".into(), options, FieldTable::default()).await?;
        Ok::<_, lapin::Error>((channel, stream))
    };
    let (channel, presence) = match timeout_at(deadline, open).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(error)) if is_not_found(&error) => {
            return Err(BrokerError::Unroutable(around.topology.name(queue)));
        }
        Ok(Err(error)) => return Err(around.link.unavailable(error.to_string())),
        Err(_) => return Err(around.link.unavailable("no answer to consume")),
    };
    let (deliveries, received) = mpsc::channel(usize::from(prefetch));
    let (settle, settled) = mpsc::unbounded_channel();
    let merging = Merging {
        bands: around.topology.queues(queue),
        around,
        slots: usize::from(prefetch),
        prefetch,
        channel,
        presence,
        deliveries: Some(deliveries),
        settle,
        held: HashMap::new(),
        last_tag: 0,
        mode: Mode::Pulling(0),
    };
    tokio::spawn(merging.run(settled));
    Ok(Consumer::new(received))
}

impl Merging {
    async fn run(mut self, mut settled: mpsc::UnboundedReceiver<Settle>) {
        let mut settlements = Vec::new();
        let mut look = tokio::time::interval(LOOK);
        let mut draining = self.around.draining.clone();
        let mut link = self.around.link.clone();
        let ended = loop {
            if self.deliveries.is_none() && self.held.is_empty() {
                break Ok(());
            }
            let is_free = self.held.len() < self.slots;
            let step = tokio::select! {
                biased;
                _ = settled.recv_many(&mut settlements, 512) => Step::Settled,
                () = dropped(self.deliveries.as_ref()) => Step::Dropped,
                () = signalled(&mut draining) => Step::Over,
                () = link.changed() => Step::Look,
                _ = look.tick() => Step::Look,
                (band, delivery) = next(&mut self.mode) => Step::Pushed(band, delivery),
                () = std::future::ready(()), if is_free && self.is_pulling() => Step::Free,
            };
            let done = match step {
                Step::Settled => self.tell(&mut settlements),
                Step::Dropped => self.stop(),
                Step::Pushed(_, Some(delivery)) => self.pushed(delivery),
                Step::Pushed(band, None) => Err(format!("the consumer of {:?} ended", self.bands.get(band))),
                Step::Free => self.pull().await,
                Step::Look if !self.channel.status().connected() => Err("its channel was closed".to_owned()),
                Step::Look => Ok(()),
                Step::Over => break Ok(()),
            };
            if let Err(reason) = done {
                break Err(reason);
            }
        };
        settled.close();
        while let Ok(settle) = settled.try_recv() {
            settlements.push(settle);
        }
        let _ = self.tell(&mut settlements);
        if let Err(reason) = ended {
            tracing::warn!(bands = ?self.bands, %reason, "a consumer ended");
        }
        // What is unsettled goes back with the channel, and with what is dropped here.
        if self.channel.status().connected() {
            sleep(consumer::LINGER).await;
            let _ = timeout(CLOSE_BOUND, self.channel.close(200, "ended".into())).await;
        }
    }

    fn is_pulling(&self) -> bool {
        matches!(self.mode, Mode::Pulling(_)) && self.deliveries.is_some()
    }

    /// Passes on a delivery that came by itself.
    fn pushed(&mut self, delivery: Delivery) -> Result<(), String> {
        if self.held.len() >= self.slots {
            // More than one band wants the slots: from now on they are given out in order. What the consumers of
            // the bands hold and was not received goes back as they are dropped.
            delivery.requeue();
            self.mode = Mode::Pulling(0);
            return Ok(());
        }
        let (payload, properties) = (delivery.payload.clone(), delivery.properties.clone());
        let redelivered = delivery.redelivered;
        self.pass_on(payload, properties, redelivered, Held::Pushed(delivery))
    }

    /// Asks the next band; when all are empty, it flows.
    async fn pull(&mut self) -> Result<(), String> {
        let Mode::Pulling(band) = &mut self.mode else { return Ok(()) };
        let Some(queue) = self.bands.get(*band) else {
            return self.flow().await;
        };
        *band += 1;
        let name =
            short("queue name", &self.around.topology.name(queue)).map_err(|error| error.to_string())?;
        let get = self.channel.basic_get(name, BasicGetOptions { no_ack: false });
        let got = timeout(GET_BOUND, get).await.map_err(|_| "no answer to a get".to_owned())?;
        let Some(got) = got.map_err(|error| error.to_string())? else { return Ok(()) };
        // A more urgent one may have come meanwhile.
        self.mode = Mode::Pulling(0);
        let BasicGetMessage { delivery, .. } = got;
        let properties = message::properties(&delivery.properties);
        let held = Held::Pulled(delivery.delivery_tag);
        self.pass_on(delivery.data.into(), properties, delivery.redelivered, held)
    }

    async fn flow(&mut self) -> Result<(), String> {
        let mut consumers = Vec::with_capacity(self.bands.len());
        for band in &self.bands {
            let consumer = consumer::consume(self.around.clone(), band, self.prefetch).await;
            consumers.push(consumer.map_err(|error| error.to_string())?);
        }
        self.mode = Mode::Flowing(consumers);
        Ok(())
    }

    fn pass_on(
        &mut self,
        payload: bytes::Bytes,
        properties: crate::Properties,
        redelivered: bool,
        held: Held,
    ) -> Result<(), String> {
        self.last_tag += 1;
        let tag = self.last_tag;
        self.held.insert(tag, held);
        let delivery = Delivery::new(payload, properties, redelivered, tag, self.settle.clone());
        // Dropped here when the consumer is, it goes back as any does.
        if let Some(deliveries) = &self.deliveries
            && let Err(mpsc::error::TrySendError::Full(_)) = deliveries.try_send(delivery)
        {
            return Err("more was taken than there is room for".to_owned());
        }
        Ok(())
    }

    /// Takes nothing new: the consumer was dropped.
    fn stop(&mut self) -> Result<(), String> {
        self.deliveries = None;
        self.mode = Mode::Pulling(0);
        let cancel = self.channel.basic_cancel(self.presence.tag(), BasicCancelOptions::default());
        match cancel.now_or_never() {
            Some(Err(error)) => Err(error.to_string()),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// Tells the server what was settled. Polled once, an ack is on its way.
    fn tell(&mut self, settlements: &mut Vec<Settle>) -> Result<(), String> {
        if self.deliveries.as_ref().is_some_and(mpsc::Sender::is_closed) {
            // First, or the server delivers again, to here, what goes back.
            self.stop()?;
        }
        let mut failed = None;
        for settle in settlements.drain(..) {
            let (Settle::Ack(tag) | Settle::Requeue(tag)) = settle;
            let is_done = matches!(settle, Settle::Ack(_));
            match (self.held.remove(&tag), is_done) {
                (Some(Held::Pushed(delivery)), true) => delivery.ack(),
                (Some(Held::Pushed(delivery)), false) => delivery.requeue(),
                (Some(Held::Pulled(tag)), true) => {
                    let ack = self.channel.basic_ack(tag, BasicAckOptions { multiple: false });
                    failed = failed.or(ack.now_or_never());
                }
                (Some(Held::Pulled(tag)), false) => {
                    let options = BasicNackOptions { multiple: false, requeue: true };
                    failed = failed.or(self.channel.basic_nack(tag, options).now_or_never());
                }
                (None, _) => {}
            }
        }
        match failed {
            Some(Err(error)) => Err(error.to_string()),
            Some(Ok(())) | None => Ok(()),
        }
    }
}

/// Waits until the consumer is dropped, once.
async fn dropped(deliveries: Option<&mpsc::Sender<Delivery>>) {
    match deliveries {
        Some(deliveries) => deliveries.closed().await,
        None => std::future::pending().await,
    }
}

/// Waits for the next delivery that comes by itself, from the most urgent band that has one; with `None` its consumer
/// ended.
async fn next(mode: &mut Mode) -> (usize, Option<Delivery>) {
    let Mode::Flowing(consumers) = mode else { return std::future::pending().await };
    poll_fn(|context| {
        for (band, consumer) in consumers.iter_mut().enumerate() {
            if let Poll::Ready(delivery) = consumer.poll_recv(context) {
                return Poll::Ready((band, delivery));
            }
        }
        Poll::Pending
    })
    .await
}
