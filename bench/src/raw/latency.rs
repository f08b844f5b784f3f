//! From the publish to the claim, at a steady rate.

use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, QueueDeleteOptions};

use super::{CLAIM, consume, eval, hash, message, now, parse, store};
use crate::amqp;
use crate::failure::Failure;
use crate::fleet::Servers;
use crate::latency::{Waits, percentiles};
use crate::throughput::BOUND;

/// Measures the time from the publish of a task to its start: it starts once it is claimed in the store.
pub(crate) async fn latency(servers: &Servers, per_second: u64, count: usize) -> Result<Waits, Failure> {
    let url = servers.rabbitmq.url();
    let (_publishing, out) = amqp::channel(&url).await?;
    let (_consuming, channel) = amqp::channel(&url).await?;
    let (queue, mut consumer) = consume(&channel).await?;
    let (store, claim) = (store(servers).await?, hash(CLAIM));
    let consume = tokio::spawn(async move {
        let mut waits = Vec::new();
        while waits.len() < count {
            let Some(delivery) = consumer.next().await else {
                return Err(Failure::from("the consumer ended"));
            };
            let delivery = delivery?;
            let (number, sent) = parse(&delivery.data)?;
            eval(&store, &claim, &number.to_string()).await?;
            waits.push((now() - sent) * 1e3);
            delivery.acker.ack(BasicAckOptions::default()).await?;
        }
        Ok(waits)
    });
    let mut tick = tokio::time::interval(Duration::from_millis(1_000 / per_second));
    for number in 0..count {
        tick.tick().await;
        amqp::confirmed(amqp::send(&out, "", &queue, &message(number)).await?).await?;
    }
    let waits = tokio::time::timeout(BOUND, consume).await???;
    channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await?;
    percentiles(waits)
}
