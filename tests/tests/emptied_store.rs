//! Redis loses all that it held (FLUSHALL, or a server without the data in its place): everybody is told, what the
//! broker still holds comes back or is put away, and the cluster stays what it was.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeSet;
use std::time::Duration;

use millrace_servers::{RabbitMq, Redis};
use millrace_tests::{Fleet, Kind, Process, wait_until};
use serde_json::{Value, json};
use tokio::join;

const SOON: Duration = Duration::from_secs(60);

/// The number of ad-hoc tasks that wait in the broker when the store is emptied.
const WAITING: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_redis_is_told_and_accepted_ad_hoc_tasks_still_end() {
    let (rabbitmq, redis) = (RabbitMq::start(&[]), Redis::start(&[]));
    let fleet = Fleet::on(rabbitmq.url(), redis.url());
    let (marks, amqp) = (fleet.marks("tasks"), fleet.amqp().await);
    let producers = [fleet.producer_with(&[], &[("MILLRACE_PARTITIONS", "8")]).await, fleet.producer().await];
    let busy = fleet.worker(&["--pool", "busy", "--concurrency", "2"]).await;
    let api = producers[0].api();

    // One of a stored workflow, and many ad hoc, wait for a worker. Two run.
    let stored = "name: stored\nsteps: [{name: one, run: exit 0}]\n";
    api.apply(stored).await;
    api.trigger("stored").await;
    let task =
        |key: String| json!({"run": marks.mark(Kind::Start), "idempotency_key": key, "params": {"key": key}});
    let waiting: Vec<Value> = (0..WAITING).map(|n| task(format!("waiting-{n}"))).collect();
    let mut accepted: BTreeSet<String> = api.submit_all(&waiting, SOON).await.into_iter().collect();
    wait_until(SOON, "all tasks are in the broker", async || {
        let ready = amqp.ready("tasks.default").await;
        if ready > Some(u32::try_from(WAITING).unwrap()) { Ok(()) } else { Err(format!("{ready:?}")) }
    })
    .await;
    let running = api.submit(&json!({"run": "sleep 4", "pool": "busy"})).await;
    let once = json!({"run": "sleep 4", "pool": "busy", "at_most_once": true});
    let once = api.submit(&once).await;
    for run in [&running, &once] {
        api.step_is(run, "task", "running", SOON).await;
    }
    let meta = format!("{}:meta", fleet.prefix());
    let before = [hget(&redis, &meta, "id"), hget(&redis, &meta, "partitions")];

    let load = async {
        let mut ids = Vec::new();
        for n in 0..40 {
            ids.push(producers[n % 2].api().try_post("/api/v1/runs", &task(format!("load-{n}"))).await);
        }
        ids
    };
    let emptied = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(redis.ask("FLUSHALL").unwrap(), "+OK\r\n");
    };
    let (during, ()) = join!(load, emptied);
    accepted.extend(during.into_iter().map(|answer| answer.unwrap()["run_id"].as_str().unwrap().to_owned()));

    // Everybody is told, and the cluster is what it was.
    for process in producers.iter().chain([&busy]) {
        is_told(process).await;
    }
    for producer in &producers {
        wait_until(SOON, "readyz says what is lost", async || {
            let ready = producer.api().try_get("/readyz").await?;
            let said = ready.as_str().is_some_and(|text| text.starts_with("ready, but the store has lost"));
            if said { Ok(()) } else { Err(ready.to_string()) }
        })
        .await;
    }
    assert_eq!([hget(&redis, &meta, "id"), hget(&redis, &meta, "partitions")], before);
    is_refused(fleet.start_producer(&[], &[("MILLRACE_PARTITIONS", "16")]), "this cluster has 8 partitions")
        .await;

    // What was accepted ends; what cannot be brought back is put away with the reason.
    let _worker = fleet.worker(&["--concurrency", "8"]).await;
    accepted.insert(running);
    for run in &accepted {
        assert_eq!(api.ended(run, SOON).await["state"], "succeeded");
    }
    let starts = marks.by_key(Kind::Start);
    assert!(starts.len() == WAITING + 40 && starts.values().all(|count| *count == 1), "{starts:?}");
    let mut reasons = BTreeSet::new();
    for _ in 0..2 {
        let rejected = amqp.next(&amqp.queue("rejected"), SOON).await;
        assert_eq!(rejected.headers["x-millrace-error-code"], "lost-run");
        reasons.insert(rejected.headers["x-millrace-error"].clone());
    }
    assert!(reasons.iter().any(|reason| reason.contains("of stored")), "{reasons:?}");
    assert!(
        reasons.iter().any(|reason| reason.contains(&once) && reason.contains("it has run")),
        "{reasons:?}"
    );

    // Version 1 of a workflow may be another one than before.
    api.apply(&stored.replace("exit 0", "exit 7")).await;
    for producer in &producers {
        let run = producer.api().trigger("stored").await;
        assert_eq!(api.ended(&run, SOON).await["state"], "failed");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cannot_serve_the_cluster_is_refused_or_owns_nothing() {
    let redis = Redis::start(&[]);
    let fleet = Fleet::on(millrace_servers::shared().amqp_url.clone(), redis.url());
    let producer = fleet.producer_with(&[], &[("MILLRACE_PARTITIONS", "16")]).await;
    let quorum = [("MILLRACE_QUEUE_TYPE", "quorum")];
    let why = "this cluster has classic queues, but here MILLRACE_QUEUE_TYPE is quorum";
    is_refused(fleet.start_producer(&[], &quorum), why).await;
    is_refused(fleet.start_worker(&[], &quorum), why).await;
    // Where the producers are not, nothing is taken from the broker that they share.
    let elsewhere = fleet.start_worker(&[], &[("MILLRACE_REDIS_URL", &format!("{}/5", redis.url()))]);
    is_not_ready(&elsewhere, "no producer has founded a cluster in this store").await;

    // A cluster of before, whose kind of queues is not written down: the broker refuses, and says so.
    let meta = format!("{}:meta", fleet.prefix());
    redis.ask(&format!("HDEL {meta} queues")).unwrap();
    let stranger = fleet.start_producer(&[], &quorum);
    is_not_ready(&stranger, "is there with other arguments").await;
    assert!(stranger.log().contains("ERROR") && stranger.log().contains("owns no partitions"));
    let owned = "millrace_partitions_owned 16";
    assert!(metrics(&producer).await.contains(owned));
    // Keyed, they go to all partitions.
    let batch: Vec<Value> =
        (0..30).map(|n| json!({"run": "exit 0", "idempotency_key": format!("{n}")})).collect();
    assert_eq!(producer.api().submit_all(&batch, Duration::from_secs(10)).await.len(), 30);
    assert!(metrics(&producer).await.contains(owned));
}

/// Waits until a process says why it is not ready.
async fn is_not_ready(process: &Process, why: &str) {
    wait_until(SOON, "it says why it is not ready", async || match process.api().try_get("/readyz").await {
        Err(text) if text.contains(why) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

/// Waits until a process has ended, and said why.
async fn is_refused(mut process: Process, why: &str) {
    assert_eq!(process.ends(SOON).await.code(), Some(1));
    assert!(process.log().contains(why), "{}", process.log());
}

/// Waits until a process has told of it: an error in its log, and a metric.
async fn is_told(process: &Process) {
    wait_until(SOON, "the loss is told", async || {
        let log = process.log();
        if log.lines().any(|line| line.contains("ERROR") && line.contains("the store has lost what it held"))
        {
            Ok(())
        } else {
            Err(log)
        }
    })
    .await;
    let metrics = metrics(process).await;
    assert!(metrics.contains("millrace_store_emptied_total 1"), "{metrics}");
}

async fn metrics(process: &Process) -> String {
    process.api().get("/metrics").await.as_str().unwrap().to_owned()
}

/// Reads a field of a hash, as Redis answers it.
fn hget(redis: &Redis, key: &str, field: &str) -> String {
    redis.ask(&format!("HGET {key} {field}")).unwrap()
}
