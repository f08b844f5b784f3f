//! Full memory.

use millrace_domain::{PartitionId, RunId, Seq, Timestamp};
use millrace_servers::Redis;
use millrace_store::{
    ClaimStore, ClusterStore, Finish, FinishVerdict, Letter, PartitionStore, RowDelta, SessionStore,
    StoreError, Table, Verdict, WatchStore,
};
use uuid::Uuid;

use crate::fixture::{Owner, P, ask, claim_of, connect, creation, ending, session};

#[tokio::test]
async fn with_full_memory_what_runs_can_end_and_nothing_new_is_taken() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let task = owner.create(&store).await;
    let waiting = owner.create(&store).await;
    let claim = claim_of(task);
    store.claim(std::slice::from_ref(&claim)).await.unwrap();
    ask(&server, &["CONFIG", "SET", "maxmemory", "1"]).await;

    let mut creating = owner.next();
    creating.runs.push(creation(RunId::new(Uuid::now_v7(), P), "adhoc", false));
    owner.seq = Seq(owner.seq.0 - 1);
    // A verdict each: what is behind it in another partition goes on, and it says which one was refused.
    let mut other = Owner::of(&store, PartitionId(4)).await;
    let verdicts = store.commit(&[creating, other.next()]).await.unwrap();
    assert!(matches!(&verdicts[..], [Verdict::Full { .. }, Verdict::Applied { .. }]), "{verdicts:?}");
    assert!(matches!(store.claim(&[claim_of(waiting)]).await, Err(StoreError::Full(_))));

    let finish = Finish { task, token: claim.token, result: "{}".to_owned() };
    assert_eq!(store.finish(&[finish]).await.unwrap(), [FinishVerdict::Stored]);
    store.renew_session(&session()).await.unwrap();
    store.meet(owner.id, 1_000).await.unwrap();
    assert_eq!(
        store.renew(&[(P, owner.epoch)], 10_000, Timestamp::default()).await.unwrap(),
        [Some(owner.seq)]
    );
    // It tells others of it, too.
    let mut end = owner.next();
    let mut delta = ending(task);
    let at = Timestamp::from_millis(1);
    delta.letters.push(Letter { n: 0, at, to: PartitionId(1), body: "{}".to_owned() });
    delta.tables.push(RowDelta::put(Table("locks"), "a", "1"));
    end.runs.push(delta);
    let mut silent = owner.next();
    silent.letters.push(Letter { n: 0, at, to: PartitionId(1), body: "{}".to_owned() });
    silent.tables.push(RowDelta::delete(Table("locks"), "a"));
    let applied = Verdict::Applied { duplicates: vec![] };
    assert_eq!(store.commit(&[end, silent]).await.unwrap(), [applied.clone(), applied]);
    assert_eq!(store.letters(P, at, None, 10).await.unwrap().len(), 2);
    assert_eq!(store.read_table(P, Table("locks")).await.unwrap(), []);
    assert_eq!(store.expire(P, Timestamp::from_millis(1), 10).await.unwrap(), 1);
    store.release(&[(P, owner.epoch)]).await.unwrap();
    Owner::of(&store, P).await;
}

#[tokio::test]
async fn a_commit_that_was_applied_before_memory_was_full_is_not_taken_for_refused() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let run = RunId::new(Uuid::now_v7(), P);
    let mut creating = [owner.next(), owner.next()];
    creating[0].runs.push(creation(run, "adhoc", false));
    creating[1].runs.push(creation(run, "adhoc", false));
    let [first, second] = &creating;
    store.commit(std::slice::from_ref(first)).await.unwrap();
    let duplicate = store.commit(std::slice::from_ref(second)).await.unwrap();
    ask(&server, &["CONFIG", "SET", "maxmemory", "1"]).await;
    assert_eq!(store.commit(std::slice::from_ref(second)).await.unwrap(), duplicate);
    assert_eq!(duplicate, [Verdict::Applied { duplicates: vec![run] }]);
}

#[tokio::test]
async fn it_tells_how_full_it_is_while_a_limit_is_set() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    assert_eq!(store.fullness().await.unwrap().ratio(), None);
    ask(&server, &["CONFIG", "SET", "maxmemory", "1gb"]).await;
    let full = store.fullness().await.unwrap();
    assert_eq!(full.limit_bytes, Some(1 << 30));
    assert!(full.used_bytes > 100_000 && full.ratio().unwrap() < 0.5, "{full:?}");
}
