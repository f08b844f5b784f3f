//! What only a real server does: it stops, closes channels, goes deaf, and is not there.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it stands")]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeleteOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use millrace_broker::rabbitmq::{Options, RabbitMqBroker};
use millrace_broker::{Broker, BrokerError, Consumer, Depth, Outgoing, Queue, Route};
use millrace_servers::RabbitMq;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

const SOON: Duration = Duration::from_secs(30);

fn connect(url: &str) -> Arc<RabbitMqBroker> {
    let prefix = format!("test-{}", Uuid::new_v4().simple());
    Arc::new(RabbitMqBroker::connect(Options::new(url, prefix)).unwrap())
}

fn tasks() -> Queue {
    Queue::Tasks("default".to_owned())
}

fn task(text: String) -> Outgoing {
    Outgoing::new(Route::Queue(tasks()), text)
}

async fn ends(consumer: &mut Consumer) {
    timeout(SOON, async { while consumer.recv().await.is_some() {} })
        .await
        .expect("an end of the stream soon");
}

/// Consumes again as a worker does, until it works.
async fn consume(broker: &RabbitMqBroker, queue: &Queue, prefetch: u16) -> Consumer {
    let deadline = Instant::now() + SOON;
    loop {
        match broker.consume(queue, prefetch).await {
            Ok(consumer) => return consumer,
            Err(error) => assert!(Instant::now() < deadline, "still {error}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

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

/// A broker with a prefix of its own, and a stranger's channel to the same server.
async fn with_a_stranger() -> (RabbitMqBroker, String, Connection, Channel) {
    let url = millrace_servers::shared().amqp_url.clone();
    let prefix = format!("test-{}", Uuid::new_v4().simple());
    let broker = RabbitMqBroker::connect(Options::new(url.clone(), prefix.clone())).unwrap();
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    (broker, prefix, connection, channel)
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_fails_within_the_bound_and_hides_the_password() {
    // Nothing listens on the discard port.
    let mut options = Options::new("amqp://user:hidden@127.0.0.1:9/%2f", "test");
    options.bound = Duration::from_millis(500);
    let broker = RabbitMqBroker::connect(options).unwrap();
    assert!(!*broker.ready().borrow());
    let since = Instant::now();
    let results = timeout(SOON, broker.publish(vec![task("a".to_owned()), task("b".to_owned())])).await;
    let results = results.expect("an answer within the bound");
    assert!(since.elapsed() >= Duration::from_millis(400), "it must wait for the connection");
    assert_eq!(results.len(), 2);
    for result in results {
        let error = result.unwrap_err();
        assert!(matches!(error, BrokerError::Unavailable(..)), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("amqp://user:***@127.0.0.1:9/%2f") && !text.contains("hidden"), "{text}");
    }
    assert!(matches!(broker.consume(&tasks(), 1).await, Err(BrokerError::Unavailable(..))));
    assert!(matches!(broker.declare(&tasks()).await, Err(BrokerError::Unavailable(..))));
    timeout(SOON, broker.close()).await.expect("closed soon");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_without_a_connection_does_not_wait_for_one() {
    let broker = Arc::new(RabbitMqBroker::connect(Options::new("amqp://127.0.0.1:9/%2f", "test")).unwrap());
    let publishing = Arc::clone(&broker);
    let publishing = tokio::spawn(async move { publishing.publish(vec![task("a".to_owned())]).await });
    // It is taken in as soon as it was polled.
    sleep(Duration::from_millis(100)).await;
    let since = Instant::now();
    broker.close().await;
    assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    let results = timeout(SOON, publishing).await.expect("an answer soon").unwrap();
    assert!(matches!(results.as_slice(), [Err(_)]), "{results:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_or_a_virtual_host_that_is_refused_is_told_at_once_and_one_that_is_taken_as_well() {
    let url = millrace_servers::shared().amqp_url.clone();
    let (server, _) = url.rsplit_once('/').unwrap();
    let (scheme, host) = (server.split_once("://").unwrap().0, server.rsplit_once('@').unwrap().1);
    for (wrong, why) in [
        (format!("{scheme}://guest:hidden@{host}/%2f"), "ACCESS_REFUSED"),
        (format!("{server}/no_such_vhost"), "no_such_vhost"),
    ] {
        let broker = connect(&wrong);
        let error = timeout(SOON, broker.admitted()).await.expect("an answer soon").unwrap_err();
        assert!(matches!(error, BrokerError::Configuration(_)), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(why) && !text.contains("hidden"), "{text}");
        assert!(broker.trouble().to_string().contains(why), "{}", broker.trouble());
        broker.close().await;
    }
    let broker = connect(&url);
    timeout(SOON, broker.admitted()).await.expect("an answer soon").unwrap();
    broker.close().await;
}

#[tokio::test]
async fn a_wrong_address_is_a_configuration_error() {
    let refused = RabbitMqBroker::connect(Options::new("http://localhost:15672", "test"));
    assert!(matches!(refused.err(), Some(BrokerError::Configuration(_))));
    let refused = RabbitMqBroker::connect(Options::new("amqp://localhost", "x".repeat(300)));
    assert!(matches!(refused.err(), Some(BrokerError::Configuration(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alarm_answers_unconfirmed_and_publishing_goes_on_after_it() {
    // No server needs less memory than this, so that the alarm is on until the limit is lifted.
    let config = ["vm_memory_high_watermark.absolute = 1"];
    let server = spawn_blocking(move || RabbitMq::start(&config)).await.unwrap();
    let mut options = Options::new(server.url(), format!("test-{}", Uuid::new_v4().simple()));
    options.bound = Duration::from_secs(2);
    let broker = RabbitMqBroker::connect(options).unwrap();
    broker.declare(&tasks()).await.unwrap();
    let mut blocked = broker.blocked();
    assert!(blocked.borrow().is_none(), "nobody has published yet");
    let results = timeout(SOON, broker.publish(vec![task("a".to_owned()), task("b".to_owned())])).await;
    let results = results.expect("an answer within the bound");
    assert!(results.iter().all(|result| matches!(result, Err(BrokerError::Unconfirmed(2)))), "{results:?}");
    assert!(blocked.borrow().as_deref().is_some_and(|why| why.contains("memory")), "it says why");
    assert!(*broker.ready().borrow(), "it is connected");
    let lift = ["set_vm_memory_high_watermark", "absolute", "2GB"];
    let server = spawn_blocking(move || {
        server.ctl(&lift);
        server
    });
    let server = server.await.unwrap();
    let deadline = Instant::now() + SOON;
    while broker.publish(vec![task("c".to_owned())]).await[0].is_err() {
        assert!(Instant::now() < deadline, "publishing does not go on");
    }
    timeout(SOON, blocked.wait_for(Option::is_none)).await.expect("unblocked soon").unwrap();
    // What was in flight arrived after all, which is why unconfirmed means perhaps.
    assert!(broker.depth(&tasks()).await.unwrap().ready >= 3);
    timeout(SOON, broker.close()).await.expect("closed soon");
    drop(server);
}
