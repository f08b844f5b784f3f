//! What these tests stand on: a connection, an owner of a partition, and what it commits.

use std::time::{Duration, Instant};

use millrace_domain::{
    ClaimToken, ClusterId, Epoch, PartitionId, ProducerId, RunId, Seq, SessionId, StepIndex, TaskId,
    Timestamp, WorkflowId,
};
use millrace_servers::Redis;
use millrace_store::redis::{Options, RedisStore};
use millrace_store::{
    Acquired, Claim, Cluster, Commit, Dispatched, FORMAT, FORMAT_MINOR, NewRun, PartitionStore, RunDelta,
    Session, Verdict,
};
use uuid::Uuid;

pub(crate) const P: PartitionId = PartitionId(3);

/// What a producer of a new cluster asks for.
pub(crate) fn cluster() -> Cluster {
    let id = ClusterId(Uuid::new_v4());
    Cluster {
        id,
        partitions: 64,
        queues: "classic".to_owned(),
        format: FORMAT,
        minor: FORMAT_MINOR,
        since: Epoch(0),
    }
}

pub(crate) async fn connect(server: &Redis) -> RedisStore {
    RedisStore::connect(Options::new(server.url())).await.unwrap()
}

/// Speaks to the server past the store.
pub(crate) async fn ask(server: &Redis, words: &[&str]) {
    let _: redis::Value = answer(server, words).await;
}

/// Speaks to the server past the store, and reads what it answers.
pub(crate) async fn answer<T: redis::FromRedisValue>(server: &Redis, words: &[&str]) -> T {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query_async(&mut connection).await.unwrap()
}

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("within 20 s")
}

pub(crate) async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition().await {
        assert!(Instant::now() < deadline, "{what} did not happen within 20 s");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Owner of a partition.
pub(crate) struct Owner {
    pub(crate) id: ProducerId,
    pub(crate) partition: PartitionId,
    pub(crate) epoch: Epoch,
    pub(crate) seq: Seq,
}

impl Owner {
    pub(crate) async fn of(store: &RedisStore, partition: PartitionId) -> Self {
        let id = ProducerId(Uuid::new_v4());
        match store.acquire(&[partition], id, 60_000).await.unwrap().remove(0) {
            Acquired::Owned { epoch, .. } => Self { id, partition, epoch, seq: Seq(0) },
            held @ Acquired::Held { .. } => panic!("{held:?}"),
        }
    }

    /// An empty commit that follows the last one.
    pub(crate) fn next(&mut self) -> Commit {
        self.seq = self.seq.next();
        Commit::new(self.partition, self.epoch, self.seq, Timestamp::default())
    }

    /// Commits a new run; its one task.
    pub(crate) async fn create(&mut self, store: &RedisStore) -> TaskId {
        let run = RunId::new(Uuid::now_v7(), self.partition);
        let mut commit = self.next();
        commit.runs.push(creation(run, "adhoc", false));
        let verdicts = store.commit(&[commit]).await.unwrap();
        assert_eq!(verdicts, [Verdict::Applied { duplicates: vec![] }]);
        TaskId { run, unit: StepIndex(0).into(), attempt: 1 }
    }
}

pub(crate) fn name(workflow: &str) -> WorkflowId {
    workflow.parse().unwrap()
}

pub(crate) fn creation(run: RunId, workflow: &str, keyed: bool) -> RunDelta {
    let at = Timestamp::from_millis(1);
    let mut delta = RunDelta::new(run);
    delta.create =
        Some(NewRun { created_at: at, workflow: name(workflow), keyed, definition: "definition".to_owned() });
    delta.head = Some("head".to_owned());
    delta.dispatched.push(Dispatched {
        unit: StepIndex(0).into(),
        attempt: 1,
        at,
        look_at: at,
        lane: millrace_domain::Lane::default(),
    });
    delta
}

/// The run of `task` ends with it, and may be forgotten from millisecond 1 on.
pub(crate) fn ending(task: TaskId) -> RunDelta {
    let mut delta = RunDelta::new(task.run);
    delta.retired.push((task.unit, task.attempt));
    delta.expires_at = Some(Timestamp::from_millis(1));
    delta
}

pub(crate) fn claim_of(task: TaskId) -> Claim {
    Claim { task, token: ClaimToken(Uuid::new_v4()), session: SessionId(Uuid::new_v4()) }
}

pub(crate) fn session() -> Session {
    Session {
        id: SessionId(Uuid::new_v4()),
        count: 1,
        host: "host".to_owned(),
        pid: 1,
        pools: vec!["default".to_owned()],
        slots: 4,
        running: 1,
        draining: false,
        started_at: 1,
        silent_ms: None,
        labels: Vec::new(),
    }
}
