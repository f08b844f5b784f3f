//! Declaring what is ours on the server: exchanges, queues, bindings. Declaring twice is harmless.

use std::sync::{Mutex, PoisonError};

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};

use super::QueueType;
use super::message::{Exchanges, band, short};
use crate::topology::TASK_LEVELS;
use crate::{BrokerError, Queue};

/// The delivery limit of a quorum queue. It is said, since RabbitMQ 4 drops a message that came back 20 times; out of
/// reach, since how often a task goes back is ours to bound. (4.x knows -1 for "none", 3.x does not.)
const DELIVERY_LIMIT: i32 = 1_000_000_000;

/// The topology: what is ours, to be declared on every new connection.
#[derive(Debug)]
pub(crate) struct Topology {
    prefix: String,
    kind: QueueType,
    pub(crate) exchanges: Exchanges,
    queues: Mutex<Vec<Queue>>,
}

/// The error of a declaration.
#[derive(Debug)]
pub(crate) enum DeclareError {
    /// The declaration was refused: the queue is there with other arguments, we may not, or there is no connection.
    Refused(BrokerError),
    /// The declaration failed in another way.
    Failed(lapin::Error),
}

impl Topology {
    /// The topology under a prefix, with durable queues of this kind.
    pub(crate) fn new(prefix: String, kind: QueueType) -> Result<Self, BrokerError> {
        let exchanges = Exchanges::new(&prefix, kind == QueueType::Quorum)?;
        Ok(Self { prefix, kind, exchanges, queues: Mutex::default() })
    }

    /// The kind of the durable queues.
    pub(crate) fn kind(&self) -> QueueType {
        self.kind
    }

    /// Whether there are several queues under this name.
    pub(crate) fn is_banded(&self, queue: &Queue) -> bool {
        self.kind == QueueType::Quorum && matches!(queue, Queue::Tasks(_))
    }

    /// Whether the queue is replicated on the server.
    pub(crate) fn is_quorum(&self, queue: &Queue) -> bool {
        self.kind == QueueType::Quorum && queue.is_durable()
    }

    /// The queues on the server: the queue itself, or its bands, the most urgent first.
    pub(crate) fn queues(&self, queue: &Queue) -> Vec<Queue> {
        match queue {
            Queue::Tasks(tasks) if self.is_banded(queue) => {
                (0..TASK_LEVELS).rev().map(|level| band(tasks, level)).collect()
            }
            other => vec![other.clone()],
        }
    }

    /// The name of the queue that holds nothing, and whose consumers are the consumers of the bands: who pulls has
    /// none there.
    pub(crate) fn presence(&self, queue: &Queue) -> String {
        format!("{}.workers", self.name(queue))
    }

    /// The name of a queue on the server.
    pub(crate) fn name(&self, queue: &Queue) -> String {
        queue.name(&self.prefix)
    }

