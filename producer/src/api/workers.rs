//! The fleet: who works, and what waits.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use millrace_broker::Queue;
use millrace_domain::Timestamp;
use millrace_store::Session;
use serde_json::{Value, json};

use super::error::ApiResult;
use super::routes::Api;

/// The workers.
pub(super) async fn list(State(api): State<Api>) -> ApiResult<Json<Value>> {
    let sessions = live(api.context.store.sessions().await?, api.context.now());
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
                "state": if session.draining { "draining" } else { "up" },
                "labels": session.labels,
                "started_at": Timestamp::from_millis(session.started_at).to_string(),
            })
        })
        .collect();
    Ok(Json(json!({ "workers": workers })))
}

/// Sessions as the store knows them. Whether one is over, only watching tells; the store forgets those that ended.
pub(super) fn live(mut sessions: Vec<Session>, _now: Timestamp) -> Vec<Session> {
    sessions.sort_by(|a, b| (&a.host, a.pid).cmp(&(&b.host, b.pid)));
    sessions
}

/// The queues of the pools that are served, or were asked for.
pub(super) async fn queues(State(api): State<Api>) -> ApiResult<Json<Value>> {
    let sessions = api.context.store.sessions().await?;
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
