//! RabbitMQ is short of memory and blocks publishers: what needs no message is done, what needs one is refused at once,
//! with the reason, and nothing is lost or done twice.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::sync::Arc;
use std::time::Duration;

use millrace_servers::{RabbitMq, Redis};
use millrace_tests::{Api, Fleet, wait_until};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

const SOON: Duration = Duration::from_secs(60);

/// The number of keyed submissions, whose partitions are about half of the one producer and half of the other.
const KEYS: usize = 20;

/// The number of workflows, whose homes are too. That all of them are at home with one producer must not come about.
const WORKFLOWS: usize = 24;

async fn limit_memory(server: &Arc<RabbitMq>, limit: &'static str) {
    let server = Arc::clone(server);
    spawn_blocking(move || server.ctl(&["set_vm_memory_high_watermark", "absolute", limit])).await.unwrap();
}

async fn submit(api: &Api, number: usize) -> (u16, Option<String>, Value) {
    let body = json!({"uses": "noop", "idempotency_key": format!("key-{number}")});
    let answer = api.request(Method::POST, "/api/v1/runs").json(&body).send().await.unwrap();
    let retry_after = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), retry_after, answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_broker_blocks_publishers_a_request_that_needs_it_is_refused_at_once_and_says_why() {
    let rabbitmq = Arc::new(RabbitMq::start(&[]));
    let redis = Redis::start(&[]);
    let fleet = Fleet::on(rabbitmq.url(), redis.url());
    let producer = fleet.producer().await;
    let _other = fleet.producer().await;
    let _worker = fleet.worker(&[]).await;
    let api = producer.api();
    wait_until(SOON, "the partitions are shared", async || {
        let metrics = api.try_get("/metrics").await?.as_str().unwrap_or_default().to_owned();
        let owned =
            metrics.lines().find(|line| line.starts_with("millrace_partitions_owned")).unwrap_or("none");
        let count = owned.split(' ').nth(1).and_then(|count| count.parse::<f64>().ok());
        // Half of the 64 each, in the end.
        if count.is_some_and(|count| count <= 40.0) { Ok(()) } else { Err(owned.to_owned()) }
    })
    .await;
    for name in 0..WORKFLOWS {
        api.apply(&format!("name: w{name}\nsteps:\n  - name: a\n    uses: noop\n")).await;
    }
    limit_memory(&rabbitmq, "1").await;

    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for number in 0..KEYS {
        let asked = Instant::now();
        let (status, retry_after, body) = submit(api, number).await;
        assert!(asked.elapsed() < Duration::from_secs(5), "{number}: {:?}", asked.elapsed());
        match status {
            201 => accepted.push(body["run_id"].clone()),
            _ => {
                assert_eq!((status, body["error"]["code"].as_str()), (503, Some("broker-blocked")), "{body}");
                assert!(
                    retry_after.is_some() && body["error"]["message"].to_string().contains("memory"),
                    "{body}"
                );
                refused.push(number);
            }
        }
    }
    assert!(!accepted.is_empty() && !refused.is_empty(), "{} and {}", accepted.len(), refused.len());
    // What goes through the owner of a workflow is of the same kind.
    let mut paused = Vec::new();
    for name in 0..WORKFLOWS {
        let path = format!("/api/v1/workflows/w{name}/pause");
        let (status, body) = api.send(Method::POST, &path, Some(&json!({}))).await.unwrap();
        paused.push((status, body["error"]["code"].as_str().unwrap_or("done").to_owned()));
    }
    assert!(paused.contains(&(503, "broker-blocked".to_owned())), "{paused:?}");
    assert!(paused.iter().all(|(status, code)| *status < 300 || code == "broker-blocked"), "{paused:?}");
    let (status, ready) = api.send(Method::GET, "/readyz", None).await.unwrap();
    assert_eq!(status, 200);
    assert!(ready.as_str().unwrap().contains("the broker blocks publishers"), "{ready}");
    assert!(api.get("/metrics").await.as_str().unwrap().contains("\nmillrace_broker_blocked 1\n"));

    limit_memory(&rabbitmq, "2GB").await;
    for number in 0..KEYS {
        wait_until(SOON, "it is accepted", async || match submit(api, number).await {
            (200 | 201, _, _) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
    }
    for run in api.all_ended(KEYS, SOON).await {
        assert_eq!(run["state"], "succeeded", "{run}");
    }
    assert_eq!(api.get("/readyz").await, "ready\n");
}
