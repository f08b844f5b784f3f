//! A plain client of the broker, as any user would write one.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

use crate::Failure;

/// Messages that are not confirmed yet, at most.
const WINDOW: usize = 500;

/// A channel with confirms.
pub(crate) async fn channel(url: &str) -> Result<(Connection, Channel), Failure> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok((connection, channel))
}

/// Publishes all, and returns when all are confirmed.
pub(crate) async fn publish(
    channel: &Channel,
    exchange: &str,
    key: &str,
    payloads: impl Iterator<Item = Vec<u8>>,
) -> Result<(), Failure> {
    let mut open = FuturesUnordered::new();
    for payload in payloads {
        if open.len() >= WINDOW
            && let Some(confirm) = open.next().await
        {
            let _: lapin::Confirmation = confirm?;
        }
        let properties =
            BasicProperties::default().with_delivery_mode(2).with_content_type("application/json".into());
        let options = BasicPublishOptions::default();
        open.push(channel.basic_publish(exchange.into(), key.into(), options, &payload, properties).await?);
    }
    while let Some(confirm) = open.next().await {
        confirm?;
    }
    Ok(())
}
