//! Deliveries are settled, or come back.

use std::sync::Arc;
use std::time::Duration;

use millrace_broker::{Broker, Delivery, Depth};
use tokio::time::sleep;

use super::fixture::{declared, depth_becomes, next, next_texts, nothing_more, publish, task, tasks, text};

pub(crate) async fn acked_messages_are_gone(broker: Arc<dyn Broker>) {
    let queue = declared(&broker, tasks()).await;
    publish(&broker, vec![task(0, "a"), task(3, "b")]).await;
    let mut consumer = broker.consume(&queue, 2).await.unwrap();
    assert_eq!(next_texts(&mut consumer, 2).await.len(), 2);
    drop(consumer);
    depth_becomes(&broker, &queue, Depth { ready: 0, consumers: 0 }).await;
    let mut consumer = broker.consume(&queue, 2).await.unwrap();
    nothing_more(&mut consumer).await;
}

pub(crate) async fn a_requeued_message_comes_back_flagged(broker: Arc<dyn Broker>) {
    let queue = declared(&broker, tasks()).await;
    publish(&broker, vec![task(0, "again")]).await;
    let mut consumer = broker.consume(&queue, 1).await.unwrap();
    next(&mut consumer).await.requeue();
    let delivery = next(&mut consumer).await;
    assert_eq!((text(&delivery).as_str(), delivery.redelivered), ("again", true));
    delivery.ack();
    nothing_more(&mut consumer).await;
}

/// Acks may be told for many at once: that must not take what goes back at the same moment.
pub(crate) async fn what_goes_back_comes_again_though_later_ones_are_acked(broker: Arc<dyn Broker>) {
    const EACH: usize = 50;
    let queue = declared(&broker, tasks()).await;
    let again: Vec<String> = (0..EACH).map(|number| format!("again {number:02}")).collect();
    publish(&broker, again.iter().flat_map(|text| [task(0, text), task(0, "done")]).collect()).await;
    let mut consumer = broker.consume(&queue, 2 * EACH as u16).await.unwrap();
    let mut deliveries = Vec::new();
    while deliveries.len() < 2 * EACH {
        deliveries.push(next(&mut consumer).await);
    }
    for delivery in deliveries {
        if text(&delivery) == "done" { delivery.ack() } else { delivery.requeue() }
    }
    let mut came = next_texts(&mut consumer, EACH).await;
    came.sort();
    assert_eq!(came, again);
    nothing_more(&mut consumer).await;
}

pub(crate) async fn a_delivery_dropped_unsettled_comes_back_flagged(broker: Arc<dyn Broker>) {
    let queue = declared(&broker, tasks()).await;
    publish(&broker, vec![task(0, "forgotten"), task(0, "later")]).await;
    let mut consumer = broker.consume(&queue, 1).await.unwrap();
    drop(next(&mut consumer).await);
    let delivery = next(&mut consumer).await;
    assert_eq!((text(&delivery).as_str(), delivery.redelivered), ("forgotten", true));
    delivery.ack();
    assert_eq!(next_texts(&mut consumer, 1).await, ["later"]);
    nothing_more(&mut consumer).await;
}

pub(crate) async fn requeued_messages_keep_their_place(broker: Arc<dyn Broker>) {
    let queue = declared(&broker, tasks()).await;
    publish(&broker, (0..6).map(|number| task(2, &number.to_string())).collect()).await;
    let mut first = broker.consume(&queue, 4).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(next(&mut first).await);
    }
    drop(first);
    // Not in their order.
    held.swap(0, 2);
    drop(held);
    depth_becomes(&broker, &queue, Depth { ready: 6, consumers: 0 }).await;
    let mut second = broker.consume(&queue, 1).await.unwrap();
    assert_eq!(next_texts(&mut second, 6).await.concat(), "012345");
}

pub(crate) async fn acks_out_of_order_settle_only_what_was_acked(broker: Arc<dyn Broker>) {
    let queue = declared(&broker, tasks()).await;
    publish(&broker, (0..5).map(|number| task(0, &number.to_string())).collect()).await;
    let mut consumer = broker.consume(&queue, 5).await.unwrap();
    let mut held: Vec<Option<Delivery>> = Vec::new();
    for _ in 0..5 {
        held.push(Some(next(&mut consumer).await));
    }
    for number in [4, 0, 2] {
        held[number].take().unwrap().ack();
        // Each on its own, so that they are not one ack by chance.
        sleep(Duration::from_millis(20)).await;
    }
    drop(consumer);
    drop(held);
    depth_becomes(&broker, &queue, Depth { ready: 2, consumers: 0 }).await;
    let mut consumer = broker.consume(&queue, 5).await.unwrap();
    for expected in ["1", "3"] {
        let delivery = next(&mut consumer).await;
        assert_eq!((text(&delivery).as_str(), delivery.redelivered), (expected, true));
        delivery.ack();
    }
    nothing_more(&mut consumer).await;
}
