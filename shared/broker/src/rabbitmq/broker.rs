//! The broker on RabbitMQ: its connections and what runs on them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::timeout;

use super::administration::Administration;
use super::bands;
use super::consumer::{self, Surroundings};
use super::link::{Link, Purpose, Settings};
use super::options::{self, Options};
use super::publisher::Publisher;
use super::topology::Topology;
use crate::{Broker, BrokerError, Consumer, Depth, Outgoing, Queue, Route};

const CLOSE_BOUND: Duration = Duration::from_secs(5);

/// A broker on RabbitMQ. Dropped, it stops; [`Broker::close`] ends it with nothing left unsent.
pub struct RabbitMqBroker {
    publisher: Publisher,
    consuming: Link,
    /// The settings of the connection on which strangers' submissions come, and that connection, once there are
    /// consumers of them: a worker has none.
    entry: (Settings, OnceLock<Link>),
    topology: Arc<Topology>,
    administration: Arc<Administration>,
    bound: Duration,
    readiness: Readiness,
    blocked: watch::Receiver<Option<Arc<str>>>,
    /// The signal to publisher and consumers that they are to finish.
    draining: watch::Sender<bool>,
    /// The signal to the connections that they are to close.
    shut: watch::Sender<bool>,
}

impl RabbitMqBroker {
    /// Starts connecting and returns at once; [`Broker::ready`] says when it is there. Connections that fail are
    /// tried again for ever, from 100 ms to 2 s apart. The only error is [`BrokerError::Configuration`]. Needs
    /// the Tokio runtime, and for `amqps://` a default rustls crypto provider.
    pub fn connect(options: Options) -> Result<Self, BrokerError> {
        let nodes = options::parse(&options.url)?;
        let shown_url: Arc<str> = options::mask(&options.url).into();
        let topology = Arc::new(Topology::new(options.prefix, options.queue_type)?);
        let (draining, drain) = watch::channel(false);
        let (shut, is_shut) = watch::channel(false);
        let settings = |purpose, blocked| Settings {
            nodes: nodes.clone(),
            shown_url: Arc::clone(&shown_url),
            name: options.name.clone(),
            purpose,
            topology: Arc::clone(&topology),
            blocked,
        };
        let (blocked, is_blocked) = watch::channel(None);
        let publishing = Link::start(settings(Purpose::Publish, blocked), is_shut.clone());
        let consuming = Link::start(settings(Purpose::Consume, watch::Sender::default()), is_shut);
        let entry = (settings(Purpose::Entry, watch::Sender::default()), OnceLock::new());
        let readiness = Readiness::default();
        readiness.needs(publishing.clone());
        readiness.needs(consuming.clone());
        let publisher = Publisher::start(publishing, topology.exchanges.clone(), options.bound, drain);
        let administration =
            Arc::new(Administration::new(consuming.clone(), Arc::clone(&topology), options.bound));
        let bound = options.bound;
        Ok(Self {
            publisher,
            consuming,
            entry,
            topology,
            administration,
            bound,
            readiness,
            blocked: is_blocked,
            draining,
            shut,
        })
    }

    /// The connection on which a queue is consumed.
    fn link(&self, queue: &Queue) -> Link {
        let (settings, entry) = &self.entry;
        match queue {
            Queue::Submit => {
                entry.get_or_init(|| Link::start(settings.clone(), self.shut.subscribe())).clone()
            }
            _ => self.consuming.clone(),
        }
    }

    /// Waits until the server has let us in.
    ///
    /// # Errors
    ///
    /// [`BrokerError::Configuration`] as soon as it does not, for the user, the password or the virtual host.
    pub async fn admitted(&self) -> Result<(), BrokerError> {
        self.consuming.admitted().await
    }

    /// The error of what keeps it from being connected now: the reason that the log has.
    pub fn trouble(&self) -> BrokerError {
        self.consuming.down("still connecting")
    }

