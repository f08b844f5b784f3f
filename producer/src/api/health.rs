//! Is it alive, is it ready, and what has it done?

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use millrace_broker::Queue;
use millrace_domain::Priority;
use millrace_store::Session;

use super::pools;
use super::sessions::{STATES, live, state};
use super::state::Api;

/// The process runs.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// Says whether the producer can do its work: the broker and the store answer, and it owns what it should.
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
        let sessions = live(sessions);
        // A pool that attempts wait for and nobody serves has no workers, which is what to watch for.
        let waited_for = pools::waited_for(&api.context).await.unwrap_or_default();
        let served = sessions.iter().flat_map(|session| session.pools.iter().cloned());
        for pool in api.counted.with(served.chain(waited_for)) {
            for one in STATES {
                let serves = |session: &&Session| session.pools.contains(&pool) && state(session) == one;
                let count = sessions.iter().filter(serves).count();
                metrics::gauge!("millrace_workers", "pool" => pool.clone(), "state" => one).set(count as f64);
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
