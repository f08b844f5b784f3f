//! Declaring what is ours on the server: exchanges, queues, bindings. Declaring twice is harmless.

use std::sync::{Mutex, PoisonError};

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};

use super::message::{Exchanges, short};
use crate::topology::TASK_LEVELS;
use crate::{BrokerError, Queue};

/// What is ours, to be declared on every new connection.
#[derive(Debug)]
pub(crate) struct Topology {
    prefix: String,
    pub(crate) exchanges: Exchanges,
    queues: Mutex<Vec<Queue>>,
}

/// What went wrong while declaring.
#[derive(Debug)]
pub(crate) enum DeclareError {
    /// It is known what to say: it is there with other arguments, we may not, or there is no connection.
    Refused(BrokerError),
    /// Anything else.
    Failed(lapin::Error),
}

impl Topology {
    pub(crate) fn new(prefix: String) -> Result<Self, BrokerError> {
        let exchanges = Exchanges::new(&prefix)?;
        Ok(Self { prefix, exchanges, queues: Mutex::default() })
    }

    pub(crate) fn name(&self, queue: &Queue) -> String {
        queue.name(&self.prefix)
    }

    pub(crate) fn remember(&self, queue: &Queue) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if !queues.contains(queue) {
            queues.push(queue.clone());
        }
    }

    pub(crate) fn forget(&self, queue: &Queue) {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).retain(|other| other != queue);
    }

    /// Declares the exchanges, and with `queues` everything that was remembered.
    pub(crate) async fn declare_all(&self, connection: &Connection, queues: bool) -> lapin::Result<()> {
        let mut channel = connection.create_channel().await?;
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let none = FieldTable::default();
        let Exchanges { direct, control } = &self.exchanges;
        channel.exchange_declare(direct.clone(), ExchangeKind::Direct, durable, none.clone()).await?;
        channel.exchange_declare(control.clone(), ExchangeKind::Fanout, durable, none).await?;
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

    /// Declares one queue and binds it.
    pub(crate) async fn declare(&self, channel: &Channel, queue: &Queue) -> Result<(), DeclareError> {
        let name = self.name(queue);
        let short_name = short("queue name", &name).map_err(DeclareError::Refused)?;
        let key = short("routing key", &queue.routing_key()).map_err(DeclareError::Refused)?;
        let options = match queue.is_durable() {
            true => QueueDeclareOptions::durable(),
            false => QueueDeclareOptions::exclusive().auto_delete(),
        };
        let mut arguments = FieldTable::default();
        // Said explicitly, since a virtual host can have another default.
        arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
        if matches!(queue, Queue::Tasks(_)) {
            arguments.insert("x-max-priority".into(), AMQPValue::LongInt(i32::from(TASK_LEVELS - 1)));
        }
        let declared = channel.queue_declare(short_name.clone(), options, arguments).await;
        declared.map_err(|error| refused(&name, error))?;
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

/// Is this the server's answer that there is no such queue?
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
