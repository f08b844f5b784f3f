//! Publishing with confirms: one task and one channel for everybody, writing as fast as the window allows.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use lapin::Channel;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::batches::{Answered, Batch, Batches};
use super::link::{Link, Live, State, signalled};
use super::message::{self, Exchanges};
use super::window::Window;
use crate::{BrokerError, Outgoing};

/// The greatest number of messages that may be written and not confirmed. More than this does not go faster.
const WINDOW: usize = 4096;
/// The greatest number of callers' batches that are taken in while they cannot be written yet, and of those that may
/// wait to be.
const BATCHES: usize = 256;
const CHANNEL_BOUND: Duration = Duration::from_secs(5);
/// The longest wait for one confirm, when the caller would wait longer: servers answer within milliseconds, and a
/// confirm that was lost on its way holds up whoever waits for it, behind a connection that looks well.
const CONFIRM_BOUND: Duration = Duration::from_secs(10);

/// A handle on the task that publishes.
#[derive(Debug, Clone)]
pub(crate) struct Publisher {
    batches: mpsc::Sender<Batch>,
    link: Link,
    bound: Duration,
}

impl Publisher {
    /// Starts the task. It ends, after what it took in is answered, when `draining` says true or is dropped: at once
    /// when there is no connection, which would be waited for in vain.
    pub(crate) fn start(
        link: Link,
        exchanges: Exchanges,
        bound: Duration,
        draining: watch::Receiver<bool>,
    ) -> Self {
        let (batches, incoming) = mpsc::channel(BATCHES);
        let task = Publishing {
            link: link.clone(),
            exchanges,
            bound,
            incoming,
            draining,
            batches: Batches::default(),
            window: Window::default(),
            open: None,
        };
        tokio::spawn(task.run());
        Self { batches, link, bound }
    }

    /// Publishes messages, and gives them back with the result of each: the caller may have to do more about one.
    /// What was never taken in is not given back.
    pub(crate) async fn publish(&self, messages: Vec<Outgoing>) -> Answered {
        let count = messages.len();
        if count == 0 {
            return Answered::default();
        }
        let deadline = Instant::now() + self.bound;
        let (answer, answered) = oneshot::channel();
        let error = match timeout_at(deadline, self.batches.send(Batch { messages, deadline, answer })).await
        {
            Ok(Ok(())) => match answered.await {
                Ok(answered) => return answered,
                Err(_) => BrokerError::Closed,
            },
            Ok(Err(_)) => BrokerError::Closed,
            Err(_) => self.link.unavailable("too many messages wait to be published"),
        };
        (Vec::new(), vec![Err(error); count])
    }
}

struct Publishing {
    link: Link,
    exchanges: Exchanges,
    bound: Duration,
    incoming: mpsc::Receiver<Batch>,
    draining: watch::Receiver<bool>,
    batches: Batches,
    window: Window,
    open: Option<Open>,
}

/// A channel with confirms on. The channel is shared with the publishes in flight.
struct Open {
    live: Arc<Live>,
    channel: Arc<Channel>,
    /// The longest frame, in bytes.
    frame_max: usize,
}

impl Publishing {
    async fn run(mut self) {
        let mut results = Vec::new();
        let mut taking = true;
        self.follow_link().await;
        while taking || !self.batches.is_empty() {
            if !taking && self.open.is_none() {
                self.batches.give_up(&self.link.down("the broker connection was closed"));
                break;
            }
            self.write();
            let deadline = [self.window.deadline(), self.batches.deadline()].into_iter().flatten().min();
            tokio::select! {
                settled = poll_fn(|context| self.window.poll_results(context, &mut results)),
                    if !self.window.is_empty() =>
                {
                    results.drain(..).for_each(|result| self.batches.record(result));
                    if let Err(reason) = settled {
                        self.lose(&reason);
                    }
                }
                batch = self.incoming.recv(), if taking && self.batches.unwritten() < BATCHES => match batch {
                    Some(batch) => self.batches.push(batch),
                    None => taking = false,
                },
                () = self.link.changed() => self.follow_link().await,
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => self.expire(),
                () = signalled(&mut self.draining), if taking => {
                    // What was sent before comes out still, then `None`.
                    self.incoming.close();
                    while let Some(batch) = self.incoming.recv().await {
                        self.batches.push(batch);
                    }
                    taking = false;
                }
            }
        }
    }

