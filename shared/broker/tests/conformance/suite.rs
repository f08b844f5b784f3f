//! What every broker does.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use millrace_broker::{Broker, BrokerError, Consumer, Delivery, Depth, Outgoing, Properties, Queue, Route};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

/// How long a thing that must happen may take, and how long is waited to see that a thing does not.
const SOON: Duration = Duration::from_secs(20);
const QUIET: Duration = Duration::from_millis(150);

pub(crate) async fn run<F: Future<Output = ()>>(
    broker: Arc<dyn Broker>,
    behaviour: impl Fn(Arc<dyn Broker>) -> F,
) {
    timeout(SOON, broker.ready().wait_for(|ready| *ready)).await.expect("ready soon").unwrap();
    timeout(3 * SOON, behaviour(Arc::clone(&broker))).await.expect("done soon");
    timeout(SOON, broker.close()).await.expect("closed soon");
}

fn tasks() -> Queue {
    Queue::Tasks("default".to_owned())
}

fn task(level: u8, text: &str) -> Outgoing {
    Outgoing { level, ..Outgoing::new(Route::Queue(tasks()), text.to_owned()) }
}

async fn publish(broker: &Arc<dyn Broker>, messages: Vec<Outgoing>) {
    for result in broker.publish(messages).await {
        result.unwrap();
    }
}

async fn declared(broker: &Arc<dyn Broker>, queue: Queue) -> Queue {
    broker.declare(&queue).await.unwrap();
    queue
}

async fn next(consumer: &mut Consumer) -> Delivery {
    timeout(SOON, consumer.recv()).await.expect("a delivery soon").expect("a stream that goes on")
}

async fn next_texts(consumer: &mut Consumer, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    for _ in 0..count {
        let delivery = next(consumer).await;
        texts.push(text(&delivery));
        delivery.ack();
    }
    texts
}

async fn nothing_more(consumer: &mut Consumer) {
    if let Ok(Some(delivery)) = timeout(QUIET, consumer.recv()).await {
        panic!("expected nothing more, found {delivery:?}");
    }
}

fn text(delivery: &Delivery) -> String {
    String::from_utf8(delivery.payload.to_vec()).unwrap()
}

