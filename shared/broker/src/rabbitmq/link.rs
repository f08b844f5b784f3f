//! A connection that is kept up: connect, declare, watch, and again from nothing when anything is wrong with it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_rs::Runtime;
use futures_util::{Stream, StreamExt};
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::tcp::{AMQPUriTcpExt, AsyncTcpStream};
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties, ErrorKind, Event};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, sleep, timeout, timeout_at};
use uuid::Uuid;

use super::outage::Outage;
use super::screen::{Screened, Screening};
use super::topology::Topology;
use crate::BrokerError;

/// The longest time for the TCP connection (with TLS), and for all of connecting and declaring.
const TCP_BOUND: Duration = Duration::from_secs(5);
const CONNECT_BOUND: Duration = Duration::from_secs(20);
const CLOSE_BOUND: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The interval at which a connection's state is looked at. Events say when it ended; this is in case one was missed.
const LOOK: Duration = Duration::from_millis(500);

/// The purpose of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Publishing, and nothing else.
    Publish,
    /// Consuming and declaring. Exclusive queues belong to this one.
    Consume,
    /// Consuming what strangers submit: whatever it may come to, results and answers go on.
    Entry,
}

/// The settings of a connection: how it is made.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The nodes of one cluster, tried in turn.
    pub(crate) nodes: Vec<AMQPUri>,
    /// The address with its password masked.
    pub(crate) shown_url: Arc<str>,
    pub(crate) name: String,
    pub(crate) purpose: Purpose,
    pub(crate) topology: Arc<Topology>,
    /// The reason why the server takes no messages, while it does not.
    pub(crate) blocked: watch::Sender<Option<Arc<str>>>,
}

/// A connection that is up.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) connection: Connection,
    rebuild: Notify,
}

impl Live {
    /// Asks for another connection in place of this one.
    pub(crate) fn rebuild(&self) {
        self.rebuild.notify_one();
    }
}

/// The state of a link.
#[derive(Debug, Clone)]
pub(crate) enum State {
    /// The link is not connected, for this reason. It is being tried.
    Down(Arc<str>),
    /// The link is not connected by the server's decision: it knows no such user, password or virtual host.
    Refused(Arc<str>),
    Up(Arc<Live>),
    /// The link is shut, for good.
    Shut,
}

/// A handle on a kept-up connection.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    state: watch::Receiver<State>,
    shown_url: Arc<str>,
}

impl Link {
    /// Starts connecting in the background, until `shut` says true or is dropped.
    pub(crate) fn start(settings: Settings, shut: watch::Receiver<bool>) -> Self {
        let (sender, state) = watch::channel(State::Down("still connecting".into()));
        let link = Self { state, shown_url: Arc::clone(&settings.shown_url) };
        tokio::spawn(supervise(settings, sender, shut));
        link
    }

    /// The state of the link now. [`Link::changed`] then waits for another state than this.
    pub(crate) fn state(&mut self) -> State {
        self.state.borrow_and_update().clone()
    }

    /// Waits until the state is another than the one that was seen last.
    pub(crate) async fn changed(&mut self) {
        if self.state.changed().await.is_err() {
            // The supervisor is gone, which it says with `Shut` before.
            std::future::pending::<()>().await;
        }
    }

    /// Whether this is still the connection.
    pub(crate) fn is_current(&self, live: &Arc<Live>) -> bool {
        matches!(&*self.state.borrow(), State::Up(current) if Arc::ptr_eq(current, live))
    }

    /// Waits until the link is up. [`BrokerError::Configuration`] as soon as the server does not let us in.
    pub(crate) async fn admitted(&self) -> Result<(), BrokerError> {
        let mut state = self.state.clone();
        match state.wait_for(|state| !matches!(state, State::Down(_))).await.as_deref() {
            Ok(State::Refused(reason)) => Err(BrokerError::Configuration(format!(
                "the broker at {} does not let us in ({reason}): give a user, a password and a virtual host in \
                 the address that it knows",
                self.shown_url
            ))),
            Ok(State::Up(_) | State::Down(_)) => Ok(()),
            Ok(State::Shut) | Err(_) => Err(BrokerError::Closed),
        }
    }

