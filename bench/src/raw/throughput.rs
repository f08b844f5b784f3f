//! Publish with confirms, consume, ack, at the same time.

use std::time::Instant;

use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, QueueDeleteOptions};

use super::{consume, message, parse};
use crate::amqp;
use crate::failure::Failure;
use crate::fleet::Servers;
use crate::throughput::BOUND;

/// The most deliveries that one ack covers.
const ACK_TOGETHER: usize = 64;

/// Measures the messages a second, from the first publish until the last was consumed.
pub(crate) async fn throughput(servers: &Servers, count: usize) -> Result<f64, Failure> {
    let url = servers.rabbitmq.url();
    let (_publishing, out) = amqp::channel(&url).await?;
    let (_consuming, channel) = amqp::channel(&url).await?;
    let (queue, consumer) = consume(&channel).await?;
    let key = queue.clone();
    let began = Instant::now();
    let publish = tokio::spawn(async move { amqp::publish(&out, "", &key, (0..count).map(message)).await });
    let consume = tokio::spawn(async move {
        let (mut seen, mut chunks) = (0, consumer.ready_chunks(ACK_TOGETHER));
        while seen < count {
            let Some(chunk) = chunks.next().await else { return Err(Failure::from("the consumer ended")) };
            let mut last = None;
            for delivery in chunk {
                let delivery = delivery?;
                parse(&delivery.data)?;
                seen += 1;
                last = Some(delivery);
            }
            if let Some(last) = last {
                last.acker.ack(BasicAckOptions { multiple: true }).await?;
            }
        }
        Ok(began.elapsed())
    });
    let took = tokio::time::timeout(BOUND, consume).await???;
    publish.await??;
    channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await?;
    Ok(count as f64 / took.as_secs_f64())
}
