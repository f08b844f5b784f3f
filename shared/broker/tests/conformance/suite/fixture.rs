//! What the suite stands on: publishing, receiving, and waiting with a bound.

use std::sync::Arc;
use std::time::Duration;

use millrace_broker::{Broker, BrokerError, Consumer, Delivery, Depth, Outgoing, Queue, Route};
use tokio::time::{Instant, sleep, timeout};

/// How long a thing that must happen may take, and how long is waited to see that a thing does not.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) const QUIET: Duration = Duration::from_millis(150);

pub(crate) async fn run<F: Future<Output = ()>>(
    broker: Arc<dyn Broker>,
    behaviour: impl Fn(Arc<dyn Broker>) -> F,
) {
    timeout(SOON, broker.ready().wait_for(|ready| *ready)).await.expect("ready soon").unwrap();
    timeout(3 * SOON, behaviour(Arc::clone(&broker))).await.expect("done soon");
    timeout(SOON, broker.close()).await.expect("closed soon");
}

pub(crate) fn tasks() -> Queue {
    Queue::Tasks("default".to_owned())
}

pub(crate) fn task(level: u8, text: &str) -> Outgoing {
    Outgoing { level, ..Outgoing::new(Route::Queue(tasks()), text.to_owned()) }
}

pub(crate) async fn publish(broker: &Arc<dyn Broker>, messages: Vec<Outgoing>) {
    for result in broker.publish(messages).await {
        result.unwrap();
    }
}

pub(crate) async fn declared(broker: &Arc<dyn Broker>, queue: Queue) -> Queue {
    broker.declare(&queue).await.unwrap();
    queue
}

pub(crate) async fn next(consumer: &mut Consumer) -> Delivery {
    timeout(SOON, consumer.recv()).await.expect("a delivery soon").expect("a stream that goes on")
}

pub(crate) async fn next_texts(consumer: &mut Consumer, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    for _ in 0..count {
        let delivery = next(consumer).await;
        texts.push(text(&delivery));
        delivery.ack();
    }
    texts
}

pub(crate) async fn nothing_more(consumer: &mut Consumer) {
    if let Ok(Some(delivery)) = timeout(QUIET, consumer.recv()).await {
        panic!("expected nothing more, found {delivery:?}");
    }
}

pub(crate) fn text(delivery: &Delivery) -> String {
    String::from_utf8(delivery.payload.to_vec()).unwrap()
}

pub(crate) async fn depth_becomes(broker: &Arc<dyn Broker>, queue: &Queue, expected: Depth) {
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

/// The queue's name with its prefix, which [`BrokerError::Unroutable`] tells of a queue that is not there.
pub(crate) async fn reply_name(broker: &Arc<dyn Broker>, queue: &Queue) -> String {
    let Err(BrokerError::Unroutable(name)) = broker.depth(&Queue::Rejected).await else {
        panic!("expected that the queue for rejected messages is not declared here");
    };
    queue.name(name.strip_suffix(".rejected").unwrap())
}
