//! What only the embedded store promises: its file outlives the process and is refused when it cannot be right;
//! and its clock is an argument, so that lapsing is tested to the millisecond.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clock;
mod file;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use millrace_domain::{
    ClaimToken, ClusterId, Epoch, PartitionId, ProducerId, RunId, Seq, SessionId, StepIndex, TaskId,
    Timestamp, WorkflowId,
};
use millrace_store::sqlite::{Clock, SqliteStore};
use millrace_store::{
    Acquired, Claim, ClaimStore, ClaimVerdict, Cluster, ClusterStore, Commit, Dispatched, FORMAT,
    FORMAT_MINOR, Finish, FinishVerdict, Letter, Membership, NewRun, PartitionStore, ReadStore, Revoke,
    Revoked, RowDelta, RunDelta, Session, SessionStore, Standing, StoreError, Table, TaskRecord, Timer,
    Verdict, WatchStore,
};
use tempfile::TempDir;
use uuid::Uuid;

const P: PartitionId = PartitionId(5);

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    (folder, file)
}

fn cluster(partitions: u16) -> Cluster {
    let id = ClusterId(Uuid::new_v4());
    Cluster {
        id,
        partitions,
        queues: "memory".to_owned(),
        format: FORMAT,
        minor: FORMAT_MINOR,
        since: Epoch(0),
    }
}

fn manual(start: i64) -> (Arc<AtomicI64>, Clock) {
    let hand = Arc::new(AtomicI64::new(start));
    let clock = hand.clone();
    (hand, Arc::new(move || at(clock.load(Ordering::SeqCst))))
}

async fn take(store: &SqliteStore, owner: ProducerId, ttl_ms: u64) -> Acquired {
    store.acquire(&[P], owner, ttl_ms).await.unwrap().remove(0)
}

async fn own(store: &SqliteStore) -> Epoch {
    let answer = take(store, ProducerId(Uuid::new_v4()), 600_000).await;
    let Acquired::Owned { epoch, .. } = answer else { panic!("{answer:?}") };
    epoch
}

/// A commit that creates a run with an attempt and a timer.
fn creating(epoch: Epoch, seq: u64) -> (Commit, TaskId) {
    let run = RunId::new(Uuid::now_v7(), P);
    let mut delta = RunDelta::new(run);
    delta.create = Some(NewRun {
        created_at: at(1),
        workflow: WorkflowId::adhoc(),
        keyed: false,
        definition: "definition".into(),
    });
    delta.head = Some("head".into());
    delta.dispatched.push(Dispatched {
        unit: StepIndex(0).into(),
        attempt: 1,
        at: at(2),
        look_at: at(3),
        lane: millrace_domain::Lane::default(),
    });
    delta.timers.push((at(4), Timer::RunTimeout(run)));
    let mut commit = Commit::new(P, epoch, Seq(seq), at(9));
    commit.runs.push(delta);
    (commit, TaskId { run, unit: StepIndex(0).into(), attempt: 1 })
}

/// The database as a crash at this moment would leave it.
fn crashed_copy(file: &Path, to: &Path) -> PathBuf {
    let copy = to.join("copy.db");
    fs::copy(file, &copy).unwrap();
    fs::copy(wal(file), wal(&copy)).unwrap();
    copy
}

fn wal(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn refusal(result: Result<SqliteStore, StoreError>) -> StoreError {
    match result {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}
