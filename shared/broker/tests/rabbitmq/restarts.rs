//! Servers that are restarted or killed.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use millrace_broker::rabbitmq::RabbitMqBroker;
use millrace_broker::{Broker, Outgoing, Queue, Route};
use millrace_servers::RabbitMq;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::fixture::{SOON, connect, consume, ends, task, tasks};

/// Publishes `count` numbered tasks, each again until it is confirmed.
async fn publish_all(broker: Arc<RabbitMqBroker>, count: usize, confirmed: Arc<AtomicUsize>) {
    for chunk in (0..count).collect::<Vec<_>>().chunks(50) {
        let mut left = chunk.to_vec();
        while !left.is_empty() {
            let results = broker.publish(left.iter().map(|number| task(number.to_string())).collect()).await;
            let mut results = results.into_iter();
            left.retain(|_| results.next().unwrap().is_err());
            confirmed.fetch_add(chunk.len() - left.len(), Ordering::Relaxed);
        }
    }
}

async fn a_restart_under_load_loses_nothing(end: fn(&mut RabbitMq)) {
    const COUNT: usize = 10_000;
    let mut server = spawn_blocking(|| RabbitMq::start(&[])).await.unwrap();
    let broker = connect(&server.url());
    broker.declare(&tasks()).await.unwrap();
    let confirmed = Arc::new(AtomicUsize::new(0));
    let publisher = tokio::spawn(publish_all(Arc::clone(&broker), COUNT, Arc::clone(&confirmed)));
    let consuming = tokio::spawn({
        let broker = Arc::clone(&broker);
        async move {
            let mut seen = HashSet::new();
            let mut streams = 0;
            while seen.len() < COUNT {
                let mut consumer = consume(&broker, &tasks(), 100).await;
                streams += 1;
                while seen.len() < COUNT
                    && let Some(delivery) = consumer.recv().await
                {
                    seen.insert(delivery.payload.clone());
                    delivery.ack();
                }
            }
            streams
        }
    });
    let deadline = Instant::now() + SOON;
    while confirmed.load(Ordering::Relaxed) < COUNT / 10 {
        assert!(Instant::now() < deadline, "nothing is confirmed");
        sleep(Duration::from_millis(5)).await;
    }
    let server = spawn_blocking(move || {
        end(&mut server);
        server.start_again();
        server
    });
    let server = server.await.unwrap();
    assert!(!publisher.is_finished(), "the server must end under load");
    timeout(2 * SOON, publisher).await.expect("all confirmed soon").unwrap();
    let streams = timeout(SOON, consuming).await.expect("all delivered soon").unwrap();
    assert!(streams > 1, "the stream must have ended with the server");
    assert!(*broker.ready().borrow());
    broker.close().await;
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_graceful_restart_under_load_loses_no_confirmed_message() {
    a_restart_under_load_loses_nothing(RabbitMq::stop).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_no_confirmed_message() {
    a_restart_under_load_loses_nothing(RabbitMq::kill).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exclusive_queues_are_there_again_after_a_restart() {
    let mut server = spawn_blocking(|| RabbitMq::start(&[])).await.unwrap();
    let broker = connect(&server.url());
    let replies = Queue::Replies(Uuid::new_v4());
    broker.declare(&replies).await.unwrap();
    let mut consumer = consume(&broker, &replies, 1).await;
    let mut ready = broker.ready();
    let server = spawn_blocking(move || {
        server.kill();
        server.start_again();
        server
    });
    ends(&mut consumer).await;
    let server = server.await.unwrap();
    timeout(SOON, ready.wait_for(|ready| *ready)).await.expect("ready soon").unwrap();
    // Nobody consumes yet: a message waits for whoever does.
    let published = broker.publish(vec![Outgoing::new(Route::Queue(replies.clone()), "kept")]).await;
    assert!(published[0].is_ok(), "{published:?}");
    let mut consumer = consume(&broker, &replies, 1).await;
    let delivery = timeout(SOON, consumer.recv()).await.expect("a delivery soon").unwrap();
    assert_eq!(delivery.payload, "kept");
    broker.close().await;
    drop(server);
}
