//! Under Sentinel: whoever is the primary is found, now and after it was replaced.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use millrace_domain::{Epoch, PartitionId, ProducerId, RunId, Seq, Timestamp, WorkflowId};
use millrace_servers::Sentinel;
use millrace_store::redis::{Options, RedisStore};
use millrace_store::{
    Acquired, ClusterStore, Commit, NewRun, PartitionStore, ReadStore, RunDelta, StoreError, Verdict,
};
use uuid::Uuid;

const P: PartitionId = PartitionId(3);

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_dies_is_replaced_and_nothing_that_counted_is_lost() {
    let mut servers = Sentinel::start(&[]);
    let url = format!("redis+sentinel://{}/{}", servers.addresses().join(","), servers.service());
    let store = RedisStore::connect(Options { wait_replicas: 1, ..Options::new(&url) }).await.unwrap();
    let epoch = acquire(&store).await;
    let mut runs = Vec::new();
    for seq in 1..=20 {
        runs.push(commit(&store, epoch, Seq(seq)).await);
    }

    let first = servers.primary().unwrap();
    tokio::task::block_in_place(|| servers.redis(first).kill());
    // The epoch holds, and so does the number of the last commit: the next one follows.
    for seq in 21..=40 {
        runs.push(commit(&store, epoch, Seq(seq)).await);
    }
    let second = until("another primary", || async { servers.primary().filter(|now| *now != first) }).await;

    // The one that was comes back, and takes itself for the primary for a while: nobody listens to it.
    tokio::task::block_in_place(|| servers.redis(first).start_again());
    let newcomer = RedisStore::connect(Options::new(&url)).await.unwrap();
    for store in [&store, &newcomer] {
        let stored = until("the runs are read", || async { store.load_runs(&runs).await.ok() }).await;
        assert!(stored.iter().all(Option::is_some));
    }
    runs.push(commit(&store, epoch, Seq(41)).await);
    assert_eq!(servers.primary(), Some(second));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sentinel_that_is_away_does_not_matter_and_a_name_that_none_knows_is_told() {
    let mut servers = Sentinel::start(&[]);
    tokio::task::block_in_place(|| servers.kill_sentinel(0));
    let addresses = servers.addresses().join(",");
    let url = format!("redis+sentinel://{addresses}/{}", servers.service());
    let store = RedisStore::connect(Options::new(&url)).await.unwrap();
    until("the store answers", || async { store.now().await.ok() }).await;

    let url = format!("redis+sentinel://me:s3cret@{addresses}/nobody");
    let store = RedisStore::connect(Options::new(&url)).await.unwrap();
    let error = store.now().await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, StoreError::Unavailable(..)) && text.contains("\"nobody\""), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

async fn acquire(store: &RedisStore) -> Epoch {
    match store.acquire(&[P], ProducerId(Uuid::new_v4()), 600_000).await.unwrap().remove(0) {
        Acquired::Owned { epoch, .. } => epoch,
        held @ Acquired::Held { .. } => panic!("{held:?}"),
    }
}

/// Commits a new run, sending it again until it is answered.
async fn commit(store: &RedisStore, epoch: Epoch, seq: Seq) -> RunId {
    let run = RunId::new(Uuid::now_v7(), P);
    let mut delta = RunDelta::new(run);
    delta.create = Some(NewRun {
        created_at: Timestamp::from_millis(1),
        workflow: WorkflowId::adhoc(),
        keyed: false,
        definition: "definition".to_owned(),
    });
    let mut commit = Commit::new(P, epoch, seq, Timestamp::default());
    commit.runs.push(delta);
    let verdicts =
        until("the commit counts", || async { store.commit(std::slice::from_ref(&commit)).await.ok() }).await;
    assert_eq!(verdicts, [Verdict::Applied { duplicates: vec![] }], "{seq:?}");
    run
}

async fn until<T, F: Future<Output = Option<T>>>(what: &str, condition: impl Fn() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(40);
    loop {
        if let Some(answer) = condition().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within 40 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
