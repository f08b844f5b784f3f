//! Presence of workers.

use millrace_store::Session;

use crate::fixture::*;

on_every_store!(
    a_renewed_session_is_seen_as_it_is,
    a_renewal_replaces_the_one_before,
    an_ended_session_is_not_seen_until_it_is_renewed,
    every_session_is_seen,
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
        renewed_at: 1_700_000_001_000,
        labels: vec!["zone=a".into(), "文=本".into()],
    }
}

async fn a_renewed_session_is_seen_as_it_is(store: Given) {
    assert_eq!(store.sessions().await.unwrap(), []);
    let session = presence(1);
    store.renew_session(&session).await.unwrap();
    assert_eq!(store.sessions().await.unwrap(), [session]);
}

async fn a_renewal_replaces_the_one_before(store: Given) {
    let mut session = presence(1);
    store.renew_session(&session).await.unwrap();
    session = Session { count: 2, running: 0, draining: true, labels: vec![], ..session };
    store.renew_session(&session).await.unwrap();
    store.renew_session(&session).await.unwrap();
    assert_eq!(store.sessions().await.unwrap(), [session]);
}

async fn an_ended_session_is_not_seen_until_it_is_renewed(store: Given) {
    let (stays, goes) = (presence(1), presence(1));
    store.renew_session(&stays).await.unwrap();
    store.renew_session(&goes).await.unwrap();
    store.end_session(goes.id).await.unwrap();
    store.end_session(goes.id).await.unwrap();
    store.end_session(session()).await.unwrap();
    assert_eq!(store.sessions().await.unwrap(), std::slice::from_ref(&stays));
    store.renew_session(&goes).await.unwrap();
    assert_eq!(store.sessions().await.unwrap().len(), 2);
}

async fn every_session_is_seen(store: Given) {
    let mut all: Vec<_> = (0..200).map(presence).collect();
    for session in &all {
        store.renew_session(session).await.unwrap();
    }
    let mut seen = store.sessions().await.unwrap();
    seen.sort_by_key(|session| session.id);
    all.sort_by_key(|session| session.id);
    assert_eq!(seen, all);
}
