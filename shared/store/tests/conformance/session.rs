//! Presence of workers.

use millrace_store::{PausedPool, Session};

use crate::fixture::*;

on_every_store!(
    a_renewed_session_is_seen_as_it_is,
    a_renewal_replaces_the_one_before,
    an_ended_session_is_not_seen_until_it_is_renewed,
    every_session_is_seen,
    how_long_a_session_is_silent_is_told_by_the_clock_of_the_store,
    a_pool_is_paused_once_and_every_renewal_tells_of_it_until_it_is_resumed,
);

fn presence(count: u64) -> Session {
    Session {
        id: session(),
        count,
        host: "wörker-七".into(),
        pid: 4_242,
        pools: vec!["default".into(), "gpu".into()],
        slots: 16,
        running: 3,
        draining: false,
        started_at: 1_700_000_000_000,
        silent_ms: None,
        labels: vec!["zone=a".into(), "文=本".into()],
    }
}

async fn a_pool_is_paused_once_and_every_renewal_tells_of_it_until_it_is_resumed(store: Given) {
    let paused = |pool: &str, by: &str| PausedPool {
        pool: pool.parse().unwrap(),
        by: by.into(),
        why: "文".into(),
        at: at(7),
    };
    let renew = || async { store.renew_session(&presence(1)).await.unwrap() };
    assert_eq!((renew().await, store.paused_pools().await.unwrap()), (vec![], vec![]));
    let (gpu, default) = (paused("gpu", "ann"), paused("default", ""));
    assert!(store.pause_pool(&gpu).await.unwrap() && store.pause_pool(&default).await.unwrap());
    assert!(!store.pause_pool(&paused("gpu", "bob")).await.unwrap(), "it is paused already");
    let mut told = renew().await;
    told.sort_unstable();
    assert_eq!(told, ["default", "gpu"]);
    assert_eq!(store.paused_pools().await.unwrap(), [default, gpu.clone()]);
    assert!(store.resume_pool(&gpu.pool).await.unwrap());
    assert!(!store.resume_pool(&gpu.pool).await.unwrap(), "it is not paused any more");
    assert_eq!(renew().await, ["default"]);
}

/// What is known of the sessions, but for how long each is silent.
async fn seen(store: &Given) -> Vec<Session> {
    let sessions = store.sessions().await.unwrap();
    sessions.into_iter().map(|session| Session { silent_ms: None, ..session }).collect()
}

async fn a_renewed_session_is_seen_as_it_is(store: Given) {
    assert_eq!(seen(&store).await, []);
    let session = presence(1);
    store.renew_session(&session).await.unwrap();
    assert_eq!(seen(&store).await, [session]);
}

async fn a_renewal_replaces_the_one_before(store: Given) {
    let mut session = presence(1);
    store.renew_session(&session).await.unwrap();
    session = Session { count: 2, running: 0, draining: true, labels: vec![], ..session };
    store.renew_session(&session).await.unwrap();
    store.renew_session(&session).await.unwrap();
    assert_eq!(seen(&store).await, [session]);
}

async fn an_ended_session_is_not_seen_until_it_is_renewed(store: Given) {
    let (stays, goes) = (presence(1), presence(1));
    store.renew_session(&stays).await.unwrap();
    store.renew_session(&goes).await.unwrap();
    store.end_session(goes.id).await.unwrap();
    store.end_session(goes.id).await.unwrap();
    store.end_session(session()).await.unwrap();
    assert_eq!(seen(&store).await, std::slice::from_ref(&stays));
    store.renew_session(&goes).await.unwrap();
    assert_eq!(store.sessions().await.unwrap().len(), 2);
}

async fn every_session_is_seen(store: Given) {
    let mut all: Vec<_> = (0..200).map(presence).collect();
    for session in &all {
        store.renew_session(session).await.unwrap();
    }
    let mut seen = seen(&store).await;
    seen.sort_by_key(|session| session.id);
    all.sort_by_key(|session| session.id);
    assert_eq!(seen, all);
}

async fn how_long_a_session_is_silent_is_told_by_the_clock_of_the_store(store: Given) {
    let before = store.now().await.unwrap();
    store.renew_session(&Session { started_at: 7, ..presence(1) }).await.unwrap();
    let silent = || async { store.sessions().await.unwrap()[0].silent_ms };
    assert!(silent().await.is_some_and(|silent_ms| silent_ms < 60_000));
    let after = eventually(silent, |silent_ms: &Option<u64>| silent_ms.is_some_and(|ms| ms >= 300)).await;
    let at_most = store.now().await.unwrap().since(before);
    assert!(after.is_some_and(|ms| u128::from(ms) <= at_most.as_millis()), "{after:?} of {at_most:?}");
}