    /// The connection, for which it waits until `deadline`.
    pub(crate) async fn live(&self, deadline: Instant) -> Result<Arc<Live>, BrokerError> {
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| matches!(state, State::Up(_) | State::Shut));
        let found = match timeout_at(deadline, settled).await {
            Ok(Ok(found)) => found.clone(),
            Ok(Err(_)) => State::Shut,
            Err(_) => self.state.borrow().clone(),
        };
        match found {
            State::Up(live) => Ok(live),
            State::Down(reason) | State::Refused(reason) => Err(self.unavailable(&*reason)),
            State::Shut => Err(BrokerError::Closed),
        }
    }

    /// The error of a broker that is not reachable, for this reason.
    pub(crate) fn unavailable(&self, reason: impl Into<String>) -> BrokerError {
        BrokerError::Unavailable(self.shown_url.to_string(), reason.into())
    }

    /// The error of the link while it is down, with its reason, or else with `otherwise`.
    pub(crate) fn down(&self, otherwise: &str) -> BrokerError {
        match &*self.state.borrow() {
            State::Down(reason) | State::Refused(reason) => self.unavailable(&**reason),
            State::Up(_) | State::Shut => self.unavailable(otherwise),
        }
    }

    /// Calls `tell` with whether the link is up, now and at every change, until it is shut.
    pub(crate) async fn watch(mut self, tell: impl Fn(bool)) {
        loop {
            let state = self.state();
            tell(matches!(state, State::Up(_)));
            if matches!(state, State::Shut) {
                return;
            }
            self.changed().await;
        }
    }
}

/// Waits until a signal says true, or nobody is left to say so.
pub(crate) async fn signalled(signal: &mut watch::Receiver<bool>) {
    let _ = signal.wait_for(|said| *said).await;
}

type Events = Pin<Box<dyn Stream<Item = Event> + Send>>;

