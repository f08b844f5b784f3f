//! The clock: leases, sessions and keyed runs to the millisecond, also when it goes back.

use super::*;

#[tokio::test]
async fn a_partition_lapses_at_the_millisecond() {
    let (hand, clock) = manual(1_000_000);
    let store = SqliteStore::memory_with_clock(clock).unwrap();
    let (first, second) = (ProducerId(Uuid::new_v4()), ProducerId(Uuid::new_v4()));
    take(&store, first, 500).await;
    hand.store(1_000_499, Ordering::SeqCst);
    assert_eq!(take(&store, second, 500).await, Acquired::Held { owner: first, until: at(1_000_500) });
    hand.store(1_000_500, Ordering::SeqCst);
    let answer = take(&store, second, 500).await;
    assert!(matches!(answer, Acquired::Owned { epoch: Epoch(1_000_500_000), .. }), "{answer:?}");
}

#[tokio::test]
async fn epochs_rise_though_the_clock_goes_back() {
    let (hand, clock) = manual(1_000_000);
    let store = SqliteStore::memory_with_clock(clock).unwrap();
    let owner = ProducerId(Uuid::new_v4());
    take(&store, owner, 500).await;
    hand.store(1_000, Ordering::SeqCst);
    for expected in [1_000_000_001, 1_000_000_002] {
        let answer = take(&store, owner, 500).await;
        let Acquired::Owned { epoch, .. } = answer else { panic!("{answer:?}") };
        assert_eq!(epoch, Epoch(expected));
    }
}

fn session() -> Session {
    Session {
        id: SessionId(Uuid::new_v4()),
        count: 1,
        host: "h".into(),
        pid: 1,
        pools: vec![],
        slots: 1,
        running: 0,
        draining: false,
        started_at: 0,
        silent_ms: None,
        labels: vec![],
    }
}

#[tokio::test]
async fn a_session_is_seen_for_an_hour() {
    let (hand, clock) = manual(0);
    let store = SqliteStore::memory_with_clock(clock).unwrap();
    let session = session();
    store.renew_session(&session).await.unwrap();
    hand.store(3_600_000, Ordering::SeqCst);
    let silent = Session { silent_ms: Some(3_600_000), ..session };
    assert_eq!(store.sessions().await.unwrap(), [silent]);
    hand.store(3_600_001, Ordering::SeqCst);
    assert_eq!(store.sessions().await.unwrap(), []);
}

#[tokio::test]
async fn a_session_that_was_renewed_when_the_clock_was_ahead_is_silent_from_the_next_renewal_of_any() {
    let (hand, clock) = manual(7_200_000);
    let store = SqliteStore::memory_with_clock(clock).unwrap();
    let dead = session();
    store.renew_session(&dead).await.unwrap();
    hand.store(0, Ordering::SeqCst);
    assert_eq!(store.sessions().await.unwrap()[0].silent_ms, None);
    store.renew_session(&session()).await.unwrap();
    hand.store(10_000, Ordering::SeqCst);
    let sessions = store.sessions().await.unwrap();
    let dead = sessions.into_iter().find(|session| session.id == dead.id);
    assert_eq!(dead.and_then(|session| session.silent_ms), Some(10_000));
}

#[tokio::test]
async fn a_keyed_run_stays_for_a_day_to_the_millisecond() {
    let day = Duration::from_secs(86_400);
    let (hand, clock) = manual(0);
    let store = SqliteStore::memory_with_clock(clock).unwrap();
    let (mut commit, task) = creating(own(&store).await, 1);
    if let Some(new) = &mut commit.runs[0].create {
        new.keyed = true;
    }
    commit.runs[0].expires_at = Some(at(5));
    store.commit(&[commit]).await.unwrap();
    let end = at(1) + day;
    hand.store(end.as_millis() - 1, Ordering::SeqCst);
    assert_eq!(store.expire(P, end, 0).await.unwrap(), 0);
    hand.store(end.as_millis(), Ordering::SeqCst);
    assert_eq!(store.expire(P, end, 0).await.unwrap(), 1);
    assert_eq!(store.load_runs(&[task.run]).await.unwrap(), [None]);
}
