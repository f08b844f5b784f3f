//! Is it alive, is it ready, and what has it done?

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use millrace_broker::Queue;
use millrace_domain::Priority;

use super::routes::Api;
use super::workers;

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
    if missing.is_empty() && api.context.owned.borrow().is_empty() {
        missing.push("no partition is ours yet".to_owned());
    }
    let takes_in = api.context.room.why_stopped().is_none();
    if missing.is_empty() && takes_in && !api.context.open.load(Ordering::Acquire) {
        missing.push("the queue of submissions is not there yet".to_owned());
    }
    match missing.is_empty() {
        // It serves all that has begun: nobody should be sent elsewhere.
        true => match api.context.room.why_stopped() {
            None => (StatusCode::OK, "ready\n".to_owned()).into_response(),
            Some(why) => (StatusCode::OK, format!("ready, but intake is stopped: {why}\n")).into_response(),
        },
        false => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", missing.join("; "))).into_response()
        }
    }
}

/// Prometheus text.
pub(super) async fn metrics(State(api): State<Api>) -> Response {
    let Some(handle) = millrace_runtime::telemetry::metrics_handle() else {
        return (StatusCode::NOT_FOUND, "no metrics recorder in this process\n").into_response();
    };
    if let Ok(sessions) = api.context.store.sessions().await {
        let mut by_pool = std::collections::BTreeMap::<(String, &str), u32>::new();
        let now = api.context.now();
        for session in workers::live(sessions, now) {
            let state = workers::state(&session, now);
            for pool in session.pools {
                *by_pool.entry((pool, state)).or_default() += 1;
            }
        }
        for ((pool, state), count) in &by_pool {
            metrics::gauge!("millrace_workers", "pool" => pool.clone(), "state" => *state)
                .set(f64::from(*count));
        }
        for pool in by_pool.into_keys().map(|(pool, _)| pool) {
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
