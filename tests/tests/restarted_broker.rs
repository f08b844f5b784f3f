//! RabbitMQ goes away under load, first gracefully, then as in a power cut: all that was accepted runs once.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::time::Duration;

use millrace_servers::{RabbitMq, Redis};
use millrace_tests::Fleet;
use serde_json::{Value, json};
use tokio::join;
use tokio::task::spawn_blocking;

/// The number of tasks of a batch.
const TASKS: usize = 60;

/// The longest that what must happen may take.
const SOON: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_rabbitmq_under_load_loses_nothing_and_doubles_nothing() {
    let rabbitmq = RabbitMq::start(&[]);
    let redis = Redis::start(&[]);
    let fleet = Fleet::on(rabbitmq.url(), redis.url());
    let marks = fleet.marks("tasks");
    let producer = fleet.producer().await;
    let _workers = (fleet.worker(&["--concurrency", "4"]).await, fleet.worker(&["--concurrency", "4"]).await);
    let batch = |name: &str| -> Vec<Value> {
        let one = |n| {
            let key = format!("{name}{n}");
            json!({"run": marks.around("sleep 0.2"), "idempotency_key": key, "params": {"key": key}})
        };
        (0..TASKS).map(one).collect()
    };

    // Some wait in the submission queue, some in the task queue, some run.
    fleet.amqp().await.submit(&Value::from(batch("amqp"))).await;
    producer.api().submit_all(&batch("before"), SOON).await;
    let more = batch("while");
    let restart = restarted(rabbitmq, RabbitMq::stop);
    let (_, rabbitmq) = join!(producer.api().submit_all(&more, SOON), restart);

    producer.api().submit_all(&batch("between"), SOON).await;
    let more = batch("killed");
    let restart = restarted(rabbitmq, RabbitMq::kill);
    let (_, _rabbitmq) = join!(producer.api().submit_all(&more, SOON), restart);

    for run in producer.api().all_ended(5 * TASKS, SOON).await {
        assert_eq!(run["state"], "succeeded", "{run}");
    }
    marks.each_ran_once(5 * TASKS, Duration::from_secs(1)).await;
    let amqp = fleet.amqp().await;
    assert_eq!(amqp.ready("tasks.default").await, Some(0));
    assert_eq!(amqp.ready("rejected").await, Some(0));
}

/// Ends RabbitMQ, and starts it again, which blocks for seconds.
async fn restarted(mut rabbitmq: RabbitMq, stop: fn(&mut RabbitMq)) -> RabbitMq {
    spawn_blocking(move || {
        stop(&mut rabbitmq);
        rabbitmq.start_again();
        rabbitmq
    })
    .await
    .unwrap()
}
