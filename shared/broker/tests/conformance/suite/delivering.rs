//! Messages arrive: in which order, and to whom.

use std::collections::HashSet;
use std::sync::Arc;

use millrace_broker::{Broker, Depth, Outgoing, Properties, Queue, Route};
use tokio::time::timeout;

use super::fixture::{
    SOON, declared, depth_becomes, next, next_texts, nothing_more, publish, task, tasks, text,
};

pub(crate) async fn a_confirmed_message_arrives(broker: Arc<dyn Broker>) {
    for queue in [Queue::Submit, Queue::Inbox(7), tasks(), Queue::Rejected, Queue::Parked] {
        declared(&broker, queue.clone()).await;
        publish(&broker, vec![Outgoing::new(Route::Queue(queue.clone()), "hello")]).await;
        let mut consumer = broker.consume(&queue, 1).await.unwrap();
        let delivery = next(&mut consumer).await;
        assert_eq!((text(&delivery).as_str(), delivery.redelivered), ("hello", false));
        delivery.ack();
    }
}

pub(crate) async fn headers_and_ids_survive(broker: Arc<dyn Broker>) {
    let queue = declared(&broker, Queue::Submit).await;
    let full = Properties {
        message_id: Some("message".to_owned()),
        correlation_id: Some("correlation".to_owned()),
        reply_to: Some("reply".to_owned()),
        priority: Some(7),
        content_encoding: Some("utf-8".to_owned()),
        headers: vec![
            ("traceparent".to_owned(), "00-aa-bb-01".to_owned()),
            ("unicode".to_owned(), "磨坊".to_owned()),
        ],
        unreadable: None,
    };
    for properties in [full, Properties::default()] {
        let message = Outgoing {
            properties: properties.clone(),
            ..Outgoing::new(Route::Queue(queue.clone()), vec![0, 255, 10])
        };
        publish(&broker, vec![message]).await;
        let mut consumer = broker.consume(&queue, 1).await.unwrap();
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.properties, properties);
        assert_eq!(&delivery.payload[..], [0, 255, 10]);
        delivery.ack();
    }
    let large = vec![b'x'; 1_000_000];
    publish(&broker, vec![Outgoing::new(Route::Queue(queue.clone()), large.clone())]).await;
    publish(&broker, vec![Outgoing::new(Route::Queue(queue.clone()), "")]).await;
    let mut consumer = broker.consume(&queue, 2).await.unwrap();
    assert_eq!(next(&mut consumer).await.payload, large);
    assert_eq!(next(&mut consumer).await.payload, "");
}

pub(crate) async fn one_level_is_first_in_first_out(broker: Arc<dyn Broker>) {
    let queue = declared(&broker, tasks()).await;
    let texts: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    publish(&broker, texts.iter().map(|text| task(1, text)).collect()).await;
    let mut consumer = broker.consume(&queue, 10).await.unwrap();
    assert_eq!(next_texts(&mut consumer, 200).await, texts);
}

pub(crate) async fn a_higher_level_goes_first_when_both_wait(broker: Arc<dyn Broker>) {
    let queue = declared(&broker, tasks()).await;
    let levels = [0, 2, 3, 1, 0, 3, 2, 1];
    publish(&broker, levels.iter().map(|level| task(*level, &level.to_string())).collect()).await;
    let mut consumer = broker.consume(&queue, 1).await.unwrap();
    assert_eq!(next_texts(&mut consumer, 8).await.concat(), "33221100");
}

pub(crate) async fn prefetch_bounds_what_is_unsettled(broker: Arc<dyn Broker>) {
    let queue = declared(&broker, tasks()).await;
    publish(&broker, (0..10).map(|number| task(0, &number.to_string())).collect()).await;
    let mut consumer = broker.consume(&queue, 3).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(next(&mut consumer).await);
    }
    nothing_more(&mut consumer).await;
    depth_becomes(&broker, &queue, Depth { ready: 7, consumers: 1 }).await;
    held.remove(0).ack();
    held.push(next(&mut consumer).await);
    assert_eq!(text(held.last().unwrap()), "3");
    nothing_more(&mut consumer).await;
}

pub(crate) async fn two_consumers_share_a_queue(broker: Arc<dyn Broker>) {
    let queue = declared(&broker, tasks()).await;
    let mut first = broker.consume(&queue, 1).await.unwrap();
    let mut second = broker.consume(&queue, 1).await.unwrap();
    publish(&broker, vec![task(0, "a"), task(0, "b")]).await;
    let (a, b) = (next(&mut first).await, next(&mut second).await);
    assert_ne!(text(&a), text(&b));
    a.ack();
    b.ack();
}

pub(crate) async fn ten_thousand_messages_arrive_exactly_once(broker: Arc<dyn Broker>) {
    const COUNT: usize = 10_000;
    let queue = declared(&broker, tasks()).await;
    let mut consumer = broker.consume(&queue, 300).await.unwrap();
    let publisher = tokio::spawn({
        let broker = Arc::clone(&broker);
        async move {
            for chunk in (0..COUNT).collect::<Vec<_>>().chunks(500) {
                let messages = chunk.iter().map(|number| task((number % 4) as u8, &number.to_string()));
                publish(&broker, messages.collect()).await;
            }
        }
    });
    let mut seen = HashSet::new();
    while seen.len() < COUNT {
        let mut batch = timeout(SOON, consumer.recv_many(64)).await.expect("deliveries soon");
        assert!(!batch.is_empty(), "the stream ended");
        if batch.len() % 2 == 0 {
            batch.reverse();
        }
        for delivery in batch {
            // Who consumes a queue for each priority gives back what comes beyond its slots, and gets it again.
            assert!(!delivery.redelivered || broker.queue_kind() == "quorum");
            assert!(seen.insert(text(&delivery)), "{} came twice", text(&delivery));
            delivery.ack();
        }
    }
    publisher.await.unwrap();
    nothing_more(&mut consumer).await;
    drop(consumer);
    depth_becomes(&broker, &queue, Depth { ready: 0, consumers: 0 }).await;
}
