//! Scripts: lost ones are loaded again, and each keeps to one slot.

use millrace_domain::{PartitionId, RunId, StepIndex, TaskId, Timestamp};
use millrace_servers::Redis;
use millrace_store::redis::{Options, RedisStore};
use millrace_store::{
    ClaimStore, ClaimVerdict, ClusterStore, Finish, FinishVerdict, Letter, LogStore, PartitionStore,
    ReadStore, RowDelta, RunQuery, SessionStore, Table, Timer, Verdict, WatchStore,
};
use uuid::Uuid;

use crate::fixture::{Owner, P, ask, claim_of, cluster, connect, creation, ending, name, session, until};

#[tokio::test]
async fn lost_scripts_are_loaded_again() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let task = owner.create(&store).await;
    ask(&server, &["SCRIPT", "FLUSH"]).await;
    assert_eq!(store.claim(&[claim_of(task)]).await.unwrap(), [ClaimVerdict::Granted]);
    ask(&server, &["SCRIPT", "FLUSH"]).await;
    let commits = [owner.next(), owner.next()];
    let applied = Verdict::Applied { duplicates: vec![] };
    assert_eq!(store.commit(&commits).await.unwrap(), [applied.clone(), applied]);
}

#[tokio::test]
async fn every_call_keeps_to_one_slot_as_a_cluster_demands() {
    // The port of its bus is else the server's own and 10,000, which may be among those of outgoing connections.
    let bus = millrace_servers::free_port().to_string();
    let server = Redis::start(&["--cluster-enabled", "yes", "--cluster-port", &bus]);
    ask(&server, &["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).await;
    let options = Options::new(server.url());
    let store = RedisStore::connect(options).await.unwrap();
    until("the cluster is up", || async { store.found(&cluster()).await.is_ok() }).await;

    let mut owner = Owner::of(&store, P).await;
    let mut commit = owner.next();
    let run = RunId::new(Uuid::now_v7(), P);
    let mut delta = creation(run, "daily", true);
    delta.timers.push((Timestamp::from_millis(5), Timer::Start(run)));
    commit.runs.push(delta);
    commit.workflows.push(millrace_store::WorkflowDelta::Put {
        workflow: name("daily"),
        version: 1,
        source: "source".into(),
        head: "head".to_owned(),
    });
    let at = Timestamp::from_millis(5);
    commit.letters.push(Letter { n: 0, at, to: PartitionId(1), body: "{}".to_owned() });
    commit.tables = vec![RowDelta::put(Table("locks"), "a", "1"), RowDelta::delete(Table("audit"), "b")];
    store.commit(&[commit]).await.unwrap();
    let letters = store.letters(P, at, None, 10).await.unwrap();
    assert_eq!(store.letters(P, at, letters.first(), 10).await.unwrap(), []);
    assert_eq!(store.read_table(P, Table("locks")).await.unwrap().len(), 1);
    assert_eq!(store.renew(&[(P, owner.epoch)], 60_000, at).await.unwrap(), [Some(owner.seq)]);
    let task = TaskId { run, unit: StepIndex(0).into(), attempt: 1 };
    let claim = claim_of(task);
    assert_eq!(store.claim(std::slice::from_ref(&claim)).await.unwrap(), [ClaimVerdict::Granted]);
    store.hand_back(&[(task, claim.token)]).await.unwrap();
    store.claim(std::slice::from_ref(&claim)).await.unwrap();
    let finish = Finish { task, token: claim.token, result: "{}".to_owned() };
    assert_eq!(store.finish(&[finish]).await.unwrap(), [FinishVerdict::Stored]);
    store
        .set_looks(P, owner.epoch, Timestamp::from_millis(i64::MAX), &[(Timestamp::from_millis(1), task)])
        .await
        .unwrap();
    store.revoke(P, owner.epoch, &[(task, millrace_store::Revoke::Anyway)]).await.unwrap();
    store.watched(P, Timestamp::default()..=Timestamp::from_millis(i64::MAX), 0, 10).await.unwrap();
    store.timers(P, Some((Timestamp::from_millis(4), Timer::Start(run))), 10).await.unwrap();
    let line = millrace_store::LogChunk {
        at: Timestamp::from_millis(1),
        stream: millrace_store::LogStream::Stdout,
        text: "hello".to_owned(),
    };
    store.append_log(task, std::slice::from_ref(&line), 100).await.unwrap();
    assert_eq!(store.read_log(task, 0, 10).await.unwrap(), [line]);
    let mut end = owner.next();
    end.runs.push(ending(task));
    store.commit(&[end]).await.unwrap();
    let query = RunQuery { partitions: 64, limit: 10, workflow: Some(name("daily")), after: None };
    assert_eq!(store.list_runs(&query).await.unwrap().len(), 1);
    store.load_runs(&[run]).await.unwrap();
    assert_eq!(store.expire(P, Timestamp::from_millis(i64::MAX), 0).await.unwrap(), 1);
    assert!(store.list_runs(&query).await.unwrap().is_empty());
    assert_eq!(store.list_workflows(P).await.unwrap().len(), 1);
    assert!(store.load_workflow(P, &name("daily"), None).await.unwrap().is_some());
    let session = session();
    store.renew_session(&session).await.unwrap();
    store.sessions().await.unwrap();
    store.end_session(session.id).await.unwrap();
    store.meet(owner.id, 1_000).await.unwrap();
    store.leave(owner.id).await.unwrap();
    store.release(&[(P, owner.epoch)]).await.unwrap();
}
