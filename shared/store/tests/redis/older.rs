//! Processes of version 0.1 beside us: each reads what the other has written of an attempt.

use millrace_domain::{TaskId, Timestamp};
use millrace_servers::Redis;
use millrace_store::redis::RedisStore;
use millrace_store::{
    Claim, ClaimStore, ClaimVerdict, Finish, FinishVerdict, ReadStore, Revoke, Revoked, TaskRecord,
    WatchStore,
};

use crate::fixture::{Owner, P, answer, ask, claim_of, connect};

const RESULT: &str = r#"{"a":"b|c"}"#;

fn key(task: TaskId) -> String {
    format!("millrace:{{{P}}}:run:{}", task.run)
}

async fn claimed(store: &RedisStore, owner: &mut Owner) -> Claim {
    let claim = claim_of(owner.create(store).await);
    assert_eq!(store.claim(std::slice::from_ref(&claim)).await.unwrap(), [ClaimVerdict::Granted]);
    claim
}

fn finish_of(claim: &Claim) -> Finish {
    Finish { task: claim.task, token: claim.token, result: RESULT.to_owned() }
}

/// The expressions are those of version 0.1, in its scripts `claim`, `finish` and `revoke`, and in its reader.
#[tokio::test]
async fn what_we_write_of_an_attempt_is_read_by_version_0_1() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let (ended, back) = (claimed(&store, &mut owner).await, claimed(&store, &mut owner).await);
    store.finish(&[finish_of(&ended)]).await.unwrap();
    store.revoke(P, owner.epoch, &[(back.task, Revoke::Anyway)]).await.unwrap();

    let read = "local record = redis.call('HGET', KEYS[1], 't0:1') or 'none' \
        return {string.sub(record, 1, 1), string.match(record, '^f|%x+|(.*)$') or 'none'}";
    for (task, said) in [(ended.task, ["f", RESULT]), (back.task, ["x", "none"])] {
        let answered: Vec<String> = answer(&server, &["EVAL", read, "1", &key(task)]).await;
        assert_eq!(answered, said);
        let record: String = answer(&server, &["HGET", &key(task), "t0:1"]).await;
        let (phase, rest) = record.split_once('|').unwrap_or((&record, ""));
        assert_eq!(phase, said[0], "{record}");
        assert!(phase == "x" || rest.split_once('|').is_some_and(|(_, result)| result == RESULT), "{record}");
    }
}

#[tokio::test]
async fn what_version_0_1_wrote_of_an_attempt_is_read_by_us() {
    let server = Redis::start(&[]);
    let store = connect(&server).await;
    let mut owner = Owner::of(&store, P).await;
    let (ended, back) = (claimed(&store, &mut owner).await, claimed(&store, &mut owner).await);
    ask(&server, &["HSET", &key(ended.task), "t0:1", &format!("f|{}|{RESULT}", ended.token)]).await;
    ask(&server, &["HSET", &key(back.task), "t0:1", "x"]).await;

    let finished = TaskRecord::Finished { result: RESULT.to_owned(), dispatched_at: None };
    let revoked = TaskRecord::Revoked { dispatched_at: None, unclaimed: false };
    let records = store.tasks(&[ended.task, back.task]).await.unwrap();
    assert_eq!(records, [Some(finished), Some(revoked)]);
    let run = store.load_runs(&[ended.task.run]).await.unwrap().remove(0).unwrap();
    assert_eq!(run.attempts(), [(ended.task.unit, 1, Timestamp::default())]);

    let finished = ClaimVerdict::Finished { result: RESULT.to_owned() };
    assert_eq!(store.claim(&[claim_of(ended.task)]).await.unwrap(), [finished]);
    assert_eq!(store.finish(&[finish_of(&ended)]).await.unwrap(), [FinishVerdict::Stored]);
    let asked = [(ended.task, Revoke::Anyway), (back.task, Revoke::Anyway)];
    let revoked = store.revoke(P, owner.epoch, &asked).await.unwrap();
    assert_eq!(revoked, [Revoked::Finished { result: RESULT.to_owned() }, Revoked::Done]);
}
