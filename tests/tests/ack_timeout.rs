//! A task that runs for longer than the broker waits for its ack starts once, and its worker goes on.

use std::time::Duration;

use millrace_servers::{RabbitMq, Redis};
use millrace_tests::{Fleet, Kind};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_task_longer_than_the_ack_timeout_has_one_start() {
    let rabbitmq = RabbitMq::start(&["consumer_timeout = 3000"]);
    let redis = Redis::start(&[]);
    let fleet = Fleet::on(rabbitmq.url(), redis.url());
    let (long, short) = (fleet.marks("long"), fleet.marks("short"));
    let producer = fleet.producer().await;
    let mut workers =
        [fleet.worker(&["--concurrency", "2"]).await, fleet.worker(&["--concurrency", "2"]).await];

    let run = producer.api().submit(&json!({"run": long.beating(120)})).await;
    // Work all the while, so that its channel is in use when it is closed.
    let trickle: Vec<Value> = (0..40)
        .map(|n| json!({"run": short.around("sleep 0.5"), "params": {"key": n}, "idempotency_key": format!("{n}")}))
        .collect();
    producer.api().submit_all(&trickle, SOON).await;

    let ended = producer.api().ended(&run, SOON).await;
    let step = &ended["steps"][0];
    assert_eq!((&ended["state"], step["attempt"].as_u64()), (&json!("succeeded"), Some(1)), "{ended}");
    short.each_ran_once(40, SOON).await;
    producer.api().all_ended(41, SOON).await;
    assert_eq!((long.of(Kind::Start).len(), long.of(Kind::End).len()), (1, 1));

    // The broker did close a channel, or else this shows nothing.
    assert!(workers.iter().any(|worker| worker.log().contains("acknowledgement")));
    assert!(workers.iter_mut().all(|worker| worker.status().is_none()));
}
