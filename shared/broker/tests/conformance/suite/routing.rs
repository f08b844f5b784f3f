//! Queues: where messages go, and what is not there.

use std::sync::Arc;
use std::time::Duration;

use millrace_broker::{Broker, BrokerError, Depth, Outgoing, Properties, Queue, Route};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::fixture::{
    SOON, declared, depth_becomes, next, next_texts, nothing_more, publish, reply_name, task, tasks, text,
};

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
    for queue in [Queue::Submit, Queue::Inbox(7), tasks(), Queue::Rejected, Queue::Parked] {
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
