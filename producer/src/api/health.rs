//! Is it alive, is it ready, and what has it done?

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use millrace_broker::Queue;
use millrace_domain::Priority;
use millrace_store::Session;

use super::routes::Api;
use super::{pools, workers};

/// The process runs.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// It can do its work: the broker and the store answer, and it owns what it should.
pub(super) async fn ready(State(api): State<Api>) -> Response {
    let mut missing = Vec::new();
    if !*api.context.broker.ready().borrow() {
        missing.push("the broker is not connected".to_owned());
    }
    if let Err(error) = api.context.store.now().await {
        missing.push(error.to_string());
    }
    if let Some(why) = api.context.condition.why_unfit() {
        missing.push(why);
    }
    if missing.is_empty() && api.context.owned.borrow().is_empty() {
        missing.push("no partition is ours yet".to_owned());
    }
    let takes_in = api.context.backpressure.why_stopped().is_none();
    if missing.is_empty() && takes_in && !api.context.open.load(Ordering::Acquire) {
        missing.push("the queue of submissions is not there yet".to_owned());
    }
    if missing.is_empty() {
        missing.extend(api.context.attendance.complaint());
    }
    if !missing.is_empty() {
        let why = format!("not ready: {}\n", missing.join("; "));
        return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    }
    // It serves all that has begun: nobody should be sent elsewhere.
    let stopped = api.context.backpressure.why_stopped().map(|why| format!("intake is stopped: {why}"));
    let blocked = api
        .context
        .broker
        .blocked()
        .borrow()
        .as_ref()
        .map(|why| format!("the broker blocks publishers: {why}"));
    let but: Vec<String> =
        [stopped, blocked, api.context.condition.what_is_lost()].into_iter().flatten().collect();
    let ready = match but.is_empty() {
        true => "ready\n".to_owned(),
        false => format!("ready, but {}\n", but.join("; ")),
    };
    (StatusCode::OK, ready).into_response()
}

/// Prometheus text.
pub(super) async fn metrics(State(api): State<Api>) -> Response {
    let Some(handle) = millrace_runtime::telemetry::metrics_handle() else {
        return (StatusCode::NOT_FOUND, "no metrics recorder in this process\n").into_response();
    };
    let is_blocked = api.context.broker.blocked().borrow().is_some();
    metrics::gauge!("millrace_broker_blocked").set(f64::from(u8::from(is_blocked)));
    if let Ok(sessions) = api.context.store.sessions().await {
        let sessions = workers::live(sessions);
        // A pool that attempts wait for and nobody serves has no workers, which is what to watch for.
        let waited_for = pools::waited_for(&api.context).await.unwrap_or_default();
        let served = sessions.iter().flat_map(|session| session.pools.iter().cloned());
        for pool in api.counted.with(served.chain(waited_for.into_iter().map(String::from))) {
            for state in workers::STATES {
                let serves =
                    |session: &&Session| session.pools.contains(&pool) && workers::state(session) == state;
                let count = sessions.iter().filter(serves).count();
                metrics::gauge!("millrace_workers", "pool" => pool.clone(), "state" => state)
                    .set(count as f64);
            }
            if let Ok(depth) = api.context.broker.depth(&Queue::Tasks(pool.clone())).await {
                // A classic priority queue tells its whole depth only.
                let priority = format!("{}-{}", Priority::P0, Priority::P3);
                metrics::gauge!("millrace_queue_depth", "pool" => pool, "priority" => priority)
                    .set(depth.ready as f64);
            }
        }
    }
    handle.render().into_response()
}

/// Pools that workers were counted of, or that attempts waited for. A gauge keeps what it was set to: without its last worker, a pool has to be
/// counted all the same.
#[derive(Clone, Default)]
pub(crate) struct Counted(Arc<Mutex<BTreeSet<String>>>);

impl Counted {
    /// These, and those that there were the last time: what has gone is counted once more, and then forgotten.
    fn with(&self, now: impl Iterator<Item = String>) -> BTreeSet<String> {
        match self.0.lock() {
            Ok(mut pools) => {
                let before = std::mem::replace(&mut *pools, now.collect());
                pools.union(&before).cloned().collect()
            }
            Err(_) => now.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_whose_last_worker_has_gone_is_still_counted() {
        let counted = Counted::default();
        let gpu = || std::iter::once("gpu".to_owned());
        assert!(counted.with(std::iter::empty()).is_empty());
        assert_eq!(counted.with(gpu()), gpu().collect());
        assert_eq!(counted.with(std::iter::empty()), gpu().collect());
        assert!(counted.with(std::iter::empty()).is_empty(), "clients choose the names of pools");
    }
}