    /// Writes what the window has room for.
    fn write(&mut self) {
        let Some(Open { channel, frame_max, .. }) = &self.open else { return };
        if self.window.len() >= WINDOW || self.batches.unwritten() == 0 {
            return;
        }
        let deadline = Instant::now() + self.bound.min(CONFIRM_BOUND);
        while self.window.len() < WINDOW
            && let Some(message) = self.batches.next()
        {
            let sequence = self.window.next_sequence();
            let envelope = match message::envelope(message, &self.exchanges, sequence, *frame_max) {
                Ok(envelope) => envelope,
                Err(error) => {
                    self.window.push_invalid(error, deadline);
                    continue;
                }
            };
            let (channel, payload) = (Arc::clone(channel), message.payload.clone());
            let publish = async move {
                let options = BasicPublishOptions { mandatory: envelope.mandatory, immediate: false };
                let (exchange, key) = (envelope.exchange, envelope.routing_key);
                let written =
                    channel.basic_publish(exchange, key, options, &payload, envelope.properties).await;
                written?.await
            };
            self.window.push(Box::pin(publish), deadline);
        }
    }

    /// Opens a channel on a new connection, or notes that there is none.
    async fn follow_link(&mut self) {
        let state = self.link.state();
        if let Some(open) = &self.open
            && !self.link.is_current(&open.live)
        {
            let reason = match &state {
                State::Down(reason) | State::Refused(reason) => reason.to_string(),
                State::Up(_) | State::Shut => "the connection ended".to_owned(),
            };
            self.lose(&reason);
        }
        match state {
            State::Up(live) if self.open.is_none() => match timeout(CHANNEL_BOUND, open(&live)).await {
                Ok(Ok(channel)) => {
                    let frame_max = live.connection.configuration().frame_max();
                    let frame_max = usize::try_from(frame_max).unwrap_or(usize::MAX);
                    self.open = Some(Open { live, channel: Arc::new(channel), frame_max });
                }
                Ok(Err(_)) | Err(_) => live.rebuild(),
            },
            State::Shut => self.batches.give_up(&BrokerError::Closed),
            State::Up(_) | State::Down(_) | State::Refused(_) => {}
        }
    }

    /// Gives up the channel, with what was written to it. That may or may not be there: that is for the caller.
    fn lose(&mut self, reason: &str) {
        if let Some(open) = self.open.take() {
            open.live.rebuild();
        }
        let error = self.link.unavailable(format!("the connection was lost before the confirm ({reason})"));
        for _ in 0..self.window.clear() {
            self.batches.record(Err(error.clone()));
        }
    }

    fn expire(&mut self) {
        let now = Instant::now();
        let blocked = self.open.as_ref().is_some_and(|open| open.live.connection.status().blocked());
        let late = self.window.expire(now);
        for _ in 0..late {
            let waited = self.bound.min(CONFIRM_BOUND).as_secs();
            self.batches.record(Err(BrokerError::Unconfirmed(waited)));
        }
        // A server that blocks publishers confirms when its alarm ends; any other silence is a broken connection.
        if late > 0 && !blocked {
            self.lose("no confirm came");
        }
        let error = match blocked {
            true => self.link.unavailable("it blocks publishers, short of memory or disk"),
            false => self.link.down("it does not confirm fast enough"),
        };
        self.batches.expire(now, &error);
    }
}

async fn open(live: &Live) -> lapin::Result<Channel> {
    let channel = live.connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}
