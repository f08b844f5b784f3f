//! W2: from the submission to the start of its task, at a steady rate.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::amqp;
use crate::api::{Api, millis};
use crate::failure::Failure;
use crate::fleet::{Fleet, PREFIX};
use crate::throughput::BOUND;

/// The number of submissions a second.
pub(crate) const RATE: u64 = 50;

/// The number of runs in one page of a list.
const PAGE: usize = 500;

/// The median and the 99th percentile of some waits, in milliseconds.
pub(crate) struct Waits {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Measures submissions over AMQP, each with a confirm.
pub(crate) async fn over_amqp(fleet: &Fleet, count: usize) -> Result<Waits, Failure> {
    let (_connection, channel) = amqp::channel(&fleet.amqp_url()).await?;
    let before = fleet.api.ended().await?;
    let mut sent = Sent::default();
    let mut tick = tokio::time::interval(Duration::from_millis(1_000 / RATE));
    for _ in 0..count {
        tick.tick().await;
        let body = sent.next().to_string().into_bytes();
        amqp::confirmed(amqp::send(&channel, PREFIX, "submit", &body).await?).await?;
    }
    fleet.api.wait_ended(before + count, BOUND).await?;
    sent.waits(&fleet.api).await
}

/// Measures submissions over REST, each with its answer.
pub(crate) async fn over_rest(api: &Api, count: usize) -> Result<Waits, Failure> {
    let before = api.ended().await?;
    let mut sent = Sent::default();
    let mut tick = tokio::time::interval(Duration::from_millis(1_000 / RATE));
    for _ in 0..count {
        tick.tick().await;
        let body = sent.next();
        api.run(&body).await?;
    }
    api.wait_ended(before + count, BOUND).await?;
    sent.waits(api).await
}

/// The submissions that were sent, by their labels, and when: milliseconds since the epoch.
#[derive(Default)]
struct Sent(HashMap<String, f64>);

impl Sent {
    fn next(&mut self) -> Value {
        let label = Uuid::new_v4().to_string();
        let body = json!({"v": 1, "uses": "noop", "labels": {"bench": label}});
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.0.insert(label, now.as_secs_f64() * 1e3);
        body
    }

    /// Finds the runs, and holds the worker's stamp of each start against the stamp of its submission.
    async fn waits(mut self, api: &Api) -> Result<Waits, Failure> {
        let count = self.0.len();
        let mut found = Vec::new();
        let mut path = format!("/api/v1/runs?limit={PAGE}");
        while !self.0.is_empty() {
            let page = api.get(&path).await?;
            for run in page["runs"].as_array().into_iter().flatten() {
                let label = run["labels"]["bench"].as_str().unwrap_or_default();
                let (Some(sent), Some(id)) = (self.0.remove(label), run["id"].as_str()) else { continue };
                found.push((id.to_owned(), sent));
            }
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/api/v1/runs?limit={PAGE}&cursor={cursor}");
        }
        if found.len() < count {
            return Err(format!("only {} of {count} runs were found", found.len()).into());
        }
        let asked =
            found.into_iter().map(|(id, sent)| async move { started(api, &id).await.map(|at| at - sent) });
        percentiles(stream::iter(asked).buffer_unordered(8).try_collect().await?)
    }
}

/// When the first step of a run was started, by its worker: milliseconds since the epoch. The stamp is a whole
/// millisecond that has begun, so that on the average half a one is missing.
pub(crate) async fn started(api: &Api, id: &str) -> Result<f64, Failure> {
    let run = api.get(&format!("/api/v1/runs/{id}")).await?;
    Ok(millis(&run["steps"][0]["started_at"]).ok_or_else(|| format!("run {id} did not start"))? + 0.5)
}

/// The percentiles of some waits in milliseconds, at least one.
pub(crate) fn percentiles(mut waits: Vec<f64>) -> Result<Waits, Failure> {
    waits.sort_by(f64::total_cmp);
    let at = |share: f64| waits.get((waits.len().saturating_sub(1) as f64 * share) as usize).copied();
    let (p50, p99) = at(0.5).zip(at(0.99)).ok_or("nothing was measured")?;
    Ok(Waits { p50, p99 })
}
