//! A plain client of the broker, as any user would write one.

use std::collections::VecDeque;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, PublisherConfirm};

use crate::failure::Failure;

/// The most messages that are not confirmed yet.
const WINDOW: usize = 1_000;

/// Opens a connection and a channel with publisher confirms.
pub(crate) async fn channel(url: &str) -> Result<(Connection, Channel), Failure> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok((connection, channel))
}

/// Publishes one persistent message, and returns what will be its confirm.
pub(crate) async fn send(
    channel: &Channel,
    exchange: &str,
    key: &str,
    payload: &[u8],
) -> Result<PublisherConfirm, Failure> {
    let properties = BasicProperties::default()
        .with_delivery_mode(2)
        .with_priority(5)
        .with_content_type("application/json".into());
    let options = BasicPublishOptions::default();
    Ok(channel.basic_publish(exchange.into(), key.into(), options, payload, properties).await?)
}

/// Waits until the broker has the message for good.
pub(crate) async fn confirmed(confirm: PublisherConfirm) -> Result<(), Failure> {
    match confirm.await? {
        Confirmation::Ack(None) => Ok(()),
        other => Err(format!("a message was not taken: {other:?}").into()),
    }
}

/// Publishes all messages, and returns when all are confirmed.
pub(crate) async fn publish(
    channel: &Channel,
    exchange: &str,
    key: &str,
    payloads: impl Iterator<Item = Vec<u8>>,
) -> Result<(), Failure> {
    let mut open = VecDeque::new();
    for payload in payloads {
        if open.len() >= WINDOW
            && let Some(oldest) = open.pop_front()
        {
            confirmed(oldest).await?;
        }
        open.push_back(send(channel, exchange, key, &payload).await?);
    }
    for confirm in open {
        confirmed(confirm).await?;
    }
    Ok(())
}
