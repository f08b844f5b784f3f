//! An empty store for each test, and the few things that nearly every test begins with.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_domain::{
    ClaimToken, ClusterId, Epoch, Lane, PartitionId, Priority, ProducerId, RunId, Seq, SessionId, StepIndex,
    TaskId, Timestamp, Unit, WorkflowId,
};
use millrace_store::{
    Acquired, Claim, ClaimVerdict, Cluster, Commit, Dispatched, FORMAT, FORMAT_MINOR, Finish, FinishVerdict,
    NewRun, RunDelta, Store, StoredRun, TaskRecord, Verdict,
};
use uuid::Uuid;

pub(crate) use crate::stores::on_every_store;

/// What a test is given.
pub(crate) type Given = Arc<dyn Store>;

/// Long enough for any store on a busy machine; a condition that takes longer has failed.
const DEADLINE: Duration = Duration::from_secs(20);

/// Owners in tests that are not about lapsing hold for this long.
pub(crate) const LONG_MS: u64 = 600_000;

/// Asks again until the answer satisfies `enough`, and fails at the deadline.
pub(crate) async fn eventually<T, F>(mut ask: impl FnMut() -> F, enough: impl Fn(&T) -> bool) -> T
where
    T: std::fmt::Debug,
    F: Future<Output = T>,
{
    let start = Instant::now();
    loop {
        let answer = ask().await;
        if enough(&answer) {
            return answer;
        }
        assert!(start.elapsed() < DEADLINE, "still {answer:?} after {DEADLINE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// What somebody asks for who founds a cluster.
pub(crate) fn cluster(partitions: u16) -> Cluster {
    Cluster {
        id: ClusterId(Uuid::new_v4()),
        partitions,
        queues: "classic".to_owned(),
        format: FORMAT,
        minor: FORMAT_MINOR,
        since: Epoch(7),
    }
}

pub(crate) fn producer() -> ProducerId {
    ProducerId(Uuid::new_v4())
}

pub(crate) fn session() -> SessionId {
    SessionId(Uuid::new_v4())
}

pub(crate) fn token() -> ClaimToken {
    ClaimToken(Uuid::new_v4())
}

pub(crate) fn workflow(name: &str) -> WorkflowId {
    name.parse().unwrap()
}

/// A step as a whole.
pub(crate) fn unit(step: u32) -> Unit {
    StepIndex(step).into()
}

/// An item of a step.
pub(crate) fn item(step: u32, item: u32) -> Unit {
    Unit { step: StepIndex(step), item: Some(item) }
}

pub(crate) fn task(run: RunId, step: u32, attempt: u32) -> TaskId {
    TaskId { run, unit: unit(step), attempt }
}

/// The owner of a partition, who counts its commits.
#[derive(Clone)]
pub(crate) struct Owner {
    pub(crate) store: Given,
    pub(crate) id: ProducerId,
    pub(crate) partition: PartitionId,
    pub(crate) epoch: Epoch,
    pub(crate) seq: Seq,
}

impl Owner {
    pub(crate) async fn of(store: &Given, partition: u16) -> Self {
        Self::take(store, partition, producer(), LONG_MS).await
    }

    pub(crate) async fn take(store: &Given, partition: u16, id: ProducerId, ttl_ms: u64) -> Self {
        let partition = PartitionId(partition);
        let answer = store.acquire(&[partition], id, ttl_ms).await.unwrap().remove(0);
        let Acquired::Owned { epoch, .. } = answer else { panic!("{partition} is not free: {answer:?}") };
        Self { store: store.clone(), id, partition, epoch, seq: Seq(0) }
    }

    pub(crate) fn new_run(&self) -> RunId {
        RunId::new(Uuid::now_v7(), self.partition)
    }

    /// The next commit, not sent yet.
    pub(crate) fn next(&mut self, runs: Vec<RunDelta>) -> Commit {
        self.seq = self.seq.next();
        Commit { runs, ..Commit::new(self.partition, self.epoch, self.seq, at(0)) }
    }

    /// Commits changes to runs, all of which hold.
    pub(crate) async fn commit(&mut self, runs: Vec<RunDelta>) {
        let commit = self.next(runs);
        assert_eq!(self.send(&commit).await, applied());
    }

    pub(crate) async fn send(&self, commit: &Commit) -> Verdict {
        self.store.commit(std::slice::from_ref(commit)).await.unwrap().remove(0)
    }

    /// A run whose step 0 has its first attempt queued.
    pub(crate) async fn queued(&mut self) -> TaskId {
        let run = self.new_run();
        let mut delta = created(run);
        delta.dispatched.push(dispatched(0, 1));
        self.commit(vec![delta]).await;
        task(run, 0, 1)
    }

    /// The same, claimed.
    pub(crate) async fn claimed(&mut self) -> Claim {
        let task = self.queued().await;
        let claim = Claim { task, token: token(), session: session() };
        assert_eq!(claim_one(&self.store, &claim).await, ClaimVerdict::Granted);
        claim
    }

    /// The same, finished with `result`.
    pub(crate) async fn finished(&mut self, result: &str) -> Claim {
        let claim = self.claimed().await;
        assert_eq!(finish_one(&self.store, &claim, result).await, FinishVerdict::Stored);
        claim
    }
}

pub(crate) fn applied() -> Verdict {
    Verdict::Applied { duplicates: Vec::new() }
}

pub(crate) fn created(run: RunId) -> RunDelta {
    created_at(run, at(1_000), "adhoc")
}

pub(crate) fn created_at(run: RunId, when: Timestamp, name: &str) -> RunDelta {
    RunDelta {
        create: Some(NewRun {
            created_at: when,
            workflow: workflow(name),
            keyed: false,
            definition: "{\"run\":\"true\"}".into(),
        }),
        head: Some("{\"state\":\"running\"}".into()),
        ..RunDelta::new(run)
    }
}

/// Dispatched at 2 s, to be looked at from 3 s on.
pub(crate) fn dispatched(step: u32, attempt: u32) -> Dispatched {
    Dispatched { unit: unit(step), attempt, at: at(2_000), look_at: at(3_000), lane: lane() }
}

/// Where the tests' attempts wait.
pub(crate) fn lane() -> Lane {
    Lane { queue: "gpu.ns.billing".parse().unwrap(), priority: Priority::P1 }
}

pub(crate) async fn claim_one(store: &Given, claim: &Claim) -> ClaimVerdict {
    store.claim(std::slice::from_ref(claim)).await.unwrap().remove(0)
}

pub(crate) async fn finish_one(store: &Given, claim: &Claim, result: &str) -> FinishVerdict {
    let finish = Finish { task: claim.task, token: claim.token, result: result.into() };
    store.finish(&[finish]).await.unwrap().remove(0)
}

pub(crate) async fn stands(store: &Given, task: TaskId) -> Option<TaskRecord> {
    store.tasks(&[task]).await.unwrap().remove(0)
}

/// The record of a finished attempt that was [`dispatched`].
pub(crate) fn finished(result: &str) -> TaskRecord {
    TaskRecord::Finished { result: result.into(), dispatched_at: Some(at(2_000)) }
}

/// The record of one that was taken back.
pub(crate) fn revoked() -> TaskRecord {
    TaskRecord::Revoked { dispatched_at: Some(at(2_000)), unclaimed: false }
}

/// The record of one that was taken back before anybody had claimed it.
pub(crate) fn revoked_unclaimed() -> TaskRecord {
    TaskRecord::Revoked { dispatched_at: Some(at(2_000)), unclaimed: true }
}

pub(crate) async fn load(store: &Given, run: RunId) -> Option<StoredRun> {
    store.load_runs(&[run]).await.unwrap().remove(0)
}

/// All that is watched in a partition, in order.
pub(crate) async fn watched(store: &Given, partition: PartitionId) -> Vec<(Timestamp, TaskId)> {
    store.watched(partition, at(0)..=at(i64::from(u32::MAX) * 10_000), 0, 10_000).await.unwrap()
}
