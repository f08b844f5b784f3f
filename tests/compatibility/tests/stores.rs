//! Both stores read all that their predecessors of 0.1 have stored: runs, attempts, timers, sessions, workflows, logs.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeSet;

use millrace_compatibility::{Recording, database, keys};
use millrace_domain::{ClusterId, Epoch, PartitionId, ProducerId, RunId, StepIndex, TaskId, Timestamp};
use millrace_servers::Redis;
use millrace_store::redis::{Options, RedisStore};
use millrace_store::sqlite::SqliteStore;
use millrace_store::{Acquired, Cluster, FORMAT, FORMAT_MINOR, RunQuery, Store, TaskRecord};
use serde_json::Value;
use tokio::task::block_in_place;
use uuid::Uuid;

/// The most of anything that is read at once.
const ALL: usize = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn redis_reads_what_0_1_has_stored() {
    let recording = Recording::open("fleet.json");
    let server = block_in_place(|| Redis::start(&[]));
    keys::load(&server.url(), "millrace", &recording.json("keys.json"));
    let store = RedisStore::connect(Options::new(server.url())).await.unwrap();
    let found = read(&store, &recording, 4, "classic").await;
    let records = ["claimed", "finished", "queued", "revoked"];
    assert_eq!(found.records, records.into());
    assert_eq!(found.timers, ["cancel", "fire", "retry", "start", "timeout"].map(str::to_owned).into());
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_reads_the_file_of_0_1_and_brings_it_to_its_own_version() {
    let recording = Recording::open("dev.json");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    database::load(&path, &recording.file("dev.sql"));
    let store = SqliteStore::open(&path).unwrap();
    let found = read(&store, &recording, 8, "memory").await;
    assert_eq!(found.records, ["claimed", "queued"].into());
    assert_eq!(found.timers, ["fire", "retry", "start", "timeout"].map(str::to_owned).into());
    drop(store);
    // Once more, since it is of this version now.
    drop(SqliteStore::open(&path).unwrap());
}

/// The kinds that were found.
struct Found {
    records: BTreeSet<&'static str>,
    timers: BTreeSet<String>,
}

/// Reads everything, and returns of which kinds it was.
async fn read(store: &dyn Store, recording: &Recording, partitions: u16, queues: &str) -> Found {
    // A newcomer takes what is fixed, and gives the cluster what 0.1 did not know.
    let wanted = Cluster {
        id: ClusterId(Uuid::new_v4()),
        partitions: 64,
        queues: queues.to_owned(),
        format: FORMAT,
        minor: FORMAT_MINOR,
        since: Epoch(0),
    };
    let cluster = store.found(&wanted).await.unwrap();
    assert_eq!((cluster.partitions, cluster.queues.as_str(), cluster.format), (partitions, queues, FORMAT));
    assert_eq!((cluster.id, cluster.since), (wanted.id, Epoch(0)), "a store of 0.1 is not a new one");

    let query = RunQuery { partitions, limit: ALL, ..RunQuery::default() };
    let listed = store.list_runs(&query).await.unwrap();
    let ids: Vec<RunId> = listed.iter().map(|run| run.run).collect();
    for (name, id, _) in recording.runs() {
        assert!(ids.iter().any(|run| run.to_string() == id), "{name} is not listed");
    }
    let loaded = store.load_runs(&ids).await.unwrap();
    let mut records = BTreeSet::new();
    for (summary, run) in listed.iter().zip(loaded) {
        let run = run.unwrap_or_else(|| panic!("{} is not stored", summary.run));
        assert_eq!(run.head, summary.head);
        serde_json::from_str::<Value>(&run.definition).unwrap();
        records.extend(run.tasks.iter().map(|(_, _, record)| match record {
            TaskRecord::Queued { lane, dispatched_at } => {
                assert!(*dispatched_at > Timestamp::default() && !lane.queue.pool().is_empty());
                "queued"
            }
            TaskRecord::Claimed { .. } => "claimed",
            TaskRecord::Finished { result, .. } => {
                serde_json::from_str::<Value>(result).unwrap();
                "finished"
            }
            TaskRecord::Revoked { .. } => "revoked",
            TaskRecord::Unknown => panic!("{run:?}"),
        }));
    }
    let of_report = RunQuery { workflow: Some("report".parse().unwrap()), ..query };
    let reports = store.list_runs(&of_report).await.unwrap();
    assert!(!reports.is_empty() && reports.iter().all(|run| run.workflow.as_str() == "report"));

    let (mut timers, mut watched, mut workflows) = (BTreeSet::new(), 0, 0);
    for partition in (0..partitions).map(PartitionId) {
        for (due, timer) in store.timers(partition, None, ALL).await.unwrap() {
            assert!(due > Timestamp::default());
            timers.insert(timer.to_string().split(':').next().unwrap().to_owned());
        }
        let ever = Timestamp::default()..=Timestamp::from_millis(i64::MAX / 2);
        let tasks: Vec<TaskId> =
            store.watched(partition, ever, 0, ALL).await.unwrap().into_iter().map(|(_, task)| task).collect();
        watched += tasks.len();
        assert!(store.tasks(&tasks).await.unwrap().iter().all(Option::is_some));
        for (name, head) in store.list_workflows(partition).await.unwrap() {
            let stored = store.load_workflow(partition, &name, None).await.unwrap().unwrap();
            assert_eq!(stored.head, head);
            assert!(store.load_workflow(partition, &name, Some(1)).await.unwrap().is_some());
            workflows += 1;
        }
    }
    assert!(watched > 0 && workflows >= 10, "{watched} attempts, {workflows} workflows");

    let report: RunId = recording.run("report").parse().unwrap();
    let extract = TaskId { run: report, unit: StepIndex(0).into(), attempt: 1 };
    let log = store.read_log(extract, 0, ALL).await.unwrap();
    assert!(log.iter().any(|chunk| chunk.text.contains("from 2026-11-01")), "{log:?}");

    let sessions = store.sessions().await.unwrap();
    assert!(!sessions.is_empty() && sessions.iter().all(|session| session.slots > 0), "{sessions:?}");

    // Whoever takes a partition over begins above what 0.1 did, and tells its lost commits from those that are there.
    let all: Vec<PartitionId> = (0..partitions).map(PartitionId).collect();
    let taken = store.acquire(&all, ProducerId(Uuid::new_v4()), 60_000).await.unwrap();
    for (partition, taken) in all.into_iter().zip(taken) {
        let Acquired::Owned { epoch, previous, .. } = taken else { continue };
        let Some((old, seq)) = previous else { continue };
        assert!(epoch > old);
        assert!(!store.is_lost(partition, old, seq).await.unwrap());
    }
    Found { records, timers }
}
