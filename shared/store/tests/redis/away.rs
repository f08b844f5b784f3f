//! Servers that are not there, go away, hang or are killed.

use std::time::{Duration, Instant};

use millrace_domain::{StepIndex, Timestamp, Unit};
use millrace_servers::Redis;
use millrace_store::redis::{Options, RedisStore};
use millrace_store::{
    ClaimStore, ClaimVerdict, ClusterStore, PartitionStore, ReadStore, Session, SessionStore, StoreError,
    TaskRecord, Verdict,
};

use crate::fixture::{Owner, P, ask, claim_of, connect, session, until, within};

#[tokio::test]
async fn an_unreachable_server_is_no_error_at_first_and_its_password_is_masked() {
    let mut server = Redis::start(&[]);
    let url = server.url().replace("redis://", "redis://me:s3cret@");
    server.stop();
    let store = RedisStore::connect(Options::new(url)).await.unwrap();
    assert!(!*store.ready().borrow());
    let error = store.now().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(..)), "{error:?}");
    let shown = format!("{error} {error:?} {store:?}");
    assert!(shown.contains("me:***@") && !shown.contains("s3cret"), "{shown}");
}

#[tokio::test]
async fn a_server_that_goes_and_comes_is_used_again() {
    let mut server = Redis::start(&[]);
    server.stop();
    let store = RedisStore::connect(Options::new(server.url())).await.unwrap();
    let mut ready = store.ready();
    server.start_again();
    within(ready.wait_for(|ready| *ready)).await.unwrap();
    store.now().await.unwrap();

    server.kill();
    within(ready.wait_for(|ready| !*ready)).await.unwrap();
    assert!(matches!(store.now().await, Err(StoreError::Unavailable(..))));
    server.start_again();
    within(ready.wait_for(|ready| *ready)).await.unwrap();
    store.now().await.unwrap();
}

#[tokio::test]
async fn a_server_that_was_away_for_seconds_is_found_as_soon_as_it_is_back() {
    let mut server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut ready = store.ready();
    server.kill();
    within(ready.wait_for(|ready| !*ready)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    server.start_again();
    // A session that was renewed 2 s before has not much more left than that.
    let found = tokio::time::timeout(Duration::from_millis(1_200), ready.wait_for(|ready| *ready));
    assert!(found.await.is_ok(), "not found yet");
}

#[tokio::test]
async fn a_server_that_hangs_is_unavailable_within_the_bound() {
    let server = Redis::start(&[]);
    let bound = Duration::from_millis(300);
    let options = Options { response_timeout: bound, ..Options::new(server.url()) };
    let store = RedisStore::connect(options).await.unwrap();
    ask(&server, &["CLIENT", "PAUSE", "1500", "ALL"]).await;
    let asked = Instant::now();
    assert!(matches!(store.now().await, Err(StoreError::Unavailable(..))));
    assert!(asked.elapsed() < bound * 4, "{:?}", asked.elapsed());
    until("the store is back", || async { store.now().await.is_ok() }).await;
}

#[tokio::test]
async fn a_killed_server_has_kept_everything_when_it_is_back() {
    // Synced every second, it holds back for up to two what it should write, while a sync goes on.
    let mut server = Redis::start(&["--appendfsync", "always"]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let task = owner.create(&store).await;
    let (claim, session) = (claim_of(task), session());
    store.renew_session(&session).await.unwrap();
    assert_eq!(store.claim(std::slice::from_ref(&claim)).await.unwrap(), [ClaimVerdict::Granted]);

    server.kill();
    server.start_again();
    let mut ready = store.ready();
    until("the store is back", || async { store.now().await.is_ok() }).await;
    within(ready.wait_for(|ready| *ready)).await.unwrap();

    let run = store.load_runs(&[task.run]).await.unwrap().remove(0).unwrap();
    assert_eq!(run.head, "head");
    assert!(
        matches!(&run.tasks[..], [(Unit { step: StepIndex(0), item: None }, 1, TaskRecord::Claimed { .. })]),
        "{:?}",
        run.tasks
    );
    assert_eq!(store.claim(&[claim]).await.unwrap(), [ClaimVerdict::Granted]);
    let kept = store.sessions().await.unwrap().remove(0);
    assert_eq!(kept, Session { silent_ms: kept.silent_ms, ..session });
    assert_eq!(
        store.renew(&[(P, owner.epoch)], 10_000, Timestamp::default()).await.unwrap(),
        [Some(owner.seq)]
    );
    assert_eq!(store.commit(&[owner.next()]).await.unwrap(), [Verdict::Applied { duplicates: vec![] }]);
}
