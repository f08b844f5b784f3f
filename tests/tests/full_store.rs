//! Redis runs out of memory: nothing new is taken in, whoever brings it is told so or waits, what has begun goes on
//! to its end, and when there is room again everything that waited is done.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::time::Duration;

use millrace_servers::{RabbitMq, Redis};
use millrace_tests::{Api, Fleet, Kind, wait_until};
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn intake_stops_before_memory_is_full_and_what_has_begun_ends() {
    let (rabbitmq, redis) = (RabbitMq::start(&[]), Redis::start(&[]));
    let fleet = Fleet::on(rabbitmq.url(), redis.url());
    let producer = fleet.producer().await;
    let api = producer.api();
    let _worker = fleet.worker(&["--concurrency", "4"]).await;
    let (go, marks) = (fleet.folder().join("go"), fleet.marks("tasks"));
    let wait = format!("while [ ! -e {} ]; do sleep 0.05; done", go.display());

    let definition = format!(
        "name: two\nsteps:\n  - name: first\n    run: {wait}\n  - name: second\n    depends_on: [first]\n    run: exit 0\n"
    );
    let running = api.submit(&json!({ "definition": definition })).await;
    let cancelled = api.submit(&json!({"run": "sleep 600"})).await;
    for (run, step) in [(&running, "first"), (&cancelled, "adhoc")] {
        wait_until(SOON, "both run", async || {
            let run = api.run(run).await;
            match run["steps"].as_array().unwrap().iter().any(|step| step["state"] == "running") {
                true => Ok(()),
                false => Err(format!("{step}: {run}")),
            }
        })
        .await;
    }

    // Nine tenths full: above the mark, below the limit.
    let used = used_memory(&redis).await;
    ask(&redis, &["CONFIG", "SET", "maxmemory", &(used * 10 / 9).to_string()]).await;
    let ready = stopped(api).await;
    assert!(ready.contains("the store holds") && ready.contains("maxmemory"), "{ready}");

    // A client is told, and when to try again.
    let response =
        api.request(Method::POST, "/api/v1/runs").json(&json!({"run": "exit 0"})).send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    let refusal: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(refusal["error"]["code"], "store-full", "{refusal}");
    let many = json!([{"run": "exit 0"}, {"run": "exit 0"}]);
    assert_eq!(api.send(Method::POST, "/api/v1/runs", Some(&many)).await.unwrap().0, 503);

    // A message that nobody waits for stays the broker's.
    let amqp = fleet.amqp().await;
    amqp.submit(&json!({"run": marks.mark(Kind::Start), "idempotency_key": "one"})).await;
    amqp.submit(&json!([{"run": marks.mark(Kind::Start)}, {"run": marks.mark(Kind::Start)}])).await;

    // What has begun goes on: a result, the step after it, a cancel.
    std::fs::write(&go, "").unwrap();
    assert_eq!(api.ended(&running, SOON).await["state"], "succeeded");
    api.post(&format!("/api/v1/runs/{cancelled}/cancel"), &json!({})).await;
    assert_eq!(api.ended(&cancelled, SOON).await["state"], "cancelled");
    assert_eq!(marks.read().len(), 0, "nothing new was taken in");
    assert!(stopped(api).await.contains("stopped"));

    ask(&redis, &["CONFIG", "SET", "maxmemory", "0"]).await;
    wait_until(SOON, "what waited has run", async || match marks.read().len() {
        3 => Ok(()),
        count => Err(format!("{count} of 3")),
    })
    .await;
    let id = api.submit(&json!({"run": "exit 0"})).await;
    assert_eq!(api.ended(&id, SOON).await["state"], "succeeded");
    assert_eq!(amqp.ready("rejected").await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_room_at_all_results_and_cancels_pass_by_what_is_refused_and_fires_come_later() {
    let (rabbitmq, redis) = (RabbitMq::start(&[]), Redis::start(&[]));
    let fleet = Fleet::on(rabbitmq.url(), redis.url());
    let producer = fleet.producer().await;
    let api = producer.api();
    let _worker = fleet.worker(&["--concurrency", "4"]).await;
    let fires = fleet.marks("fires");
    api.apply(&format!(
        "name: often\nschedule: {{every: 1s}}\nsteps:\n  - name: tick\n    run: {}\n",
        fires.mark(Kind::Start)
    ))
    .await;
    let running = api.submit(&json!({"run": "sleep 3"})).await;
    wait_until(SOON, "it runs and the schedule fires", async || {
        let run = api.run(&running).await;
        match run["steps"][0]["state"] == "running" && !fires.read().is_empty() {
            true => Ok(()),
            false => Err(run.to_string()),
        }
    })
    .await;

    // At once, with no time to see it come: creations meet the refusal of Redis itself, in the same batches as
    // the result.
    ask(&redis, &["CONFIG", "SET", "maxmemory", "1"]).await;
    let amqp = fleet.amqp().await;
    for n in 0..20 {
        amqp.submit(&json!({"run": "exit 0", "idempotency_key": format!("{n}")})).await;
    }
    assert_eq!(api.send(Method::POST, "/api/v1/runs", Some(&json!({"run": "exit 0"}))).await.unwrap().0, 503);
    assert_eq!(api.ended(&running, SOON).await["state"], "succeeded");
    let ready = stopped(api).await;
    assert!(ready.contains("maxmemory"), "{ready}");
    let fired = fires.read().len();

    ask(&redis, &["CONFIG", "SET", "maxmemory", "0"]).await;
    wait_until(SOON, "the schedule fires again, and what waited has ended", async || {
        let runs = api.runs(None).await?;
        let ended =
            runs.iter().filter(|run| run["workflow"] == "adhoc" && run["state"] == "succeeded").count();
        match ended == 21 && fires.read().len() >= fired + 2 {
            true => Ok(()),
            false => Err(format!("{ended} of 21 ended, {} fires after {fired}", fires.read().len())),
        }
    })
    .await;
}

/// Waits until intake is stopped, and returns what `/readyz` says. The producer is ready all the time.
async fn stopped(api: &Api) -> String {
    wait_until(SOON, "intake is stopped", async || {
        let ready = api.get("/readyz").await;
        let text = ready.as_str().unwrap_or_default().to_owned();
        if text.contains("intake is stopped") { Ok(text) } else { Err(text) }
    })
    .await
}

async fn used_memory(redis: &Redis) -> u64 {
    let answer = ask(redis, &["INFO", "memory"]).await;
    let info: String = redis::from_redis_value(answer).unwrap();
    info.lines().find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok()).unwrap()
}

/// Sends Redis a command past the product.
async fn ask(redis: &Redis, words: &[&str]) -> redis::Value {
    let client = redis::Client::open(redis.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await.unwrap()
}
