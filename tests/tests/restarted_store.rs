//! Redis goes away under load, first gracefully, then killed: what was acknowledged is in its append-only file,
//! and all of it runs once.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::time::Duration;

use millrace_servers::{RabbitMq, Redis};
use millrace_tests::Fleet;
use serde_json::{Value, json};
use tokio::join;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// The number of tasks of a batch.
const TASKS: usize = 60;

/// The longest that what must happen may take.
const SOON: Duration = Duration::from_secs(120);

/// The time for which Redis stays away: less than the lease of a session, so that no worker gives up its tasks.
const OUTAGE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_redis_under_load_loses_nothing_and_doubles_nothing() {
    let rabbitmq = RabbitMq::start(&[]);
    let redis = Redis::start(&["--appendfsync", "always"]);
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

    fleet.amqp().await.submit(&Value::from(batch("amqp"))).await;
    producer.api().submit_all(&batch("before"), SOON).await;
    let more = batch("while");
    let outage = async {
        let mut redis = stopped(redis, Redis::stop).await;
        sleep(OUTAGE).await;
        redis.start_again();
        redis
    };
    let (_, redis) = join!(producer.api().submit_all(&more, SOON), outage);

    producer.api().submit_all(&batch("between"), SOON).await;
    let more = batch("killed");
    let outage = async {
        let mut redis = stopped(redis, Redis::kill).await;
        sleep(OUTAGE).await;
        redis.start_again();
        redis
    };
    let (_, _redis) = join!(producer.api().submit_all(&more, SOON), outage);

    for run in producer.api().all_ended(5 * TASKS, SOON).await {
        assert_eq!(run["state"], "succeeded", "{run}");
    }
    marks.each_ran_once(5 * TASKS, Duration::from_secs(1)).await;
    let amqp = fleet.amqp().await;
    assert_eq!(amqp.ready("tasks.default").await, Some(0));
    assert_eq!(amqp.ready("rejected").await, Some(0));
}

/// Ends Redis, which blocks.
async fn stopped(mut redis: Redis, stop: fn(&mut Redis)) -> Redis {
    spawn_blocking(move || {
        stop(&mut redis);
        redis
    })
    .await
    .unwrap()
}
