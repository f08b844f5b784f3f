//! Connections that cannot be made, are refused, or are blocked.

use std::sync::Arc;
use std::time::Duration;

use millrace_broker::rabbitmq::{Options, RabbitMqBroker};
use millrace_broker::{Broker, BrokerError};
use millrace_servers::RabbitMq;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::fixture::{SOON, connect, task, tasks};

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
