//! A fleet of the old version, taken through everything, and then killed in the middle of it.

use std::path::Path;
use std::time::Duration;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use millrace_compatibility::keys;
use millrace_compatibility::recording::now;
use millrace_faults::proxy::{Mode, Protocol, Proxy};
use millrace_servers::{RabbitMq, Redis};
use millrace_tests::{Amqp, Api, Fleet, Process, wait_until};
use redis::Commands;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::log::{BOUND, Log};
use super::stage::{PREFIX, Stage};
use super::traffic::Traffic;
use super::workflows::{ENDLESS_AT_FIRST, INLINE, full_task, others, report};

/// The delay of everything between a producer and Redis, by which a run is seen between two steps of its cancellation.
const SLOW: Duration = Duration::from_secs(1);

/// A recording of a fleet.
pub(crate) struct Recorded {
    /// When it was made, the runs, and what the API said.
    pub(crate) about: Value,
    /// All that Redis held.
    pub(crate) keys: Value,
    /// What waited in RabbitMQ.
    pub(crate) queues: Value,
    /// One or two messages of each form.
    pub(crate) messages: Value,
}

/// Records a fleet of this program.
pub(crate) async fn record(program: &Path) -> Recorded {
    let (broker, redis) =
        block_in_place(|| (RabbitMq::start(&[]), Redis::start(&["--appendfsync", "always"])));
    let mut traffic = Traffic::of(&broker).await;
    let stage = Stage { program, fleet: Fleet::on(broker.url(), redis.url()), redis_url: redis.url() };
    let proxies = [
        Proxy::start(redis.port(), Protocol::Bytes, 1).await,
        Proxy::start(redis.port(), Protocol::Bytes, 2).await,
    ];
    bundles(&stage, &proxies[0], &mut traffic).await;
    block_in_place(|| drop(redis.ask("FLUSHALL")));

    // Each partition has had an owner before those that are here now.
    let mut first = stage.producer(PREFIX, &proxies[0]).await;
    first.sigterm();
    first.ends(BOUND).await;
    let mut producers =
        [stage.producer(PREFIX, &proxies[0]).await, stage.producer(PREFIX, &proxies[1]).await];
    let apis = producers.each_ref().map(|producer| producer.api().clone());
    let mut workers = Vec::new();
    for pool in ["default", "short", "frail", "cold"] {
        workers.push(stage.worker(PREFIX, pool, "8").await);
    }
    let amqp = Amqp::connect(&broker.url(), PREFIX).await;
    let mut log = Log::default();

    store(&apis).await;
    submit(&apis, &amqp, &mut log).await;
    rest(&stage, &apis, &mut workers, &mut log).await;
    stray(&stage, &apis, &amqp, &mut traffic).await;
    pin(&stage, &log).await;
    log.ask(&apis[0], &["report", "tick", "resting", "failing"]).await;

    // From here on, things are under way.
    under_way(&stage, &apis, &mut workers, &mut log).await;
    stop_in_the_middle(&stage, &apis[0], &proxies, &mut producers, &mut log).await;
    stage.record_is(log.id("finishing"), "t0:1", 'f').await;
    workers.iter_mut().for_each(Process::kill9);
    // What clients submit while nobody is there waits.
    amqp.submit(&json!({"run": "true", "idempotency_key": "while-away"})).await;
    amqp.submit(&json!([{"uses": "noop"}, {"workflow": "finishing"}])).await;

    let keys = keys::dump(&redis.url());
    let queues = traffic.waiting(&broker, PREFIX).await;
    let messages = traffic.forms().await;
    Recorded { about: log.about(), keys, queues, messages }
}

/// Another fleet, under a backlog until short tasks share a message: for that, the producer has to know its worker, and
/// how long such tasks take.
async fn bundles(stage: &Stage<'_>, redis: &Proxy, traffic: &mut Traffic) {
    let prefix = "bundles";
    let producer = stage.producer(prefix, redis).await;
    let _worker = stage.worker(prefix, "default", "8").await;
    let tasks: Vec<Value> = (0..300).map(|_| json!({"uses": "noop"})).collect();
    wait_until(BOUND, "tasks share a message", async || {
        producer.api().post("/api/v1/runs", &Value::from(tasks.clone())).await;
        let all = traffic.all().await;
        let is_bundle =
            |message: &Value| message["body"].as_str().is_some_and(|body| body.starts_with("[{\"v\":1,"));
        if all.iter().any(is_bundle) { Ok(()) } else { Err(format!("{} messages", all.len())) }
    })
    .await;
}

