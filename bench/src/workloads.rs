//! What is measured.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use serde_json::json;
use uuid::Uuid;

use crate::fleet::Fleet;
use crate::{Failure, amqp};

/// How long one workload may take.
const BOUND: Duration = Duration::from_secs(120);

/// The raw limit: publish with confirms, consume, ack in multiples, at the same time. Messages a second.
pub(crate) async fn raw(fleet: &Fleet, count: usize) -> Result<f64, Failure> {
    let queue = format!("raw.{}", Uuid::new_v4().simple());
    let (_publishing, out) = amqp::channel(&fleet.amqp_url).await?;
    let (_consuming, channel) = amqp::channel(&fleet.amqp_url).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-priority".into(), AMQPValue::LongInt(3));
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.as_str().into(), durable, arguments).await?;
    channel.basic_qos(1_000, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let consumer =
        channel.basic_consume(queue.as_str().into(), "".into(), options, FieldTable::default()).await?;
    let began = Instant::now();
    let publish = amqp::publish(&out, "", &queue, (0..count).map(|_| task_body()));
    let consume = async {
        let (mut seen, mut chunks) = (0, consumer.ready_chunks(64));
        while seen < count {
            let Some(chunk) = chunks.next().await else { return Err(Failure::from("the consumer ended")) };
            seen += chunk.len();
            if let Some(last) = chunk.into_iter().next_back() {
                last?.acker.ack(BasicAckOptions { multiple: true }).await?;
            }
        }
        Ok(())
    };
    let both = async { tokio::try_join!(publish, consume) };
    tokio::time::timeout(BOUND, both).await??;
    let took = began.elapsed().as_secs_f64();
    channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await?;
    Ok(count as f64 / took)
}

fn task_body() -> Vec<u8> {
    json!({"v": 1, "uses": "noop", "labels": {"pad": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}})
        .to_string()
        .into_bytes()
}

/// No-op tasks from the first publish to the last result in the store. Tasks a second.
pub(crate) async fn tasks(fleet: &Fleet, count: usize, in_arrays_of: usize) -> Result<f64, Failure> {
    let (_connection, channel) = amqp::channel(&fleet.amqp_url).await?;
    let before = fleet.ended().await?;
    let body = String::from_utf8(task_body())?;
    let payload = if in_arrays_of == 1 { body } else { format!("[{}]", vec![body; in_arrays_of].join(",")) };
    let began = Instant::now();
    let payloads = (0..count / in_arrays_of).map(|_| payload.clone().into_bytes());
    let publish = amqp::publish(&channel, &fleet.prefix, "submit", payloads);
    let wait = async {
        while fleet.ended().await? < before + count / in_arrays_of * in_arrays_of {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    };
    let both = async { tokio::try_join!(publish, wait) };
    tokio::time::timeout(BOUND, both).await??;
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

/// From the publish of a submission to the start of its task, at a steady rate: median and 99th percentile, in
/// milliseconds. The worker's stamps are whole milliseconds of the same machine's clock.
pub(crate) async fn latency(fleet: &Fleet, per_second: u64, count: usize) -> Result<(f64, f64), Failure> {
    let (_connection, channel) = amqp::channel(&fleet.amqp_url).await?;
    let mut tick = tokio::time::interval(Duration::from_millis(1_000 / per_second));
    let mut sent = Vec::new();
    for _ in 0..count {
        tick.tick().await;
        let stamp = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros() as f64 / 1e3;
        let label = Uuid::new_v4().to_string();
        let body = json!({"v": 1, "uses": "noop", "labels": {"bench": label}}).to_string().into_bytes();
        amqp::publish(&channel, &fleet.prefix, "submit", std::iter::once(body)).await?;
        sent.push((label, stamp));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let page = fleet.get("/api/v1/runs?limit=500").await?;
    let mut waits = Vec::new();
    for run in page["runs"].as_array().into_iter().flatten() {
        let label = run["labels"]["bench"].as_str().unwrap_or_default();
        let Some((_, stamp)) = sent.iter().find(|(sent, _)| sent == label) else { continue };
        let run = fleet.get(&format!("/api/v1/runs/{}", run["id"].as_str().unwrap_or_default())).await?;
        let started = run["steps"][0]["started_at"].as_str().unwrap_or_default();
        waits.push(
            millis_of_day(started).ok_or("a task that did not start")? - stamp.rem_euclid(86_400_000.0) + 0.5,
        );
    }
    if waits.len() < count.min(500) {
        return Err(format!("only {} of {count} tasks were found", waits.len()).into());
    }
    waits.sort_by(f64::total_cmp);
    Ok((waits[waits.len() / 2], waits[waits.len() * 99 / 100]))
}

/// Milliseconds since midnight of an RFC 3339 instant in UTC.
fn millis_of_day(text: &str) -> Option<f64> {
    let time = text.split_once('T')?.1.strip_suffix('Z')?;
    let mut parts = time.split(':').map(str::parse::<f64>);
    let mut next = || parts.next()?.ok();
    Some(((next()? * 60.0 + next()?) * 60.0 + next()?) * 1e3)
}

/// A chain of no-op steps, from the request to the end of the run. Milliseconds.
pub(crate) async fn chain(fleet: &Fleet, steps: usize) -> Result<f64, Failure> {
    let step = |n: usize| match n {
        0 => json!({"name": "s0", "uses": "noop"}),
        n => json!({"name": format!("s{n}"), "uses": "noop", "depends_on": [format!("s{}", n - 1)]}),
    };
    run(fleet, (0..steps).map(step).collect()).await
}

/// One step, then many at once, then one. Milliseconds.
pub(crate) async fn fan(fleet: &Fleet, width: usize) -> Result<f64, Failure> {
    let names: Vec<String> = (0..width).map(|n| format!("s{n}")).collect();
    let mut steps = vec![json!({"name": "first", "uses": "noop"})];
    steps.extend(names.iter().map(|name| json!({"name": name, "uses": "noop", "depends_on": ["first"]})));
    steps.push(json!({"name": "last", "uses": "noop", "depends_on": names}));
    run(fleet, steps).await
}

/// Runs a workflow, and answers how long it took by its own stamps: created to ended.
async fn run(fleet: &Fleet, steps: Vec<serde_json::Value>) -> Result<f64, Failure> {
    let id = fleet.run(json!({"name": "bench", "steps": steps}).to_string()).await?;
    let deadline = Instant::now() + BOUND;
    loop {
        let run = fleet.get(&format!("/api/v1/runs/{id}")).await?;
        if let Some(ended) = run["ended_at"].as_str() {
            let created = run["created_at"].as_str().unwrap_or_default();
            let stamps = millis_of_day(ended).zip(millis_of_day(created));
            return stamps.map(|(ended, created)| ended - created).ok_or_else(|| "no stamps".into());
        }
        if Instant::now() > deadline {
            return Err(format!("run {id} has not ended").into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
