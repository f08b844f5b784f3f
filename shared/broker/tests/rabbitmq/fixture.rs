//! What these tests stand on: a broker, a task, a consumer, and a stranger.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::ConfirmSelectOptions;
use lapin::{Channel, Connection, ConnectionProperties};
use millrace_broker::rabbitmq::{Options, RabbitMqBroker};
use millrace_broker::{Broker, Consumer, Outgoing, Queue, Route};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

pub(crate) const SOON: Duration = Duration::from_secs(30);

pub(crate) fn connect(url: &str) -> Arc<RabbitMqBroker> {
    let prefix = format!("test-{}", Uuid::new_v4().simple());
    Arc::new(RabbitMqBroker::connect(Options::new(url, prefix)).unwrap())
}

pub(crate) fn tasks() -> Queue {
    Queue::Tasks("default".to_owned())
}

pub(crate) fn task(text: String) -> Outgoing {
    Outgoing::new(Route::Queue(tasks()), text)
}

pub(crate) async fn ends(consumer: &mut Consumer) {
    timeout(SOON, async { while consumer.recv().await.is_some() {} })
        .await
        .expect("an end of the stream soon");
}

/// Consumes again as a worker does, until it works.
pub(crate) async fn consume(broker: &RabbitMqBroker, queue: &Queue, prefetch: u16) -> Consumer {
    let deadline = Instant::now() + SOON;
    loop {
        match broker.consume(queue, prefetch).await {
            Ok(consumer) => return consumer,
            Err(error) => assert!(Instant::now() < deadline, "still {error}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// A broker with a prefix of its own, and a stranger's channel to the same server.
pub(crate) async fn with_a_stranger() -> (RabbitMqBroker, String, Connection, Channel) {
    let url = millrace_servers::shared().amqp_url.clone();
    let prefix = format!("test-{}", Uuid::new_v4().simple());
    let broker = RabbitMqBroker::connect(Options::new(url.clone(), prefix.clone())).unwrap();
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    (broker, prefix, connection, channel)
}
