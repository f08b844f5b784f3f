//! The fleet: who works, and what waits.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use millrace_broker::Queue;
use millrace_domain::Timestamp;
use serde_json::{Value, json};

use super::error::ApiResult;
use super::pools::{self, Served};
use super::sessions::{live, state};
use super::state::Api;
use super::summary::PausedView;

/// The workers.
pub(super) async fn list(State(api): State<Api>) -> ApiResult<Json<Value>> {
    let sessions = live(api.context.store.sessions().await?);
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
                "state": state(&session),
                "labels": session.labels,
                "started_at": Timestamp::from_millis(session.started_at).to_string(),
            })
        })
        .collect();
    Ok(Json(json!({ "workers": workers })))
}

/// The queues of the pools that are served or paused, or that attempts wait for.
pub(super) async fn queues(State(api): State<Api>) -> ApiResult<Json<Value>> {
    let sessions = live(api.context.store.sessions().await?);
    let mut pools: BTreeSet<String> = sessions.iter().flat_map(|session| session.pools.clone()).collect();
    pools.insert("default".to_owned());
    pools.extend(pools::waited_for(&api.context).await?);
    let paused = api.context.store.paused_pools().await?;
    pools.extend(paused.iter().map(|paused| paused.pool.to_string()));
    let served = Served::by(sessions.clone(), paused);
    let mut queues = Vec::new();
    for pool in pools {
        if let Ok(depth) = api.context.broker.depth(&Queue::Tasks(pool.clone())).await {
            let slots: u32 = sessions.iter().filter(|s| s.pools.contains(&pool)).map(|s| s.slots).sum();
            queues.push(json!({
                "pool": pool,
                "ready": depth.ready,
                "consumers": depth.consumers,
                "slots": slots,
                "reason": served.why_not(&pool),
                "paused": served.paused(&pool).map(PausedView::of_pool),
            }));
        }
    }
    Ok(Json(json!({ "queues": queues })))
}
