//! A run that was skipped, as a newer version may leave one behind: it has ended, and nothing of it has failed.

use std::path::Path;

use millrace_domain::{ProducerId, RunId, Seq, StepIndex, Timestamp};
use millrace_store::sqlite::SqliteStore;
use millrace_store::{Acquired, ClusterStore, Commit, PartitionStore, ReadStore, RunDelta, Timer, Verdict};
use serde_json::{Value, json};

use crate::dev::Dev;

const REASON: &str = "another run of it was under way";

/// Ends a run that waits for its start, as its owner would.
async fn skip(database: &Path, run: RunId) {
    let store = SqliteStore::open(database).unwrap();
    let partition = run.partition();
    let producer = ProducerId(uuid::Uuid::new_v4());
    let acquired = store.acquire(&[partition], producer, 60_000).await.unwrap().remove(0);
    let Acquired::Owned { epoch, .. } = acquired else { panic!("{acquired:?}") };
    let stored = store.load_runs(&[run]).await.unwrap().remove(0).unwrap();
    let mut head: Value = serde_json::from_str(&stored.head).unwrap();
    let now = store.now().await.unwrap();
    head["state"] = json!("skipped");
    head["reason"] = json!(REASON);
    head["ended_at"] = json!(now.as_millis());
    let end =
        json!({"s": "ended", "outcome": "skipped", "attempts": {"attempt": 0}, "ended_at": now.as_millis()});
    let mut delta = RunDelta::new(run);
    delta.head = Some(head.to_string());
    delta.steps.push((StepIndex(0).into(), end.to_string()));
    delta.cleared.push(Timer::Start(run));
    delta.expires_at = Some(now + std::time::Duration::from_secs(3600));
    let mut commit = Commit::new(partition, epoch, Seq(1), Timestamp::default());
    commit.runs.push(delta);
    assert_eq!(store.commit(&[commit]).await.unwrap(), [Verdict::Applied { duplicates: Vec::new() }]);
    store.release(&[(partition, epoch)]).await.unwrap();
}

#[test]
fn a_run_that_was_skipped_is_shown_listed_and_waited_for_as_one_that_has_ended() {
    let dev = Dev::start(&[]);
    let id = dev.cli(&["submit", "--delay", "1h", "--", "true"]).with(0).stdout.trim().to_owned();
    let (folder, database) = (dev.shared_folder(), dev.path("state").join("state.db"));
    assert_eq!(dev.stop(), 0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(skip(&database, id.parse().unwrap()));

    let dev = Dev::start_in(folder, &[]);
    let run = dev.ended(&id);
    assert_eq!(
        (&run["state"], &run["reason"], &run["steps"][0]["state"]),
        (&json!("skipped"), &json!(REASON), &json!("skipped"))
    );
    let listed = |state: &str| dev.get(&format!("/api/v1/runs?state={state}")).json(200)["runs"].clone();
    assert_eq!(
        (listed("skipped")[0]["id"].as_str(), listed("skipped")[0]["state"].as_str()),
        (Some(id.as_str()), Some("skipped"))
    );
    for other in ["waiting", "running", "succeeded", "failed", "cancelled"] {
        assert_eq!(listed(other), json!([]), "{other}");
    }
    let rows = dev.cli(&["runs", "list", "--state", "skipped", "-o", "json"]).with(0).json();
    assert_eq!((rows[0]["id"].as_str(), rows[1].clone()), (Some(id.as_str()), Value::Null));
    assert_eq!(dev.get(&format!("/api/v1/tasks/{id}/status")).json(200)["status"], "skipped");

    let watched = dev.cli(&["runs", "watch", &id]).with(0);
    assert!(watched.stdout.contains(&format!("run {id} skipped")), "{watched:?}");
    let cancelled = dev.cli(&["runs", "cancel", &id]).with(0);
    assert!(cancelled.stdout.contains(&format!("{id} had ended before: skipped: {REASON}")), "{cancelled:?}");
    dev.post(&format!("/api/v1/runs/{id}/cancel"), "").json(202);
    assert_eq!(dev.run(&id), run, "it stays as it ended");
    let said = dev.said.lock().unwrap().clone();
    assert!(!said.contains("failed"), "{said}");
}