async fn depth_becomes(broker: &Arc<dyn Broker>, queue: &Queue, expected: Depth) {
    let deadline = Instant::now() + SOON;
    loop {
        let depth = broker.depth(queue).await.unwrap();
        if depth == expected {
            return;
        }
        assert!(Instant::now() < deadline, "expected {expected:?}, found {depth:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

pub(crate) async fn a_confirmed_message_arrives(broker: Arc<dyn Broker>) {
    for queue in [Queue::Submit, Queue::Inbox(7), tasks(), Queue::Rejected] {
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

pub(crate) async fn a_message_for_a_client_that_is_gone_is_unroutable(broker: Arc<dyn Broker>) {
    for route in [Route::ReplyTo("gone".to_owned()), Route::Queue(Queue::Replies(Uuid::new_v4()))] {
        let results = broker.publish(vec![Outgoing::new(route, "lost")]).await;
        assert!(matches!(results[..], [Err(BrokerError::Unroutable(_))]), "{results:?}");
    }
    let unknown = broker.depth(&Queue::Tasks("nobody".to_owned())).await;
    assert!(matches!(unknown, Err(BrokerError::Unroutable(_))), "{unknown:?}");
}

pub(crate) async fn a_durable_queue_that_is_not_there_is_made_by_what_is_published_to_it(
    broker: Arc<dyn Broker>,
) {
    for queue in [Queue::Submit, Queue::Inbox(7), tasks(), Queue::Rejected] {
        let message = |text| Outgoing::new(Route::Queue(queue.clone()), text);
        publish(&broker, vec![message("first"), message("second")]).await;
        let mut consumer = broker.consume(&queue, 2).await.unwrap();
        assert_eq!(next_texts(&mut consumer, 2).await, ["first", "second"]);
        nothing_more(&mut consumer).await;
    }
}

pub(crate) async fn only_the_unroutable_of_a_batch_fail(broker: Arc<dyn Broker>) {
    declared(&broker, tasks()).await;
    let gone = Queue::Replies(Uuid::new_v4());
    let is_lost = |number: usize| number.is_multiple_of(7) || number % 11 == 5;
    for _ in 0..5 {
        let messages = (0..1000).map(|number| match is_lost(number) {
            true => Outgoing::new(Route::Queue(gone.clone()), "lost"),
            false => task(0, "found"),
        });
        let results = broker.publish(messages.collect()).await;
        assert_eq!(results.len(), 1000);
        for (number, result) in results.iter().enumerate() {
            assert_eq!(
                matches!(result, Err(BrokerError::Unroutable(_))),
                is_lost(number),
                "{number}: {result:?}"
            );
            assert_eq!(result.is_ok(), !is_lost(number), "{number}: {result:?}");
        }
    }
}

pub(crate) async fn a_queue_that_was_not_declared_cannot_be_consumed(broker: Arc<dyn Broker>) {
    let refused = broker.consume(&tasks(), 1).await;
    assert!(matches!(refused, Err(BrokerError::Unroutable(_))), "{refused:?}");
    declared(&broker, tasks()).await;
    broker.consume(&tasks(), 1).await.unwrap();
}

pub(crate) async fn control_reaches_every_worker_and_nobody_is_fine(broker: Arc<dyn Broker>) {
    publish(&broker, vec![Outgoing::new(Route::Control, "nobody")]).await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        let queue = declared(&broker, Queue::Control(Uuid::new_v4())).await;
        workers.push(broker.consume(&queue, 10).await.unwrap());
    }
    publish(&broker, vec![Outgoing::new(Route::Control, "drain")]).await;
    for worker in &mut workers {
        assert_eq!(next_texts(worker, 1).await, ["drain"]);
        nothing_more(worker).await;
    }
}

pub(crate) async fn a_reply_finds_its_way_with_its_correlation_id(broker: Arc<dyn Broker>) {
    let submit = declared(&broker, Queue::Submit).await;
    let replies = declared(&broker, Queue::Replies(Uuid::new_v4())).await;
    let mut client = broker.consume(&replies, 1).await.unwrap();
    // The name is known to the broker alone: a client learns it when it makes its queue.
    let by_route = Outgoing::new(Route::Queue(replies.clone()), "by its route");
    publish(&broker, vec![by_route]).await;
    assert_eq!(next_texts(&mut client, 1).await, ["by its route"]);

    let request = Outgoing {
        properties: Properties {
            correlation_id: Some("42".to_owned()),
            reply_to: Some(reply_name(&broker, &replies).await),
            ..Properties::default()
        },
        ..Outgoing::new(Route::Queue(submit.clone()), "question")
    };
    publish(&broker, vec![request]).await;
    let mut server = broker.consume(&submit, 1).await.unwrap();
    let question = next(&mut server).await;
    let answer = Outgoing {
        properties: Properties {
            correlation_id: question.properties.correlation_id.clone(),
            ..Properties::default()
        },
        ..Outgoing::new(Route::ReplyTo(question.properties.reply_to.clone().unwrap()), "answer")
    };
    question.ack();
    publish(&broker, vec![answer]).await;
    let answer = next(&mut client).await;
    assert_eq!(text(&answer), "answer");
    assert_eq!(answer.properties.correlation_id.as_deref(), Some("42"));
}

/// The queue's name with its prefix, which [`BrokerError::Unroutable`] tells of a queue that is not there.
async fn reply_name(broker: &Arc<dyn Broker>, queue: &Queue) -> String {
    let Err(BrokerError::Unroutable(name)) = broker.depth(&Queue::Rejected).await else {
        panic!("expected that the queue for rejected messages is not declared here");
    };
    queue.name(name.strip_suffix(".rejected").unwrap())
}

pub(crate) async fn an_exclusive_queue_goes_with_its_consumer(broker: Arc<dyn Broker>) {
    let queue = declared(&broker, Queue::Replies(Uuid::new_v4())).await;
    let message = || vec![Outgoing::new(Route::Queue(queue.clone()), "anybody?")];
    let mut consumer = broker.consume(&queue, 3).await.unwrap();
    publish(&broker, [message(), message(), message()].concat()).await;
    let [acked, dropped] = [next(&mut consumer).await, next(&mut consumer).await];
    drop(consumer);
    let deadline = Instant::now() + SOON;
    while !matches!(broker.publish(message()).await[..], [Err(BrokerError::Unroutable(_))]) {
        assert!(Instant::now() < deadline, "the queue is still there");
        sleep(Duration::from_millis(10)).await;
    }
    // There is no queue any more that these could come back to, which hurts nobody.
    acked.ack();
    drop(dropped);
    // Consumed again, it is made again, and empty.
    let mut consumer = broker.consume(&queue, 1).await.unwrap();
    nothing_more(&mut consumer).await;
    publish(&broker, message()).await;
    assert_eq!(next_texts(&mut consumer, 1).await, ["anybody?"]);
}

pub(crate) async fn an_exclusive_queue_stays_for_its_last_consumer(broker: Arc<dyn Broker>) {
    let queue = declared(&broker, Queue::Control(Uuid::new_v4())).await;
    let first = broker.consume(&queue, 1).await.unwrap();
    let mut last = broker.consume(&queue, 1).await.unwrap();
    drop(first);
    depth_becomes(&broker, &queue, Depth { ready: 0, consumers: 1 }).await;
    publish(&broker, vec![Outgoing::new(Route::Control, "drain")]).await;
    assert_eq!(next_texts(&mut last, 1).await, ["drain"]);
}

pub(crate) async fn depth_counts_what_waits_and_who_consumes(broker: Arc<dyn Broker>) {
    let queue = declared(&broker, tasks()).await;
    depth_becomes(&broker, &queue, Depth { ready: 0, consumers: 0 }).await;
    publish(&broker, (0..4).map(|level| task(level, "")).collect()).await;
    depth_becomes(&broker, &queue, Depth { ready: 4, consumers: 0 }).await;
    let first = broker.consume(&queue, 1).await.unwrap();
    let second = broker.consume(&queue, 1).await.unwrap();
    depth_becomes(&broker, &queue, Depth { ready: 2, consumers: 2 }).await;
    drop((first, second));
    depth_becomes(&broker, &queue, Depth { ready: 4, consumers: 0 }).await;
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
            assert!(!delivery.redelivered);
            assert!(seen.insert(text(&delivery)), "{} came twice", text(&delivery));
            delivery.ack();
        }
    }
    publisher.await.unwrap();
    nothing_more(&mut consumer).await;
    drop(consumer);
    depth_becomes(&broker, &queue, Depth { ready: 0, consumers: 0 }).await;
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
