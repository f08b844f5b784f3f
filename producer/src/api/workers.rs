//! The fleet: who works, and what waits.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use millrace_broker::Queue;
use millrace_domain::Timestamp;
use millrace_store::{SESSION_LEASE_MS, Session};
use serde_json::{Value, json};

use super::error::ApiResult;
use super::pools::{self, Served};
use super::routes::Api;

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

/// A worker that was not heard of for so long is left out: it is gone, or as good as.
const SILENT_MS: u64 = 60_000;

/// What a worker can be doing, in words.
pub(super) const STATES: [&str; 3] = ["up", "draining", "silent"];

/// The sessions of workers that were heard of lately, by the store's clock: for people. Whether a session is over,
/// and its tasks with it, is decided by watching it.
pub(super) fn live(mut sessions: Vec<Session>) -> Vec<Session> {
    sessions.retain(|session| session.silent_ms.is_none_or(|silent_ms| silent_ms < SILENT_MS));
    sessions.sort_by(|a, b| (&a.host, a.pid).cmp(&(&b.host, b.pid)));
    sessions
}

/// What a worker does, in one of the [`STATES`]. One that was renewed ahead of the store's clock, which was set back,
/// has yet to show that it lives.
pub(super) fn state(session: &Session) -> &'static str {
    match session.silent_ms {
        Some(silent_ms) if silent_ms <= SESSION_LEASE_MS => match session.draining {
            true => "draining",
            false => "up",
        },
        Some(_) | None => "silent",
    }
}

/// The queues of the pools that are served, or that attempts wait for.
pub(super) async fn queues(State(api): State<Api>) -> ApiResult<Json<Value>> {
    let sessions = live(api.context.store.sessions().await?);
    let mut pools: BTreeSet<String> = sessions.iter().flat_map(|session| session.pools.clone()).collect();
    pools.insert("default".to_owned());
    pools.extend(pools::waited_for(&api.context).await?.into_iter().map(String::from));
    let served = Served::by(sessions.clone());
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
            }));
        }
    }
    Ok(Json(json!({ "queues": queues })))
}

#[cfg(test)]
mod tests {
    use millrace_domain::SessionId;
    use uuid::Uuid;

    use super::*;

    fn session(host: &str, silent_ms: Option<u64>) -> Session {
        Session {
            id: SessionId(Uuid::new_v4()),
            count: 1,
            host: host.into(),
            pid: 1,
            pools: vec![],
            slots: 1,
            running: 0,
            draining: false,
            started_at: 0,
            silent_ms,
            labels: vec![],
        }
    }

    #[test]
    fn a_worker_is_listed_by_how_long_the_store_has_not_heard_of_it() {
        let all = [("works", Some(2_000)), ("killed", Some(9_001)), ("gone", Some(60_000)), ("ahead", None)];
        let listed = live(all.map(|(host, silent_ms)| session(host, silent_ms)).to_vec());
        let states: Vec<_> = listed.iter().map(|session| (session.host.as_str(), state(session))).collect();
        assert_eq!(states, [("ahead", "silent"), ("killed", "silent"), ("works", "up")]);
        let leaves = Session { draining: true, ..session("leaves", Some(9_000)) };
        assert_eq!(state(&leaves), "draining");
    }
}
