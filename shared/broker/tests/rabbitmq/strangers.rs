//! What strangers do on the server: take away, bind, publish, declare otherwise.

use std::time::Duration;

use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use millrace_broker::rabbitmq::{Options, RabbitMqBroker};
use millrace_broker::{Broker, BrokerError, Depth, Outgoing, Queue, Route};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::fixture::{SOON, consume, tasks, with_a_stranger};

/// What a stranger takes away.
#[derive(Debug, Clone, Copy)]
enum Away {
    Exchanges,
    Binding,
    Queue,
}

impl Away {
    async fn take(self, channel: &Channel, prefix: &str, queue: &Queue) {
        let name = queue.name(prefix);
        match self {
            Self::Exchanges => {
                for exchange in [prefix.to_owned(), format!("{prefix}.control")] {
                    let options = ExchangeDeleteOptions::default();
                    channel.exchange_delete(exchange.as_str().into(), options).await.unwrap();
                }
            }
            Self::Binding => {
                let (none, key) = (FieldTable::default(), queue.routing_key());
                let unbound =
                    channel.queue_unbind(name.as_str().into(), prefix.into(), key.as_str().into(), none);
                unbound.await.unwrap();
            }
            Self::Queue => {
                channel.queue_delete(name.as_str().into(), QueueDeleteOptions::default()).await.unwrap();
            }
        }
    }
}

/// How long what was taken away may be missing.
const BACK: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_away_is_there_again_for_what_is_published() {
    let (broker, prefix, _connection, channel) = with_a_stranger().await;
    for queue in [tasks(), Queue::Inbox(3), Queue::Submit, Queue::Rejected] {
        broker.declare(&queue).await.unwrap();
        let message = || Outgoing::new(Route::Queue(queue.clone()), "kept");
        for away in [Away::Binding, Away::Queue, Away::Exchanges] {
            away.take(&channel, &prefix, &queue).await;
            let since = Instant::now();
            // A channel that is closed for a missing exchange may take the confirms of others with it.
            while !broker.publish(vec![message(), message()]).await.iter().all(Result::is_ok) {
                assert!(since.elapsed() < BACK, "{queue:?} without its {away:?}");
                sleep(Duration::from_millis(50)).await;
            }
            assert!(broker.depth(&queue).await.unwrap().ready >= 2, "{queue:?} without its {away:?}");
        }
    }
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_to_which_only_others_publish_is_bound_again_by_its_consumer() {
    let (broker, prefix, _connection, channel) = with_a_stranger().await;
    let control = Queue::Control(Uuid::new_v4());
    let mut consumers = Vec::new();
    for queue in [Queue::Submit, control] {
        broker.declare(&queue).await.unwrap();
        let consumer = consume(&broker, &queue, 10).await;
        consumers.push((queue, consumer));
    }
    for away in [Away::Binding, Away::Exchanges] {
        // Whose queue is exclusive, no stranger can unbind it: it goes with its exchange only.
        away.take(&channel, &prefix, &Queue::Submit).await;
        let since = Instant::now();
        for (queue, consumer) in &mut consumers {
            let (exchange, key) = match queue {
                Queue::Submit => (prefix.clone(), "submit"),
                _ => (format!("{prefix}.control"), ""),
            };
            loop {
                // A channel on which a stranger names an exchange that is not there is closed.
                let stranger = Connection::connect(
                    &millrace_servers::shared().amqp_url,
                    ConnectionProperties::default(),
                );
                let stranger = stranger.await.unwrap();
                let channel = stranger.create_channel().await.unwrap();
                channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
                let options = BasicPublishOptions { mandatory: true, immediate: false };
                let (exchange, key) = (exchange.as_str().into(), key.into());
                let sent = channel.basic_publish(exchange, key, options, b"{}", BasicProperties::default());
                let confirmed = async { sent.await?.await }.await;
                if matches!(confirmed, Ok(Confirmation::Ack(None))) {
                    break;
                }
                assert!(since.elapsed() < BACK, "{queue:?} without its {away:?}: {confirmed:?}");
                sleep(Duration::from_millis(200)).await;
            }
            timeout(SOON, consumer.recv()).await.expect("a delivery soon").unwrap().ack();
        }
    }
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_client_publishes_to_submit() {
    let url = millrace_servers::shared().amqp_url.clone();
    let prefix = format!("test-{}", Uuid::new_v4().simple());
    let broker = RabbitMqBroker::connect(Options::new(url.clone(), prefix.clone())).unwrap();
    broker.declare(&Queue::Submit).await.unwrap();
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let mut headers = FieldTable::default();
    headers.insert("number".into(), AMQPValue::LongInt(7));
    headers.insert("text".into(), AMQPValue::LongString("seven".into()));
    let properties = BasicProperties::default().with_headers(headers).with_message_id("key".into());
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    channel.basic_publish(prefix.into(), "submit".into(), options, b"[]", properties).await.unwrap();
    let mut consumer = broker.consume(&Queue::Submit, 1).await.unwrap();
    let delivery = timeout(SOON, consumer.recv()).await.expect("a delivery soon").unwrap();
    assert_eq!(delivery.properties.message_id.as_deref(), Some("key"));
    assert_eq!(delivery.properties.headers, [("text".to_owned(), "seven".to_owned())]);
    delivery.ack();
    broker.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_with_other_arguments_is_a_configuration_error_and_blocks_nothing_else() {
    let url = millrace_servers::shared().amqp_url.clone();
    let prefix = format!("test-{}", Uuid::new_v4().simple());
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let name = tasks().name(&prefix);
    let options = QueueDeclareOptions::durable();
    channel.queue_declare(name.as_str().into(), options, FieldTable::default()).await.unwrap();
    let broker = RabbitMqBroker::connect(Options::new(url, prefix)).unwrap();
    let error = broker.declare(&tasks()).await.unwrap_err();
    assert!(matches!(error, BrokerError::Configuration(_)), "{error:?}");
    broker.declare(&Queue::Submit).await.unwrap();
    assert_eq!(broker.depth(&Queue::Submit).await.unwrap(), Depth::default());
    broker.close().await;
}