    /// Remembers a queue, to declare it on every later connection.
    pub(crate) fn remember(&self, queue: &Queue) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if !queues.contains(queue) {
            queues.push(queue.clone());
        }
    }

    /// Forgets a queue that was remembered.
    pub(crate) fn forget(&self, queue: &Queue) {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| other != queue);
    }

    /// Declares the exchanges, and with `queues` everything that was remembered.
    pub(crate) async fn declare_all(&self, connection: &Connection, queues: bool) -> lapin::Result<()> {
        let mut channel = connection.create_channel().await?;
        self.declare_exchanges(&channel).await?;
        let remembered = match queues {
            true => self.queues.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            false => Vec::new(),
        };
        for queue in remembered {
            match self.declare(&channel, &queue).await {
                Ok(()) => {}
                // It was accepted once, so that somebody changed it since; that must not keep everything else down.
                Err(DeclareError::Refused(error)) => {
                    tracing::error!(%error, "a queue cannot be declared again");
                    self.forget(&queue);
                    channel = connection.create_channel().await?;
                }
                Err(DeclareError::Failed(error)) => return Err(error),
            }
        }
        channel.close(200, "declared".into()).await
    }

    /// Declares the exchanges.
    pub(crate) async fn declare_exchanges(&self, channel: &Channel) -> lapin::Result<()> {
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let none = FieldTable::default();
        let Exchanges { direct, control, .. } = &self.exchanges;
        channel.exchange_declare(direct.clone(), ExchangeKind::Direct, durable, none.clone()).await?;
        channel.exchange_declare(control.clone(), ExchangeKind::Fanout, durable, none).await
    }

    /// Declares a queue, with its bands.
    pub(crate) async fn declare(&self, channel: &Channel, queue: &Queue) -> Result<(), DeclareError> {
        if self.is_banded(queue) {
            let name = self.presence(queue);
            let short_name = short("queue name", &name).map_err(DeclareError::Refused)?;
            let arguments = quorum();
            let declared = channel.queue_declare(short_name, QueueDeclareOptions::durable(), arguments).await;
            declared.map_err(|error| refused(&name, error))?;
        }
        for one in self.queues(queue) {
            self.declare_one(channel, &one).await?;
        }
        Ok(())
    }

    /// Declares one queue and binds it.
    async fn declare_one(&self, channel: &Channel, queue: &Queue) -> Result<(), DeclareError> {
        let name = self.name(queue);
        let short_name = short("queue name", &name).map_err(DeclareError::Refused)?;
        let options = match queue.is_durable() {
            true => QueueDeclareOptions::durable(),
            false => QueueDeclareOptions::exclusive().auto_delete(),
        };
        let arguments = match self.is_quorum(queue) {
            true => quorum(),
            false => classic(matches!(queue, Queue::Tasks(_))),
        };
        let declared = channel.queue_declare(short_name, options, arguments).await;
        declared.map_err(|error| refused(&name, error))?;
        self.bind(channel, queue).await
    }

    /// Binds one queue to its exchange.
    pub(crate) async fn bind(&self, channel: &Channel, queue: &Queue) -> Result<(), DeclareError> {
        let name = self.name(queue);
        let short_name = short("queue name", &name).map_err(DeclareError::Refused)?;
        let key = short("routing key", &queue.routing_key()).map_err(DeclareError::Refused)?;
        let (exchange, key) = match queue {
            Queue::Control(_) => (self.exchanges.control.clone(), "".into()),
            _ => (self.exchanges.direct.clone(), key),
        };
        let bound = channel
            .queue_bind(short_name, exchange, key, QueueBindOptions::default(), FieldTable::default())
            .await;
        bound.map_err(|error| refused(&name, error))
    }
}

/// The arguments of a classic queue. The type is said, since a virtual host can have another default.
fn classic(has_levels: bool) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
    if has_levels {
        arguments.insert("x-max-priority".into(), AMQPValue::LongInt(i32::from(TASK_LEVELS - 1)));
    }
    arguments
}

/// The arguments of a quorum queue.
fn quorum() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(DELIVERY_LIMIT));
    arguments
}

/// Whether this is the server's answer that there is no such queue.
pub(crate) fn is_not_found(error: &lapin::Error) -> bool {
    soft_error(error) == Some(AMQPSoftError::NOTFOUND)
}

fn refused(name: &str, error: lapin::Error) -> DeclareError {
    match soft_error(&error) {
        Some(AMQPSoftError::PRECONDITIONFAILED) => {
            DeclareError::Refused(BrokerError::Configuration(format!(
                "the queue {name} is there with other arguments (delete it, or use another prefix): {error}"
            )))
        }
        Some(AMQPSoftError::ACCESSREFUSED) => DeclareError::Refused(BrokerError::Configuration(format!(
            "the broker does not let us declare {name} (grant the user configure, write and read): {error}"
        ))),
        _ => DeclareError::Failed(error),
    }
}

fn soft_error(error: &lapin::Error) -> Option<AMQPSoftError> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => match error.kind() {
            AMQPErrorKind::Soft(soft) => Some(soft.clone()),
            AMQPErrorKind::Hard(_) => None,
        },
        _ => None,
    }
}
