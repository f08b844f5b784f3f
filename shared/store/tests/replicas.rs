//! Waiting for replicas: nothing counts that only the primary has.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use millrace_domain::{
    ClaimToken, Epoch, PartitionId, ProducerId, RunId, Seq, SessionId, StepIndex, TaskId, Timestamp,
    WorkflowId,
};
use millrace_servers::Redis;
use millrace_store::redis::{Options, RedisStore};
use millrace_store::{
    Acquired, Claim, ClaimStore, ClaimVerdict, ClusterStore, Commit, Dispatched, Finish, FinishVerdict,
    NewRun, PartitionStore, RunDelta, StoreError, Verdict,
};
use uuid::Uuid;

const P: PartitionId = PartitionId(3);

/// A replica that comes is served at once, not after five seconds in which more might come.
const FAST: [&str; 2] = ["--repl-diskless-sync-delay", "0"];

#[tokio::test(flavor = "multi_thread")]
async fn what_no_replica_has_does_not_count_and_does_once_one_has_it() {
    let primary = Redis::start(&FAST);
    let store = connect(&primary, 1).await;
    let (epoch, task) = (acquire(&store).await, task());
    let commit = creation(epoch, task);

    // There is none yet.
    let error = store.commit(std::slice::from_ref(&commit)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(_, why) if why.contains("0 of 1 replicas")), "{error}");
    // What others are not told of does not wait.
    store.now().await.unwrap();
    assert_eq!(store.renew(&[(P, epoch)], 60_000, Timestamp::default()).await.unwrap(), [Some(Seq(1))]);

    let replica = replica_of(&primary);
    let applied = Verdict::Applied { duplicates: vec![] };
    let verdict =
        until("the commit counts", || async { store.commit(std::slice::from_ref(&commit)).await.ok() }).await;
    assert_eq!(verdict, [applied]);
    assert_eq!(has_run(&replica, task.run).await, 1);

    // The replica stands still: a claim is not granted, and an outcome is not stored, as far as anybody is told.
    let (claim, finish) = (claim(task), finish(task));
    let claim = Claim { token: finish.token, ..claim };
    pause(&replica).await;
    assert!(store.claim(std::slice::from_ref(&claim)).await.is_err());
    resume(&replica, &primary).await;
    // The same claim again: it writes nothing, and is waited for nevertheless.
    let verdict =
        until("the claim counts", || async { store.claim(std::slice::from_ref(&claim)).await.ok() }).await;
    assert_eq!(verdict, [ClaimVerdict::Granted]);
    assert_eq!(record(&replica, task).await, record(&primary, task).await);
    assert_eq!(store.finish(&[finish]).await.unwrap(), [FinishVerdict::Stored]);
    assert_eq!(record(&replica, task).await, record(&primary, task).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_sent_again_on_a_new_connection_is_waited_for_too() {
    let primary = Redis::start(&FAST);
    let replica = replica_of(&primary);
    let store = connect(&primary, 1).await;
    let (epoch, task) = (acquire(&store).await, task());
    let commit = creation(epoch, task);
    until("the replica follows", || async {
        let number: u64 = ask(&primary, &["WAIT", "1", "100"]).await;
        (number == 1).then_some(())
    })
    .await;
    pause(&replica).await;
    assert!(store.commit(std::slice::from_ref(&commit)).await.is_err());
    let _: u64 = ask(&primary, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    // It is stored: nothing is written by sending it again. Only the primary has it, so it does not count.
    let asked = Instant::now();
    while asked.elapsed() < Duration::from_secs(2) {
        let answer = store.commit(std::slice::from_ref(&commit)).await;
        assert!(answer.is_err(), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(has_run(&primary, task.run).await, 1);
    resume(&replica, &primary).await;
    until("the commit counts", || async { store.commit(std::slice::from_ref(&commit)).await.ok() }).await;
    assert_eq!(has_run(&replica, task.run).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_scripts_and_full_memory_do_not_get_in_the_way_of_the_wait() {
    let primary = Redis::start(&FAST);
    let _replica = replica_of(&primary);
    let store = connect(&primary, 1).await;
    let (epoch, task) = (acquire(&store).await, task());
    let commit = creation(epoch, task);
    until("the commit counts", || async { store.commit(std::slice::from_ref(&commit)).await.ok() }).await;
    let _: String = ask(&primary, &["SCRIPT", "FLUSH"]).await;
    let finish = finish(task);
    let claim = Claim { token: finish.token, ..claim(task) };
    assert_eq!(store.claim(&[claim]).await.unwrap(), [ClaimVerdict::Granted]);
    let _: String = ask(&primary, &["CONFIG", "SET", "maxmemory", "1"]).await;
    assert_eq!(store.finish(&[finish]).await.unwrap(), [FinishVerdict::Stored]);
    let new = Commit { seq: Seq(2), ..creation(epoch, self::task()) };
    let verdicts = store.commit(&[new]).await.unwrap();
    assert!(matches!(verdicts[..], [Verdict::Full { .. }]), "{verdicts:?}");
}

async fn connect(primary: &Redis, wait_replicas: u32) -> RedisStore {
    RedisStore::connect(Options { wait_replicas, ..Options::new(primary.url()) }).await.unwrap()
}

fn replica_of(primary: &Redis) -> Redis {
    Redis::start(&["--replicaof", "127.0.0.1", &port(primary)])
}

/// It hears nothing of its primary: it asks at a port where nobody is.
async fn pause(replica: &Redis) {
    let _: String = ask(replica, &["REPLICAOF", "127.0.0.1", "1"]).await;
}

async fn resume(replica: &Redis, primary: &Redis) {
    let _: String = ask(replica, &["REPLICAOF", "127.0.0.1", &port(primary)]).await;
}

fn port(server: &Redis) -> String {
    server.url().rsplit(':').next().unwrap().to_owned()
}

async fn ask<T: redis::FromRedisValue>(server: &Redis, words: &[&str]) -> T {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd(words[0]).arg(&words[1..]).query_async(&mut connection).await.unwrap()
}

async fn has_run(server: &Redis, run: RunId) -> u64 {
    ask(server, &["EXISTS", &format!("millrace:{{{P}}}:run:{run}")]).await
}

async fn record(server: &Redis, task: TaskId) -> String {
    let key = format!("millrace:{{{P}}}:run:{}", task.run);
    ask(server, &["HGET", &key, &format!("t{}:{}", task.unit, task.attempt)]).await
}

async fn until<T, F: Future<Output = Option<T>>>(what: &str, condition: impl Fn() -> F) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(answer) = condition().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within 20 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn acquire(store: &RedisStore) -> Epoch {
    match store.acquire(&[P], ProducerId(Uuid::new_v4()), 60_000).await.unwrap().remove(0) {
        Acquired::Owned { epoch, .. } => epoch,
        held @ Acquired::Held { .. } => panic!("{held:?}"),
    }
}

fn task() -> TaskId {
    TaskId { run: RunId::new(Uuid::now_v7(), P), unit: StepIndex(0).into(), attempt: 1 }
}

/// The first commit of an epoch: a run whose one task is dispatched.
fn creation(epoch: Epoch, task: TaskId) -> Commit {
    let at = Timestamp::from_millis(1);
    let mut delta = RunDelta::new(task.run);
    delta.create = Some(NewRun {
        created_at: at,
        workflow: WorkflowId::adhoc(),
        keyed: false,
        definition: "definition".to_owned(),
    });
    delta.dispatched.push(Dispatched {
        unit: task.unit,
        attempt: 1,
        at,
        look_at: at,
        lane: millrace_domain::Lane::default(),
    });
    Commit { runs: vec![delta], ..Commit::new(P, epoch, Seq(1), Timestamp::default()) }
}

fn claim(task: TaskId) -> Claim {
    Claim { task, token: ClaimToken(Uuid::new_v4()), session: SessionId(Uuid::new_v4()) }
}

fn finish(task: TaskId) -> Finish {
    Finish { task, token: ClaimToken(Uuid::new_v4()), result: "{}".to_owned() }
}