async fn supervise(settings: Settings, state: watch::Sender<State>, mut shut: watch::Receiver<bool>) {
    let shown_url = &settings.shown_url;
    let purpose = settings.purpose;
    let mut pause = FIRST_PAUSE;
    let mut outage = Outage::begin();
    let mut nodes = settings.nodes.iter().enumerate().cycle();
    let mut node = nodes.next();
    while let Some((place, uri)) = node {
        let attempt = tokio::select! {
            attempt = timeout(CONNECT_BOUND, connect(&settings, uri)) => attempt,
            () = signalled(&mut shut) => break,
        };
        let late = |_| Err(format!("no connection within {} s", CONNECT_BOUND.as_secs()).into());
        match attempt.unwrap_or_else(late) {
            Ok((live, events)) => {
                tracing::info!(url = %shown_url, ?purpose, "connected to the broker");
                pause = FIRST_PAUSE;
                state.send_replace(State::Up(Arc::clone(&live)));
                let reason = tokio::select! {
                    reason = end(&live, events, &settings.blocked) => Some(reason),
                    () = signalled(&mut shut) => None,
                };
                outage = Outage::begin();
                settings.blocked.send_replace(None);
                if let Some(reason) = &reason {
                    tracing::warn!(url = %shown_url, ?purpose, %reason, "the connection to the broker ended");
                    state.send_replace(State::Down(reason.as_str().into()));
                }
                if live.connection.status().connected() {
                    let _ = timeout(CLOSE_BOUND, live.connection.close(200, "closed".into())).await;
                }
                if reason.is_none() {
                    break;
                }
            }
            Err(Failure { reason, is_refusal }) => {
                if let Some(for_s) = outage.tells(&reason) {
                    tracing::warn!(url = %shown_url, ?purpose, for_s, %reason, "the broker is not reachable");
                }
                let reason = reason.as_str().into();
                // One node of several may have lost its users: the others are asked first.
                let is_refusal = is_refusal && place + 1 == settings.nodes.len();
                state.send_replace(if is_refusal { State::Refused(reason) } else { State::Down(reason) });
                node = nodes.next();
                // Another node may be there at once.
                if place + 1 < settings.nodes.len() {
                    continue;
                }
            }
        }
        tokio::select! {
            () = sleep(with_jitter(pause)) => {}
            () = signalled(&mut shut) => break,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    state.send_replace(State::Shut);
}

/// A failure to connect: why there is no connection.
struct Failure {
    reason: String,
    /// Whether the server knows no such user, password or virtual host.
    is_refusal: bool,
}

impl From<String> for Failure {
    fn from(reason: String) -> Self {
        Self { reason, is_refusal: false }
    }
}

impl Failure {
    /// The failure of a connection that was not opened.
    fn of_opening(error: &lapin::Error) -> Self {
        let reason = error.to_string();
        let is_refusal = match error.kind() {
            ErrorKind::ProtocolError(error) => match error.kind() {
                AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => true,
                // Said as well while too many are connected, and while a virtual host is being recovered.
                AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => {
                    !reason.contains("limit") && !reason.contains("is down")
                }
                _ => false,
            },
            _ => false,
        };
        Self { reason, is_refusal }
    }
}

async fn connect(settings: &Settings, node: &AMQPUri) -> Result<(Arc<Live>, Events), Failure> {
    let runtime = Runtime::new(Screening::current());
    let plain = Runtime::tokio_current();
    let frame_max = node.query.frame_max.unwrap_or_default();
    let name = match settings.purpose {
        Purpose::Publish => format!("{} publish", settings.name),
        Purpose::Consume => format!("{} consume", settings.name),
        Purpose::Entry => format!("{} entry", settings.name),
    };
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let tcp = async move |uri: AMQPUri, _| match timeout(TCP_BOUND, uri.connect_async(&plain)).await {
        Ok(stream) => Ok(AsyncTcpStream::Plain(Screened::new(stream?, frame_max))),
        Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
    };
    let connected = Connection::connector(node.clone(), runtime, tcp, properties).await;
    let connection = connected.map_err(|error| Failure::of_opening(&error))?;
    let events: Events = Box::pin(connection.events_listener());
    let queues = settings.purpose == Purpose::Consume;
    let declared = settings.topology.declare_all(&connection, queues).await;
    declared.map_err(|error| error.to_string())?;
    Ok((Arc::new(Live { connection, rebuild: Notify::new() }), events))
}

/// Waits for the end of a connection and says why it ended.
async fn end(live: &Live, mut events: Events, blocked: &watch::Sender<Option<Arc<str>>>) -> String {
    let status = live.connection.status();
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.next() => match event {
                // A channel's errors come by here too; those are for whoever uses the channel.
                Some(Event::Error(error)) if !status.connected() => return error.to_string(),
                Some(Event::ConnectionBlocked(reason)) => {
                    tracing::warn!(%reason, "the broker blocks publishers");
                    blocked.send_replace(Some(reason.into()));
                }
                Some(Event::ConnectionUnblocked) => {
                    tracing::info!("the broker takes messages again");
                    blocked.send_replace(None);
                }
                Some(_) => {}
                None => return "the connection ended".to_owned(),
            },
            () = live.rebuild.notified() => return "it did not work as it should".to_owned(),
            _ = look.tick() => {
                if !status.connected() {
                    return "the connection ended".to_owned();
                }
            }
        }
    }
}

/// A pause between half of this one and all of it, so that a fleet does not come back in one moment.
fn with_jitter(pause: Duration) -> Duration {
    let random = u32::from(Uuid::new_v4().as_bytes()[0]);
    pause / 2 + pause / 2 * random / 255
}