/// Stores workflows, each on both producers, so that one of them hands it on.
async fn store(apis: &[Api; 2]) {
    for api in apis {
        for version in [1, 2] {
            api.apply(&report(version)).await;
        }
    }
    for definition in others() {
        for api in apis {
            api.apply(&definition.to_string()).await;
        }
    }
    for api in apis {
        api.post("/api/v1/workflows/tick/pause", &json!({})).await;
        api.post("/api/v1/workflows/tick/resume", &json!({})).await;
        api.post("/api/v1/workflows/resting/pause", &json!({})).await;
        // Refused by whoever reads it.
        let wrong = json!({"definition": "name: wrong\nsteps: []"});
        assert!(api.try_post("/api/v1/workflows", &wrong).await.is_err());
        let unknown = api.try_post("/api/v1/workflows/unknown/pause", &json!({})).await;
        assert!(unknown.is_err());
        let conflict = json!({"run": "true", "idempotency_key": "once", "params": {"from": api.base()}});
        let _ = api.try_post("/api/v1/runs", &conflict).await;
    }
}

/// Submits all kinds of work through all doors, and waits for its end.
async fn submit(apis: &[Api; 2], amqp: &Amqp, log: &mut Log) {
    let [api, other] = apis;
    let labelled = json!({"workflow": "report", "params": {"day": "2026-11-01", "rows": 4},
        "priority": "P3", "labels": {"why": "test"}, "idempotency_key": "report-1",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"});
    log.ended(api, "report", &labelled, "succeeded").await;
    for keyed in 0..6 {
        let submission = json!({"run": "true", "idempotency_key": format!("key-{keyed}")});
        log.ended(api, &format!("keyed {keyed}"), &submission, "succeeded").await;
        other.submit(&submission).await;
        amqp.ask(&submission).await;
    }
    log.ended(api, "full task", &full_task(), "succeeded").await;
    log.ended(other, "inline", &json!({"definition": INLINE, "params": {"who": "you"}}), "succeeded").await;
    let health = format!("{}/healthz", api.base());
    log.ended(
        api,
        "http",
        &json!({"uses": "http", "with": {"url": health, "headers": {"x-a": "b"}}}),
        "succeeded",
    )
    .await;
    log.ended(
        api,
        "no such host",
        &json!({"uses": "http", "with": {"url": "http://127.0.0.1:1/"}}),
        "failed",
    )
    .await;
    log.ended(api, "noop", &json!({"uses": "noop"}), "succeeded").await;
    for (workflow, state) in [("failing", "failed"), ("slow", "timed_out"), ("overtime", "timed_out")] {
        log.ended(other, workflow, &json!({"workflow": workflow}), state).await;
    }
    let stopped = api.trigger("stopped").await;
    api.step_is(&stopped, "first", "running", BOUND).await;
    for api in apis {
        api.post(&format!("/api/v1/runs/{stopped}/cancel"), &json!({})).await;
    }
    api.ended(&stopped, BOUND).await;
    log.rests("stopped", &stopped);

    let mut headers = FieldTable::default();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    headers.insert("traceparent".into(), AMQPValue::LongString(parent.into()));
    let properties = BasicProperties::default().with_message_id("message-1".into()).with_headers(headers);
    amqp.publish("submit", br#"[{"run":"true"},{"uses":"noop"},{"rum":"x"}]"#, properties).await;
    let answers = amqp.ask(&json!([{"run": "true"}, {"workflow": "report"}, {"workflow": "unknown"}])).await;
    log.rests("of a message", answers[0]["run_id"].as_str().unwrap());
    amqp.ask(&json!({"run": "true", "delay": "soon"})).await;
    for refused in ["{", r#"{"rum":"x"}"#, r#"{"run":"true","v":9}"#, "[]", r#"{"uses":"docker"}"#] {
        amqp.publish("submit", refused.as_bytes(), BasicProperties::default()).await;
    }
    wait_until(BOUND, "tick has fired", async || {
        let fired = api.runs(Some("tick")).await?.len();
        if fired >= 2 { Ok(()) } else { Err(fired.to_string()) }
    })
    .await;
    let first = api.runs(Some("tick")).await.unwrap().pop().unwrap();
    log.rests("tick", first["id"].as_str().unwrap());
    wait_until(BOUND, "all has ended", async || {
        let open: Vec<Value> =
            api.runs(None).await?.into_iter().filter(|run| run["state"] == "running").collect();
        if open.is_empty() { Ok(()) } else { Err(format!("{open:?}")) }
    })
    .await;
}

/// Brings runs into each state in which they stay.
async fn rest(stage: &Stage<'_>, apis: &[Api; 2], workers: &mut [Process], log: &mut Log) {
    let [api, other] = apis;
    for (name, submission) in [
        ("delayed", json!({"workflow": "report", "delay": "2h", "idempotency_key": "later"})),
        ("at", json!({"run": "true", "at": "2031-03-01T08:00:00+08:00", "labels": {"a": "b"}})),
    ] {
        log.rests(name, &api.submit(&submission).await);
    }
    let backing_off = other.trigger("backing_off").await;
    wait_until(BOUND, "it backs off", async || {
        let run = api.run(&backing_off).await;
        let first = &run["steps"][0];
        if first["state"] == "waiting" && first["attempt"] == 1 { Ok(()) } else { Err(run.to_string()) }
    })
    .await;
    log.rests("backing off", &backing_off);

    // The run of a workflow that is gone.
    let gone = api.trigger("gone").await;
    log.ends("gone", &gone, "succeeded");
    for api in apis {
        api.delete("/api/v1/workflows/gone").await;
    }
    let halfway = api.trigger("halfway").await;
    api.step_is(&halfway, "second", "queued", BOUND).await;
    log.ends("halfway", &halfway, "succeeded");

    // A second attempt that nobody claims: the worker of its pool is gone by then.
    let again = json!({"run": "test \"$MILLRACE_ATTEMPT\" -ge 2", "pool": "short", "retry": {"limit": 1, "delay": "4s"}});
    let again = api.submit(&again).await;
    wait_until(BOUND, "the first attempt has failed", async || {
        let run = api.run(&again).await;
        let first = &run["steps"][0];
        if first["state"] == "waiting" && first["attempt"] == 1 { Ok(()) } else { Err(run.to_string()) }
    })
    .await;
    workers[1].sigterm();
    workers[1].ends(BOUND).await;
    stage.record_is(&again, "t0:2", 'q').await;
    log.ends("again", &again, "succeeded");

    // Attempts that are lost with their worker: one that is dispatched again, one that must not be.
    let lost = json!({"run": ENDLESS_AT_FIRST, "pool": "frail"});
    let lost = api.submit(&lost).await;
    let once = api.submit(&json!({"run": "sleep 600", "pool": "frail", "at_most_once": true})).await;
    for run in [&lost, &once] {
        stage.record_is(run, "t0:1", 'c').await;
    }
    workers[2].kill9();
    stage.record_is(&lost, "t0:2", 'q').await;
    let ended = api.ended(&once, BOUND).await;
    assert_eq!(ended["state"], "failed", "{ended}");
    log.ends("lost", &lost, "succeeded");
    log.rests("lost at most once", &once);
}

/// Sends messages astray, so that workers tell producers of it.
async fn stray(stage: &Stage<'_>, apis: &[Api; 2], amqp: &Amqp, traffic: &mut Traffic) {
    let [api, _] = apis;
    // A copy of a task that another worker has claimed.
    let busy = api.submit(&json!({"run": "sleep 600"})).await;
    stage.record_is(&busy, "t0:1", 'c').await;
    copy(amqp, traffic, &busy, "tasks.cold").await;
    // A task whose run is gone.
    let orphan = api.submit(&json!({"run": "true", "pool": "nobody"})).await;
    stage.record_is(&orphan, "t0:1", 'q').await;
    let mut connection = redis::Client::open(stage.redis_url.as_str()).unwrap().get_connection().unwrap();
    let keys: Vec<String> = connection.keys(format!("{PREFIX}:*:run:{orphan}")).unwrap();
    let kept: Vec<(String, String)> = redis::cmd("HGETALL").arg(&keys[0]).query(&mut connection).unwrap();
    let _: () = connection.del(&keys[0]).unwrap();
    copy(amqp, traffic, &orphan, "tasks.default").await;
    for kind in ["held", "orphan"] {
        let kind = json!(kind);
        wait_until(BOUND, &format!("{kind} is told"), async || {
            let all = traffic.all().await;
            let tells = |message: &Value| {
                message["body"].as_str().is_some_and(|body| body.contains(&format!("\"kind\":{kind}")))
            };
            if all.iter().any(tells) { Ok(()) } else { Err(format!("{} messages", all.len())) }
        })
        .await;
    }
    let _: () = connection.hset_multiple(&keys[0], &kept).unwrap();
    for run in [busy, orphan] {
        api.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).await;
        api.ended(&run, BOUND).await;
    }
}

/// Publishes the task of a run once more.
async fn copy(amqp: &Amqp, traffic: &mut Traffic, run: &str, key: &str) {
    let task = wait_until(BOUND, "its task is published", async || {
        let all = traffic.all().await;
        let is_its = |message: &&Value| {
            message["key"].as_str().is_some_and(|key| key.starts_with("tasks."))
                && message["body"].as_str().is_some_and(|body| body.contains(run))
        };
        let task = all.iter().find(is_its);
        task.map(|task| task["body"].as_str().unwrap().to_owned()).ok_or_else(|| "none".to_owned())
    })
    .await;
    amqp.publish(key, task.as_bytes(), BasicProperties::default()).await;
}

/// Has an ended run with a key pinned: as if it could be forgotten now, before its key may.
async fn pin(stage: &Stage<'_>, log: &Log) {
    let mut connection = redis::Client::open(stage.redis_url.as_str()).unwrap().get_connection().unwrap();
    let run = log.id("keyed 0");
    let ended: Vec<String> = connection.keys(format!("{PREFIX}:*:ended")).unwrap();
    let holds = |key: &&String| {
        let score: Option<f64> = redis::cmd("ZSCORE").arg(*key).arg(run).query(&mut connection).unwrap();
        score.is_some()
    };
    let ended = ended.iter().find(holds).unwrap().clone();
    let _: () = connection.zadd(&ended, run, now() - 1_000).unwrap();
    let pinned = ended.replace(":ended", ":pinned");
    wait_until(2 * BOUND, "a keyed run is pinned", async || {
        let count: usize = redis::cmd("ZCARD").arg(&pinned).query(&mut connection).unwrap();
        if count > 0 { Ok(()) } else { Err("none".to_owned()) }
    })
    .await;
}

/// Brings runs into states that soon change.
async fn under_way(stage: &Stage<'_>, apis: &[Api; 2], workers: &mut [Process], log: &mut Log) {
    let [api, other] = apis;
    let frozen = api.submit(&json!({"run": "sleep 600", "pool": "cold"})).await;
    let claimed = api.submit(&json!({"run": ENDLESS_AT_FIRST})).await;
    let once = api.submit(&json!({"run": "sleep 600", "at_most_once": true})).await;
    for run in [&frozen, &claimed, &once] {
        stage.record_is(run, "t0:1", 'c').await;
    }
    log.ends("claimed", &claimed, "succeeded");
    log.ends("claimed at most once", &once, "failed");
    log.ends("expiring", &other.trigger("expiring").await, "timed_out");
    log.ends("soon", &api.submit(&json!({"run": "true", "delay": "40s"})).await, "succeeded");
    let retried = json!({"run": "test \"$MILLRACE_ATTEMPT\" -ge 2", "retry": {"limit": 1, "delay": "45s"}});
    log.ends("retried soon", &api.submit(&retried).await, "succeeded");
    let finishing = api.trigger("finishing").await;
    stage.record_is(&finishing, "t0:1", 'c').await;
    log.ends("finishing", &finishing, "succeeded");
    // Its worker neither ends it nor says so.
    workers[3].sigstop();
    api.post(&format!("/api/v1/runs/{frozen}/cancel"), &json!({})).await;
    log.ends("stopping", &frozen, "cancelled");
}

/// Kills the producers while one of them cancels a run, between taking its attempt back and storing that.
async fn stop_in_the_middle(
    stage: &Stage<'_>,
    api: &Api,
    proxies: &[Proxy; 2],
    producers: &mut [Process; 2],
    log: &mut Log,
) {
    let revoked = api.submit(&json!({"run": "true", "pool": "idle"})).await;
    stage.record_is(&revoked, "t0:1", 'q').await;
    log.ends("revoked", &revoked, "cancelled");
    proxies.iter().for_each(|proxy| proxy.set(Mode::Delay(SLOW)));
    let (asked, path) = (api.clone(), format!("/api/v1/runs/{revoked}/cancel"));
    tokio::spawn(async move {
        let _ = asked.try_post(&path, &json!({})).await;
    });
    stage.record_is(&revoked, "t0:1", 'x').await;
    producers.iter_mut().for_each(Process::kill9);
}
