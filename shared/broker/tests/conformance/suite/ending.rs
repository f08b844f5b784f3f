//! Consumers are dropped, and brokers are closed.

use std::collections::HashSet;
use std::sync::Arc;

use millrace_broker::{Broker, BrokerError, Delivery, Depth};
use tokio::time::timeout;

use super::fixture::{
    SOON, declared, depth_becomes, next, next_texts, nothing_more, publish, task, tasks, text,
};

pub(crate) async fn what_was_received_outlives_its_consumer(broker: Arc<dyn Broker>) {
    let queue = declared(&broker, tasks()).await;
    publish(&broker, (0..5).map(|number| task(0, &number.to_string())).collect()).await;
    let mut first = broker.consume(&queue, 3).await.unwrap();
    let held = next(&mut first).await;
    let dropped_later = next(&mut first).await;
    drop(first);
    // What was received is still out, and nothing new goes to who is gone, however much room there is.
    depth_becomes(&broker, &queue, Depth { ready: 3, consumers: 0 }).await;
    publish(&broker, vec![task(0, "5")]).await;
    depth_becomes(&broker, &queue, Depth { ready: 4, consumers: 0 }).await;
    let mut second = broker.consume(&queue, 10).await.unwrap();
    assert_eq!(next_texts(&mut second, 4).await, ["2", "3", "4", "5"]);
    nothing_more(&mut second).await;
    held.ack();
    // Told after the ack, so that when this one is here, the other is settled.
    drop(dropped_later);
    let back = next(&mut second).await;
    assert_eq!((text(&back).as_str(), back.redelivered), ("1", true));
    back.ack();
    nothing_more(&mut second).await;
    drop(second);
    depth_becomes(&broker, &queue, Depth { ready: 0, consumers: 0 }).await;
}

pub(crate) async fn what_was_not_received_goes_at_once_to_another_consumer(broker: Arc<dyn Broker>) {
    let queue = declared(&broker, tasks()).await;
    let mut first = broker.consume(&queue, 5).await.unwrap();
    publish(&broker, (0..5).map(|number| task(0, &number.to_string())).collect()).await;
    let held = next(&mut first).await;
    depth_becomes(&broker, &queue, Depth { ready: 0, consumers: 1 }).await;
    let mut second = broker.consume(&queue, 5).await.unwrap();
    nothing_more(&mut second).await;
    drop(first);
    for expected in ["1", "2", "3", "4"] {
        let delivery = next(&mut second).await;
        assert_eq!((text(&delivery).as_str(), delivery.redelivered), (expected, true));
        delivery.ack();
    }
    nothing_more(&mut second).await;
    held.ack();
}

pub(crate) async fn a_drain_starts_each_message_once(broker: Arc<dyn Broker>) {
    const COUNT: usize = 300;
    let queue = declared(&broker, tasks()).await;
    publish(&broker, (0..COUNT).map(|number| task(0, &number.to_string())).collect()).await;
    let mut seen = HashSet::new();
    let mut running = tokio::task::JoinSet::new();
    while seen.len() < COUNT {
        let mut consumer = broker.consume(&queue, 20).await.unwrap();
        let received = timeout(SOON, consumer.recv_many(7)).await.expect("deliveries soon");
        assert!(!received.is_empty(), "the stream ended");
        drop(consumer);
        for delivery in received {
            assert!(seen.insert(text(&delivery)), "{} was received twice", text(&delivery));
            running.spawn(async move {
                tokio::task::yield_now().await;
                delivery.ack();
            });
        }
    }
    running.join_all().await;
    let mut consumer = broker.consume(&queue, 20).await.unwrap();
    nothing_more(&mut consumer).await;
    drop(consumer);
    depth_becomes(&broker, &queue, Depth { ready: 0, consumers: 0 }).await;
}

pub(crate) async fn closing_does_not_wait_for_what_was_received(broker: Arc<dyn Broker>) {
    let queue = declared(&broker, tasks()).await;
    publish(&broker, vec![task(0, "a"), task(0, "b")]).await;
    let mut dropped = broker.consume(&queue, 1).await.unwrap();
    let mut kept = broker.consume(&queue, 1).await.unwrap();
    let held = [next(&mut dropped).await, next(&mut kept).await];
    drop(dropped);
    depth_becomes(&broker, &queue, Depth { ready: 0, consumers: 1 }).await;
    timeout(SOON, broker.close()).await.expect("closed soon");
    assert!(timeout(SOON, kept.recv()).await.expect("an end soon").is_none());
    // Too late, and harmless.
    held.into_iter().for_each(Delivery::ack);
}

pub(crate) async fn acks_told_before_the_drop_count(broker: Arc<dyn Broker>) {
    let queue = declared(&broker, tasks()).await;
    publish(&broker, (0..100).map(|number| task(0, &number.to_string())).collect()).await;
    let mut consumer = broker.consume(&queue, 100).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(next(&mut consumer).await);
    }
    let kept = held.split_off(90);
    held.into_iter().rev().for_each(Delivery::ack);
    drop(consumer);
    drop(kept);
    depth_becomes(&broker, &queue, Depth { ready: 10, consumers: 0 }).await;
}

pub(crate) async fn everything_fails_after_close(broker: Arc<dyn Broker>) {
    let queue = declared(&broker, tasks()).await;
    let mut consumer = broker.consume(&queue, 1).await.unwrap();
    timeout(SOON, broker.close()).await.expect("closed soon");
    assert!(timeout(SOON, consumer.recv()).await.expect("an end soon").is_none());
    assert!(!*broker.ready().borrow());
    assert!(matches!(broker.publish(vec![task(0, "")]).await[..], [Err(BrokerError::Closed)]));
    assert!(matches!(broker.consume(&queue, 1).await, Err(BrokerError::Closed)));
    assert!(matches!(broker.declare(&queue).await, Err(BrokerError::Closed)));
    assert!(matches!(broker.depth(&queue).await, Err(BrokerError::Closed)));
}
