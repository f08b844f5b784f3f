//! What quorum queues need beyond the conformance suite: priorities from a queue for each of them.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it stands")]

use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, ConnectionProperties};
use millrace_broker::rabbitmq::{Options, QueueType, RabbitMqBroker};
use millrace_broker::{Broker, Consumer, Delivery, Outgoing, Queue, Route};
use tokio::time::timeout;
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(20);
const QUIET: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread")]
async fn one_band_fills_all_slots_and_an_urgent_task_takes_the_next_one_that_frees() {
    let (broker, queue) = (broker(&prefix()), tasks());
    broker.declare(&queue).await.unwrap();
    let mut consumer = broker.consume(&queue, 4).await.unwrap();
    for round in 0..3 {
        publish(&broker, 0, 8).await;
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(next(&mut consumer).await);
        }
        nothing_more(&mut consumer).await;
        publish(&broker, 2, 1).await;
        publish(&broker, 3, 2).await;
        nothing_more(&mut consumer).await;

        // Each slot that frees goes to the most urgent that waits, though more of the least urgent came first.
        let mut order = String::new();
        while let Some(delivery) = held.pop() {
            delivery.ack();
            if order.len() < 7 {
                let delivery = next(&mut consumer).await;
                order.push_str(std::str::from_utf8(&delivery.payload).unwrap());
                held.push(delivery);
            }
        }
        assert_eq!(order, "3320000", "round {round}");
        nothing_more(&mut consumer).await;
    }
    drop(consumer);
    assert_eq!(broker.depth(&queue).await.unwrap().ready, 0);
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_durable_queue_is_a_quorum_queue_with_a_limit_out_of_reach() {
    let prefix = prefix();
    let broker = broker(&prefix);
    for queue in [Queue::Submit, Queue::Inbox(3), Queue::Rejected, Queue::Parked, tasks()] {
        broker.declare(&queue).await.unwrap();
    }
    let url = millrace_servers::shared().amqp_url.clone();
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    arguments.insert("x-delivery-limit".into(), AMQPValue::LongInt(1_000_000_000));
    let bands = (0..4).map(|band| format!("tasks.default.p{band}"));
    for name in bands.chain(["submit", "inbox.3", "rejected", "parked"].map(str::to_owned)) {
        let name = format!("{prefix}.{name}");
        // Not there, and it would be made; there with other arguments, and it would be refused.
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(name.as_str().into(), passive, FieldTable::default()).await.unwrap();
        let durable = QueueDeclareOptions::durable();
        channel.queue_declare(name.as_str().into(), durable, arguments.clone()).await.unwrap();
    }
    // More often than RabbitMQ 4 bears by itself.
    publish(&broker, 1, 1).await;
    for _ in 0..30 {
        let mut consumer = broker.consume(&tasks(), 1).await.unwrap();
        next(&mut consumer).await.requeue();
    }
    let mut consumer = broker.consume(&tasks(), 1).await.unwrap();
    next(&mut consumer).await.ack();
    broker.close().await;
}

fn prefix() -> String {
    format!("test-{}", Uuid::new_v4().simple())
}

fn broker(prefix: &str) -> RabbitMqBroker {
    let url = millrace_servers::shared().amqp_url.clone();
    let queue_type = QueueType::Quorum;
    RabbitMqBroker::connect(Options { queue_type, ..Options::new(url, prefix) }).unwrap()
}

fn tasks() -> Queue {
    Queue::Tasks("default".to_owned())
}

/// Tasks of a level, which say so.
async fn publish(broker: &RabbitMqBroker, level: u8, count: usize) {
    let message = Outgoing { level, ..Outgoing::new(Route::Queue(tasks()), level.to_string()) };
    for result in broker.publish(vec![message; count]).await {
        result.unwrap();
    }
}

async fn next(consumer: &mut Consumer) -> Delivery {
    timeout(SOON, consumer.recv()).await.expect("a delivery soon").expect("a stream that goes on")
}

async fn nothing_more(consumer: &mut Consumer) {
    if let Ok(Some(delivery)) = timeout(QUIET, consumer.recv()).await {
        panic!("expected nothing more, found {delivery:?}");
    }
}
