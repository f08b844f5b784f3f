//! Commits and expiry of many runs, and of large ones.

use std::time::{Duration, Instant};

use millrace_domain::{RunId, StepIndex, Timestamp};
use millrace_servers::Redis;
use millrace_store::{ClusterStore, PartitionStore, ReadStore, RunQuery, Verdict, WatchStore};
use uuid::Uuid;

use crate::fixture::{Owner, P, connect, creation, name};

#[tokio::test]
async fn a_commit_of_thousands_of_runs_and_one_of_a_very_large_run_are_applied_in_bounded_time() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    for count in [1_000, 9_000] {
        let mut commit = owner.next();
        let runs = (0..count).map(|_| creation(RunId::new(Uuid::now_v7(), P), "adhoc", false));
        commit.runs.extend(runs);
        let began = Instant::now();
        store.commit(&[commit]).await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(3), "{count} took {:?}", began.elapsed());
    }
    let mut commit = owner.next();
    let run = RunId::new(Uuid::now_v7(), P);
    let mut delta = creation(run, "large", false);
    delta.steps = (0..9_000).map(|step| (StepIndex(step).into(), "{}".to_owned())).collect();
    commit.runs.push(delta);
    store.commit(&[commit]).await.unwrap();
    assert_eq!(store.load_runs(&[run]).await.unwrap().remove(0).unwrap().steps.len(), 9_000);

    let query = RunQuery { partitions: 64, limit: 20_000, ..RunQuery::default() };
    assert_eq!(store.list_runs(&query).await.unwrap().len(), 10_001);
}

#[tokio::test]
async fn a_commit_with_a_duplicate_applies_the_rest_and_what_follows_and_answers_so_again() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let old = owner.create(&store).await.run;
    let (first, second) = (RunId::new(Uuid::now_v7(), P), RunId::new(Uuid::now_v7(), P));
    let mut commits = [owner.next(), owner.next()];
    commits[0].runs = vec![creation(old, "adhoc", false), creation(first, "adhoc", false)];
    commits[1].runs = vec![creation(second, "adhoc", false)];
    let (duplicate, plain) =
        (Verdict::Applied { duplicates: vec![old] }, Verdict::Applied { duplicates: vec![] });
    assert_eq!(store.commit(&commits[..1]).await.unwrap(), vec![duplicate.clone()]);
    assert_eq!(store.commit(&commits[..1]).await.unwrap(), [duplicate]);
    assert_eq!(store.commit(&commits[1..]).await.unwrap(), vec![plain.clone()]);
    assert!(store.load_runs(&[first, second]).await.unwrap().iter().all(Option::is_some));

    // Both at once: the one that follows is not fenced off by the wait of the first.
    let mut commits = [owner.next(), owner.next()];
    commits[0].runs = vec![creation(old, "adhoc", false)];
    let verdicts = store.commit(&commits).await.unwrap();
    assert_eq!(verdicts, [Verdict::Applied { duplicates: vec![old] }, plain]);
}

#[tokio::test]
async fn many_young_keyed_runs_do_not_stand_in_the_way_of_what_may_be_forgotten() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let now = store.now().await.unwrap();
    let mut commit = owner.next();
    let mut add = |keyed: bool, created_at: Timestamp, expires_at: i64| {
        let run = RunId::new(Uuid::now_v7(), P);
        let mut delta = creation(run, "daily", keyed);
        delta.create.as_mut().unwrap().created_at = created_at;
        delta.expires_at = Some(Timestamp::from_millis(expires_at));
        commit.runs.push(delta);
        run
    };
    let young: Vec<RunId> = (0..500).map(|_| add(true, now, 1)).collect();
    let old_keyed = add(true, now - Duration::from_secs(25 * 3_600), 2);
    let plain = add(false, now, 3);
    store.commit(&[commit]).await.unwrap();

    let mut forgotten = 0;
    while forgotten < 2 {
        let count = store.expire(P, Timestamp::from_millis(10), 1_000).await.unwrap();
        assert!(count > 0, "{forgotten} of 2 were forgotten");
        forgotten += count;
    }
    assert_eq!(store.expire(P, Timestamp::from_millis(10), 0).await.unwrap(), 0);
    assert_eq!(store.load_runs(&[old_keyed, plain]).await.unwrap(), [None, None]);
    assert!(store.load_runs(&young).await.unwrap().iter().all(Option::is_some));
    let query = RunQuery { partitions: 64, limit: 1_000, workflow: Some(name("daily")), after: None };
    assert_eq!(store.list_runs(&query).await.unwrap().len(), 500);
}
