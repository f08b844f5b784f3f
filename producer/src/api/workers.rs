//! The fleet: who works, and what waits.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use millrace_broker::Queue;
use millrace_domain::Timestamp;
use millrace_store::{SESSION_LEASE_MS, Session};
use serde_json::{Value, json};

use super::error::ApiResult;
use super::routes::Api;

/// The workers.
pub(super) async fn list(State(api): State<Api>) -> ApiResult<Json<Value>> {
    let now = api.context.now();
    let sessions = live(api.context.store.sessions().await?, now);
    let workers: Vec<Value> = sessions
        .into_iter()
        .map(|session| {
            json!({
                "id": session.id.to_string(),
                "host": session.host,
                "pid": session.pid,
                "pools": session.pools,
                "slots": session.slots,
                "running": session.running,
                "state": state(&session, now),
                "labels": session.labels,
                "started_at": Timestamp::from_millis(session.started_at).to_string(),
            })
        })
        .collect();
    Ok(Json(json!({ "workers": workers })))
}

/// A worker that was not heard of for so long is left out: it is gone, or as good as.
const SILENT: Duration = Duration::from_secs(60);

/// The sessions of workers that were heard of lately, by their own clocks: for people. Whether a session is over,
/// and its tasks with it, is decided by watching it.
pub(super) fn live(mut sessions: Vec<Session>, now: Timestamp) -> Vec<Session> {
    sessions.retain(|session| now.since(Timestamp::from_millis(session.renewed_at)) < SILENT);
    sessions.sort_by(|a, b| (&a.host, a.pid).cmp(&(&b.host, b.pid)));
    sessions
}

/// What a worker does, in a word.
pub(super) fn state(session: &Session, now: Timestamp) -> &'static str {
    let silent = now.since(Timestamp::from_millis(session.renewed_at));
    match () {
        () if silent > Duration::from_millis(SESSION_LEASE_MS) => "silent",
        () if session.draining => "draining",
        () => "up",
    }
}

/// The queues of the pools that are served, or were asked for.
pub(super) async fn queues(State(api): State<Api>) -> ApiResult<Json<Value>> {
    let sessions = live(api.context.store.sessions().await?, api.context.now());
    let mut pools: BTreeSet<String> = sessions.iter().flat_map(|session| session.pools.clone()).collect();
    pools.insert("default".to_owned());
    let mut queues = Vec::new();
    for pool in pools {
        if let Ok(depth) = api.context.broker.depth(&Queue::Tasks(pool.clone())).await {
            let slots: u32 = sessions.iter().filter(|s| s.pools.contains(&pool)).map(|s| s.slots).sum();
            queues.push(json!({
                "pool": pool,
                "ready": depth.ready,
                "consumers": depth.consumers,
                "slots": slots,
            }));
        }
    }
    Ok(Json(json!({ "queues": queues })))
}
