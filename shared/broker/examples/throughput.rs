//! How fast it is: publish with confirm, consume, ack; ours against a bare loop on the same RabbitMQ, and in memory.
//!
//!     cargo run --release -p millrace-broker --example throughput [MESSAGES]

#![expect(clippy::unwrap_used, reason = "a measurement that fails has no figure")]

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use millrace_broker::memory::MemoryBroker;
use millrace_broker::rabbitmq::{Options, RabbitMqBroker};
use millrace_broker::{Broker, Outgoing, Queue, Route};

const PREFETCH: u16 = 500;
const IN_FLIGHT: usize = 500;
const PAYLOAD: &[u8] = &[b'x'; 256];

#[tokio::main]
async fn main() {
    let count = std::env::args().nth(1).map_or(20_000, |argument| argument.parse().unwrap());
    let url = tokio::task::spawn_blocking(|| millrace_servers::shared().amqp_url.clone()).await.unwrap();
    for round in 1..=3 {
        let bare = bare(&url, round, count).await;
        let broker = RabbitMqBroker::connect(Options::new(url.as_str(), format!("speed-{round}"))).unwrap();
        let ours = ours(Arc::new(broker), count).await;
        let memory = ours_in_memory(count).await;
        println!("bare lapin {bare:>8.0}/s   rabbitmq {ours:>8.0}/s   memory {memory:>8.0}/s");
    }
}

async fn ours_in_memory(count: usize) -> f64 {
    ours(Arc::new(MemoryBroker::new("speed")), count).await
}

async fn ours(broker: Arc<dyn Broker>, count: usize) -> f64 {
    let queue = Queue::Tasks("default".to_owned());
    broker.declare(&queue).await.unwrap();
    let mut consumer = broker.consume(&queue, PREFETCH).await.unwrap();
    let start = Instant::now();
    let publisher = tokio::spawn({
        let broker = Arc::clone(&broker);
        async move {
            for _ in 0..count / IN_FLIGHT {
                let message = Outgoing::new(Route::Queue(queue.clone()), PAYLOAD);
                for result in broker.publish(vec![message; IN_FLIGHT]).await {
                    result.unwrap();
                }
            }
        }
    });
    for _ in 0..count / IN_FLIGHT * IN_FLIGHT {
        consumer.recv().await.unwrap().ack();
    }
    publisher.await.unwrap();
    let rate = count as f64 / start.elapsed().as_secs_f64();
    drop(consumer);
    broker.close().await;
    rate
}

async fn bare(url: &str, round: usize, count: usize) -> f64 {
    let publishing = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let consuming = Connection::connect(url, ConnectionProperties::default()).await.unwrap();
    let name = format!("bare-{round}");
    let publisher = publishing.create_channel().await.unwrap();
    publisher.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let channel = consuming.create_channel().await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-priority".into(), AMQPValue::LongInt(3));
    let durable = QueueDeclareOptions::durable();
    channel.queue_declare(name.as_str().into(), durable, arguments).await.unwrap();
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await.unwrap();
    let options = BasicConsumeOptions::default();
    let consume = channel.basic_consume(name.as_str().into(), "".into(), options, FieldTable::default());
    let mut stream = consume.await.unwrap().ready_chunks(PREFETCH.into());
    let start = Instant::now();
    let publisher = tokio::spawn(async move {
        for _ in 0..count / IN_FLIGHT {
            let publish = async || {
                let options = BasicPublishOptions { mandatory: true, immediate: false };
                let properties = BasicProperties::default().with_delivery_mode(2).with_priority(0);
                let key = name.as_str().into();
                publisher
                    .basic_publish("".into(), key, options, PAYLOAD, properties)
                    .await
                    .unwrap()
                    .await
                    .unwrap()
            };
            join_all((0..IN_FLIGHT).map(|_| publish())).await;
        }
    });
    let mut received = 0;
    while received < count / IN_FLIGHT * IN_FLIGHT {
        let chunk = stream.next().await.unwrap();
        received += chunk.len();
        let last = chunk.into_iter().next_back().unwrap().unwrap();
        let _ = channel.basic_ack(last.delivery_tag, BasicAckOptions { multiple: true }).now_or_never();
    }
    publisher.await.unwrap();
    count as f64 / start.elapsed().as_secs_f64()
}
