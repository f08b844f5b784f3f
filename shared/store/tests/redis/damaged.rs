//! What is stored, and damaged.

use millrace_domain::{PartitionId, RunId, Timestamp};
use millrace_servers::Redis;
use millrace_store::{
    ClaimStore, ClaimVerdict, ClusterStore, Finish, FinishVerdict, Letter, Membership, PartitionStore,
    ReadStore, RowDelta, RunDelta, Standing, StoreError, Table, TaskRecord, Verdict, WatchStore,
};
use uuid::Uuid;

use crate::fixture::{Owner, P, ask, claim_of, cluster, connect, creation, ending};

#[tokio::test]
async fn who_has_joined_goes_on_when_what_is_fixed_for_the_cluster_is_damaged() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut member = Membership::new("classic");
    member.found(&store, &cluster(), true).await.unwrap();
    for damage in
        [&["HSET", "millrace:meta", "partitions", "many"][..], &["SET", "millrace:meta", "nonsense"]]
    {
        ask(&server, damage).await;
        assert_eq!(member.look(&store).await.unwrap(), Standing::Member);
        let refused = Membership::new("classic").look(&store).await;
        assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
    }
    ask(&server, &["DEL", "millrace:meta"]).await;
    assert!(matches!(member.look(&store).await.unwrap(), Standing::Emptied(_)));
    assert_eq!(store.cluster().await.unwrap().0.unwrap().partitions, 64);
}

#[tokio::test]
async fn a_run_that_somebody_spoiled_does_not_stand_in_the_way_of_the_others() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let (spoiled, sound) = (owner.create(&store).await, owner.create(&store).await);
    let key = format!("millrace:{{{P}}}:run:{}", spoiled.run);
    ask(&server, &["SET", &key, "nonsense"]).await;

    let mut commit = owner.next();
    for task in [spoiled, sound] {
        let mut delta = RunDelta::new(task.run);
        delta.head = Some("changed".to_owned());
        commit.runs.push(delta);
    }
    assert_eq!(store.commit(&[commit]).await.unwrap(), [Verdict::Applied { duplicates: vec![] }]);
    assert_eq!(store.load_runs(&[sound.run]).await.unwrap().remove(0).unwrap().head, "changed");

    let records = store.tasks(&[spoiled, sound]).await.unwrap();
    assert!(matches!(records[..], [None, Some(TaskRecord::Queued { .. })]), "{records:?}");
    let claims = [claim_of(spoiled), claim_of(sound)];
    assert_eq!(store.claim(&claims).await.unwrap(), [ClaimVerdict::Stale, ClaimVerdict::Granted]);
    let finishes =
        claims.map(|claim| Finish { task: claim.task, token: claim.token, result: "{}".to_owned() });
    assert_eq!(store.finish(&finishes).await.unwrap(), [FinishVerdict::Stale, FinishVerdict::Stored]);
}

#[tokio::test]
async fn letters_and_rows_that_somebody_spoiled_stand_in_nobodys_way() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    for key in ["letters", "table:locks"] {
        ask(&server, &["SET", &format!("millrace:{{{P}}}:{key}"), "nonsense"]).await;
    }
    let (locks, audit, at) = (Table("locks"), Table("audit"), Timestamp::from_millis(1));
    let run = RunId::new(Uuid::now_v7(), P);
    let mut commit = owner.next();
    commit.runs.push(creation(run, "adhoc", false));
    commit.letters.push(Letter { n: 0, at, to: PartitionId(1), body: "{}".to_owned() });
    commit.tables = vec![RowDelta::put(locks, "a", "1"), RowDelta::put(audit, "a", "2")];
    assert_eq!(store.commit(&[commit]).await.unwrap(), [Verdict::Applied { duplicates: vec![] }]);
    assert!(store.load_runs(&[run]).await.unwrap()[0].is_some());
    assert_eq!(store.read_table(P, audit).await.unwrap(), [("a".to_owned(), "2".to_owned())]);
    let renewed = store.renew(&[(P, owner.epoch)], 60_000, Timestamp::from_millis(9)).await;
    assert_eq!(renewed.unwrap(), [Some(owner.seq)]);
    let read = store.letters(P, at, None, 10).await;
    assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
    let read = store.read_table(P, locks).await;
    assert!(matches!(read, Err(StoreError::Corrupt(_))), "{read:?}");
}

#[tokio::test]
async fn a_letter_that_cannot_be_read_does_not_hide_the_others() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let at = Timestamp::from_millis(5);
    let mut commit = owner.next();
    commit.letters = (0..3).map(|n| Letter { n, at, to: PartitionId(1), body: "{}".to_owned() }).collect();
    store.commit(std::slice::from_ref(&commit)).await.unwrap();
    let key = format!("millrace:{{{P}}}:letters");
    for spoiled in ["!", "0:1:2", "zzz"] {
        ask(&server, &["ZADD", &key, "5", spoiled]).await;
    }
    let first = store.letters(P, at, None, 1).await.unwrap();
    let rest = store.letters(P, at, first.last(), 2).await.unwrap();
    let read: Vec<_> = first.iter().chain(&rest).map(|one| &one.letter).collect();
    assert_eq!(read, commit.letters.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_run_that_somebody_spoiled_keeps_no_other_from_being_forgotten() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let (spoiled, sound) = (owner.create(&store).await, owner.create(&store).await);
    let mut commit = owner.next();
    commit.runs = vec![ending(spoiled), ending(sound)];
    store.commit(&[commit]).await.unwrap();
    ask(&server, &["SET", &format!("millrace:{{{P}}}:run:{}", spoiled.run), "nonsense"]).await;
    assert_eq!(store.expire(P, Timestamp::from_millis(1), 10).await.unwrap(), 2);
    assert_eq!(store.load_runs(&[spoiled.run, sound.run]).await.unwrap(), [None, None]);
}
