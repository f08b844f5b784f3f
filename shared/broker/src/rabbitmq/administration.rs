//! Declaring and asking about queues, on a channel of its own: the server closes a channel on which somebody asks
//! for a queue that is not there.

use std::sync::Arc;
use std::time::Duration;

use lapin::Channel;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::link::{Link, Live};
use super::message::short;
use super::topology::{DeclareError, Topology, is_not_found};
use crate::{BrokerError, Depth, Queue};

/// The administration of queues, on one channel that is shared in turns.
#[derive(Debug)]
pub(crate) struct Administration {
    link: Link,
    topology: Arc<Topology>,
    bound: Duration,
    channel: Mutex<Option<(Arc<Live>, Channel)>>,
}

/// The part of a queue that is put in its place.
#[derive(Debug, Clone, Copy)]
enum Part {
    Whole,
    /// The binding only.
    Binding,
}

impl Administration {
    /// The administration on a link, whose answers are waited for within `bound`.
    pub(crate) fn new(link: Link, topology: Arc<Topology>, bound: Duration) -> Self {
        Self { link, topology, bound, channel: Mutex::new(None) }
    }

    /// Declares a queue, now and on every later connection.
    pub(crate) async fn declare(&self, queue: &Queue) -> Result<(), BrokerError> {
        self.topology.remember(queue);
        let declared = self.make(queue).await;
        if matches!(declared, Err(BrokerError::Configuration(_))) {
            self.topology.forget(queue);
        }
        declared
    }

    /// Declares a queue, now.
    pub(crate) async fn make(&self, queue: &Queue) -> Result<(), BrokerError> {
        self.put(queue, Part::Whole).await
    }

    /// Binds a queue that is there, which does nothing when it is bound.
    pub(crate) async fn bind(&self, queue: &Queue) -> Result<(), BrokerError> {
        self.put(queue, Part::Binding).await
    }

    /// Puts a queue in its place. An exchange that somebody deleted comes first.
    async fn put(&self, queue: &Queue, part: Part) -> Result<(), BrokerError> {
        let mut put = self.try_to_put(queue, part).await;
        if let Err(DeclareError::Failed(error)) = &put
            && is_not_found(error)
        {
            tracing::warn!(%error, "something of ours was deleted on the broker; declaring it again");
            let exchanges = async |channel: &Channel| {
                self.topology.declare_exchanges(channel).await.map_err(DeclareError::Failed)
            };
            put = match self.within_bound(exchanges).await {
                Ok(()) => self.try_to_put(queue, part).await,
                Err(error) => Err(error),
            };
        }
        put.map_err(|error| self.explained(error, queue))
    }

    async fn try_to_put(&self, queue: &Queue, part: Part) -> Result<(), DeclareError> {
        let put = async |channel: &Channel| match part {
            Part::Whole => self.topology.declare(channel, queue).await,
            Part::Binding => self.topology.bind(channel, queue).await,
        };
        self.within_bound(put).await
    }

    fn explained(&self, error: DeclareError, queue: &Queue) -> BrokerError {
        match error {
            DeclareError::Refused(error) => error,
            DeclareError::Failed(error) if is_not_found(&error) => {
                BrokerError::Unroutable(self.topology.name(queue))
            }
            DeclareError::Failed(error) => self.link.unavailable(error.to_string()),
        }
    }

    /// The depth of a queue, by a declaration that creates nothing.
    pub(crate) async fn depth(&self, queue: &Queue) -> Result<Depth, BrokerError> {
        if !self.topology.is_banded(queue) {
            return self.depth_of(self.topology.name(queue)).await;
        }
        let mut depth = self.depth_of(self.topology.presence(queue)).await.map_err(|error| match error {
            BrokerError::Unroutable(_) => BrokerError::Unroutable(self.topology.name(queue)),
            other => other,
        })?;
        for band in self.topology.queues(queue) {
            depth.ready += self.depth_of(self.topology.name(&band)).await?.ready;
        }
        Ok(depth)
    }

    async fn depth_of(&self, name: String) -> Result<Depth, BrokerError> {
        let short_name = short("queue name", &name)?;
        let ask = async |channel: &Channel| {
            let passive = QueueDeclareOptions::default().passive();
            let asked = channel.queue_declare(short_name.clone(), passive, FieldTable::default()).await;
            asked.map_err(DeclareError::Failed)
        };
        match self.within_bound(ask).await {
            Ok(found) => {
                Ok(Depth { ready: u64::from(found.message_count()), consumers: found.consumer_count() })
            }
            Err(DeclareError::Refused(error)) => Err(error),
            Err(DeclareError::Failed(error)) if is_not_found(&error) => Err(BrokerError::Unroutable(name)),
            Err(DeclareError::Failed(error)) => Err(self.link.unavailable(error.to_string())),
        }
    }

    async fn within_bound<T>(
        &self,
        ask: impl AsyncFnOnce(&Channel) -> Result<T, DeclareError>,
    ) -> Result<T, DeclareError> {
        let deadline = Instant::now() + self.bound;
        let live = self.link.live(deadline).await.map_err(DeclareError::Refused)?;
        let asked = timeout_at(deadline, async {
            let mut held = self.channel.lock().await;
            let channel = match held.take() {
                Some((on, channel)) if Arc::ptr_eq(&on, &live) && channel.status().connected() => channel,
                _ => live.connection.create_channel().await.map_err(DeclareError::Failed)?,
            };
            let answer = ask(&channel).await;
            *held = Some((Arc::clone(&live), channel));
            answer
        });
        match asked.await {
            Ok(answer) => answer,
            Err(_) => {
                let error = format!("no answer within {} s", self.bound.as_secs());
                Err(DeclareError::Failed(std::io::Error::other(error).into()))
            }
        }
    }
}