    /// Makes the queues that these messages are for, and publishes them again.
    async fn publish_returned(&self, messages: Vec<Outgoing>) -> Vec<Result<(), BrokerError>> {
        let mut made = HashMap::new();
        for message in &messages {
            if let Route::Queue(queue) = &message.route
                && !made.contains_key(queue)
            {
                tracing::info!(queue = %self.topology.name(queue), "no queue took a message: declaring it");
                let result = self.administration.make(queue).await;
                let is_away = matches!(result, Err(BrokerError::Unavailable(..)));
                made.insert(queue.clone(), result);
                // The others would have to wait as long.
                if is_away {
                    break;
                }
            }
        }
        let (messages, mut results) = self.publisher.publish(messages).await;
        for (message, result) in messages.iter().zip(&mut results) {
            if matches!(result, Err(BrokerError::Unroutable(_)))
                && let Route::Queue(queue) = &message.route
                && let Some(Err(error)) = made.get(queue)
            {
                *result = Err(error.clone());
            }
        }
        results
    }
}

/// The messages that no queue took and that are for a queue of ours, each with its place: somebody deleted the queue,
/// or its binding, or it was never there. Nothing of them is on the broker, so that to publish them again doubles
/// nothing.
fn returned(messages: Vec<Outgoing>, results: &[Result<(), BrokerError>]) -> Vec<(usize, Outgoing)> {
    if !results.iter().any(|result| matches!(result, Err(BrokerError::Unroutable(_)))) {
        return Vec::new();
    }
    let is_unroutable = |place: usize| matches!(results.get(place), Some(Err(BrokerError::Unroutable(_))));
    let is_ours = |message: &Outgoing| matches!(&message.route, Route::Queue(queue) if queue.is_durable());
    let placed = messages.into_iter().enumerate();
    placed.filter(|(place, message)| is_unroutable(*place) && is_ours(message)).collect()
}

/// The readiness of a broker: true while all links that are needed are up.
#[derive(Default)]
struct Readiness {
    each: Arc<Mutex<Vec<bool>>>,
    all: Arc<watch::Sender<bool>>,
}

impl Readiness {
    /// Adds a link that is needed as well from now on.
    fn needs(&self, link: Link) {
        let (each, all) = (Arc::clone(&self.each), Arc::clone(&self.all));
        let at = {
            let mut each = each.lock().unwrap_or_else(PoisonError::into_inner);
            each.push(false);
            each.len() - 1
        };
        tokio::spawn(link.watch(move |is_up| {
            let mut each = each.lock().unwrap_or_else(PoisonError::into_inner);
            each[at] = is_up;
            let are_up = each.iter().all(|is_up| *is_up);
            all.send_if_modified(|ready| std::mem::replace(ready, are_up) != are_up);
        }));
    }
}

#[async_trait]
impl Broker for RabbitMqBroker {
    async fn declare(&self, queue: &Queue) -> Result<(), BrokerError> {
        self.administration.declare(queue).await
    }

    async fn publish(&self, messages: Vec<Outgoing>) -> Vec<Result<(), BrokerError>> {
        let (messages, mut results) = self.publisher.publish(messages).await;
        let returned = returned(messages, &results);
        if !returned.is_empty() {
            let (places, messages): (Vec<usize>, Vec<Outgoing>) = returned.into_iter().unzip();
            for (place, result) in places.into_iter().zip(self.publish_returned(messages).await) {
                results[place] = result;
            }
        }
        results
    }

    async fn consume(&self, queue: &Queue, prefetch: u16) -> Result<Consumer, BrokerError> {
        let around = Surroundings {
            link: self.link(queue),
            topology: Arc::clone(&self.topology),
            administration: Arc::clone(&self.administration),
            draining: self.draining.subscribe(),
            bound: self.bound,
        };
        match self.topology.is_banded(queue) {
            true => bands::consume(around, queue, prefetch).await,
            false => consumer::consume(around, queue, prefetch).await,
        }
    }

    async fn depth(&self, queue: &Queue) -> Result<Depth, BrokerError> {
        self.administration.depth(queue).await
    }

    fn queue_kind(&self) -> &'static str {
        self.topology.kind().as_str()
    }

    fn ready(&self) -> watch::Receiver<bool> {
        self.readiness.all.subscribe()
    }

    fn blocked(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.blocked.clone()
    }

    async fn close(&self) {
        // Each task holds a receiver for as long as it runs.
        self.draining.send_replace(true);
        let _ = timeout(self.bound, self.draining.closed()).await;
        self.shut.send_replace(true);
        let _ = timeout(CLOSE_BOUND, self.shut.closed()).await;
        // Who looks at once must not find what the links have yet to tell.
        self.readiness.all.send_replace(false);
    }
}
