//! Consumers that end, and those that must not be left behind.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::{BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use millrace_broker::rabbitmq::{Options, RabbitMqBroker};
use millrace_broker::{Broker, Depth, Outgoing, Queue, Route};
use millrace_servers::RabbitMq;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::fixture::{SOON, connect, consume, ends, task, tasks};

/// How many lines `rabbitmqctl` lists.
async fn count(server: &Arc<RabbitMq>, what: &'static [&'static str]) -> usize {
    let server = Arc::clone(server);
    let listed = spawn_blocking(move || server.ctl(&[&["--quiet", "--no-table-headers"], what].concat()));
    listed.await.unwrap().lines().filter(|line| !line.trim().is_empty()).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_consumer_leaves_no_channel_behind_once_all_is_settled() {
    const CHANNELS: &[&str] = &["list_channels", "pid"];
    const CONSUMERS: &[&str] = &["list_consumers", "queue_name"];
    let server = Arc::new(spawn_blocking(|| RabbitMq::start(&[])).await.unwrap());
    let broker = connect(&server.url());
    broker.declare(&tasks()).await.unwrap();
    let replies = Queue::Replies(Uuid::new_v4());
    broker.declare(&replies).await.unwrap();
    for number in 0..3 {
        assert!(broker.publish(vec![task(number.to_string())]).await[0].is_ok());
    }
    assert!(broker.publish(vec![Outgoing::new(Route::Queue(replies.clone()), "")]).await[0].is_ok());
    let before = count(&server, CHANNELS).await;

    let mut consumer = consume(&broker, &tasks(), 3).await;
    let received = timeout(SOON, consumer.recv()).await.expect("a delivery soon").unwrap();
    let mut exclusive = consume(&broker, &replies, 1).await;
    let reply = timeout(SOON, exclusive.recv()).await.expect("a delivery soon").unwrap();
    let unreceived = consume(&broker, &tasks(), 1).await;
    drop((consumer, exclusive, unreceived));
    let deadline = Instant::now() + SOON;
    while count(&server, CONSUMERS).await > 0 || count(&server, CHANNELS).await != before + 2 {
        assert!(Instant::now() < deadline, "expected no consumer, and a channel for each unsettled delivery");
    }
    assert_eq!(broker.depth(&tasks()).await.unwrap(), Depth { ready: 2, consumers: 0 });

    received.ack();
    reply.ack();
    let deadline = Instant::now() + SOON;
    while count(&server, CHANNELS).await > before {
        assert!(Instant::now() < deadline, "a channel is left behind");
    }
    // What was not acked would have come back with its channel.
    assert_eq!(broker.depth(&tasks()).await.unwrap(), Depth { ready: 2, consumers: 0 });
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_closed_by_the_ack_timeout_ends_the_stream() {
    let server = spawn_blocking(|| RabbitMq::start(&["consumer_timeout = 2000"])).await.unwrap();
    let broker = connect(&server.url());
    broker.declare(&tasks()).await.unwrap();
    assert!(broker.publish(vec![task("slow".to_owned())]).await[0].is_ok());
    let mut consumer = consume(&broker, &tasks(), 1).await;
    let slow = timeout(SOON, consumer.recv()).await.expect("a delivery soon").unwrap();
    assert!(!slow.redelivered);
    ends(&mut consumer).await;
    slow.ack();
    let mut consumer = consume(&broker, &tasks(), 1).await;
    let again = timeout(SOON, consumer.recv()).await.expect("a delivery soon").unwrap();
    assert!(again.redelivered);
    again.ack();
    broker.close().await;
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_gets_nothing_while_messages_wait_ends() {
    let url = millrace_servers::shared().amqp_url.clone();
    let prefix = format!("test-{}", Uuid::new_v4().simple());
    let queue = Queue::Rejected;
    let name = queue.name(&prefix);

    // Of the consumers of such a queue only the first gets messages: the second is as deaf as one can be.
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let mut arguments = FieldTable::default();
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    let options = QueueDeclareOptions::durable();
    channel.queue_declare(name.as_str().into(), options, arguments).await.unwrap();
    channel.basic_qos(1, lapin::options::BasicQosOptions::default()).await.unwrap();
    let options = BasicConsumeOptions::default();
    let first = channel.basic_consume(name.as_str().into(), "".into(), options, FieldTable::default());
    let _first = first.await.unwrap();
    for _ in 0..3 {
        let options = BasicPublishOptions::default();
        let key = name.as_str().into();
        channel.basic_publish("".into(), key, options, b"{}", BasicProperties::default()).await.unwrap();
    }

    let broker = RabbitMqBroker::connect(Options::new(url, prefix)).unwrap();
    let mut second = broker.consume(&queue, 10).await.unwrap();
    let since = Instant::now();
    ends(&mut second).await;
    assert!(since.elapsed() >= Duration::from_secs(5), "silence alone is no reason");
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_queue_ends_its_consumer() {
    let url = millrace_servers::shared().amqp_url.clone();
    let prefix = format!("test-{}", Uuid::new_v4().simple());
    let broker = RabbitMqBroker::connect(Options::new(url.clone(), prefix.clone())).unwrap();
    broker.declare(&tasks()).await.unwrap();
    let mut consumer = broker.consume(&tasks(), 1).await.unwrap();
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let name = tasks().name(&prefix);
    channel.queue_delete(name.as_str().into(), lapin::options::QueueDeleteOptions::default()).await.unwrap();
    ends(&mut consumer).await;
    broker.close().await;
}
