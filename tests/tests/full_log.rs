//! A log that cannot be written costs its lines, and nothing else.

use std::os::unix::fs::symlink;
use std::time::Duration;

use millrace_servers::{RabbitMq, Redis};
use millrace_tests::Fleet;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

/// The longest that what must happen may take.
const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_log_is_on_a_full_disk_goes_on_and_comes_back_to_a_broker_that_was_away() {
    let rabbitmq = RabbitMq::start(&[]);
    let redis = Redis::start(&[]);
    let fleet = Fleet::on(rabbitmq.url(), redis.url());
    let producer = fleet.producer().await;
    let full = fleet.folder().join("full");
    std::fs::create_dir(&full).unwrap();
    for number in 0..4 {
        symlink("/dev/full", full.join(format!("worker-{number}.log"))).unwrap();
    }
    let mut worker = fleet.start_worker_in(&full, &[], &[]);
    worker.is_ready().await;
    let tasks: Vec<Value> = (0..4).map(|_| json!({"run": "true"})).collect();
    producer.api().submit_all(&tasks, SOON).await;
    producer.api().all_ended(4, SOON).await;

    let restarted = move || {
        let mut rabbitmq = rabbitmq;
        rabbitmq.stop();
        rabbitmq.start_again();
        rabbitmq
    };
    let _rabbitmq = spawn_blocking(restarted).await.unwrap();
    producer.api().submit_all(&tasks, SOON).await;
    for run in producer.api().all_ended(8, SOON).await {
        assert_eq!(run["state"], "succeeded", "{run}");
    }
}
