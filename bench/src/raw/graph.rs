//! Chain and fan: each step is claimed, its outcome stored, what comes next published with a confirm, and acked.

use std::time::Instant;

use futures_util::{StreamExt, TryStreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, QueueDeleteOptions};
use lapin::{Channel, Connection, Consumer};
use redis::aio::MultiplexedConnection;

use super::{CLAIM, DONE, JOIN, consume, eval, hash, message, parse, store};
use crate::amqp;
use crate::failure::Failure;
use crate::fleet::Servers;
use crate::throughput::BOUND;

/// The number of steps that are under way at once.
const CONCURRENCY: usize = 256;

struct Stage {
    queue: String,
    channel: Channel,
    store: MultiplexedConnection,
    claim: String,
    done: String,
    join: String,
    _connection: Connection,
}

/// Runs a chain of steps, and returns how long it took: milliseconds.
pub(crate) async fn chain(servers: &Servers, steps: usize) -> Result<f64, Failure> {
    let (stage, mut consumer) = Stage::set(servers).await?;
    let began = Instant::now();
    let all = async {
        stage.publish(0).await?;
        while let Some(delivery) = consumer.next().await {
            let delivery = delivery?;
            let number = stage.claim(&delivery).await?;
            eval(&stage.store, &stage.done, &number.to_string()).await?;
            if number + 1 == steps {
                delivery.acker.ack(BasicAckOptions::default()).await?;
                break;
            }
            stage.publish(number + 1).await?;
            delivery.acker.ack(BasicAckOptions::default()).await?;
        }
        Ok::<(), Failure>(())
    };
    tokio::time::timeout(BOUND, all).await??;
    stage.end(began).await
}

/// Runs one step, then many at once, then one, and returns how long it took: milliseconds.
pub(crate) async fn fan(servers: &Servers, width: usize) -> Result<f64, Failure> {
    let (stage, consumer) = Stage::set(servers).await?;
    let mut store = stage.store.clone();
    let _: () = redis::cmd("SET").arg("join").arg(width).query_async(&mut store).await?;
    let began = Instant::now();
    let all = async {
        stage.publish(0).await?;
        let last = width + 1;
        let deliveries = consumer.map_err(Failure::from).take(width + 2);
        deliveries.try_for_each_concurrent(CONCURRENCY, |delivery| stage.fan_step(delivery, last)).await
    };
    tokio::time::timeout(BOUND, all).await??;
    stage.end(began).await
}

impl Stage {
    async fn set(servers: &Servers) -> Result<(Self, Consumer), Failure> {
        let (connection, channel) = amqp::channel(&servers.rabbitmq.url()).await?;
        let (queue, consumer) = consume(&channel).await?;
        let store = store(servers).await?;
        let (claim, done, join) = (hash(CLAIM), hash(DONE), hash(JOIN));
        Ok((Self { queue, channel, store, claim, done, join, _connection: connection }, consumer))
    }

    async fn publish(&self, number: usize) -> Result<(), Failure> {
        amqp::confirmed(amqp::send(&self.channel, "", &self.queue, &message(number)).await?).await
    }

    async fn claim(&self, delivery: &Delivery) -> Result<usize, Failure> {
        let (number, _) = parse(&delivery.data)?;
        eval(&self.store, &self.claim, &format!("claim{number}")).await?;
        Ok(number)
    }

    async fn fan_step(&self, delivery: Delivery, last: usize) -> Result<(), Failure> {
        let number = self.claim(&delivery).await?;
        if number == 0 {
            amqp::publish(&self.channel, "", &self.queue, (1..last).map(message)).await?;
        } else if number < last && eval(&self.store, &self.join, &number.to_string()).await? == 0 {
            self.publish(last).await?;
        }
        delivery.acker.ack(BasicAckOptions::default()).await?;
        Ok(())
    }

    async fn end(self, began: Instant) -> Result<f64, Failure> {
        let took = began.elapsed().as_secs_f64() * 1e3;
        self.channel.queue_delete(self.queue.as_str().into(), QueueDeleteOptions::default()).await?;
        Ok(took)
    }
}
