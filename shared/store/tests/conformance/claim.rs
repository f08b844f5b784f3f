//! Claims, finishes and hand-backs.

use futures_util::future::join_all;
use millrace_domain::RunId;
use millrace_store::{Claim, ClaimVerdict, Finish, FinishVerdict, Revoke, Revoked, RunDelta, TaskRecord};
use uuid::Uuid;

use crate::fixture::*;

on_every_store!(
    a_queued_attempt_is_granted_and_says_since_when,
    the_same_token_asked_again_gets_the_same_answer,
    another_token_is_told_who_holds_it,
    a_finished_attempt_answers_its_result,
    what_is_not_the_current_attempt_is_stale,
    one_of_many_claimers_at_the_same_time_is_granted,
    claims_answer_in_order_over_several_partitions,
    two_claims_of_one_attempt_in_one_batch_are_granted_once,
    empty_batches_answer_nothing,
    a_finish_is_stored_and_sent_again_is_stored_still,
    a_finish_needs_the_token_of_the_claim,
    a_finish_of_a_retired_attempt_is_stale,
    finishes_answer_in_order_over_several_partitions,
    a_large_result_is_kept_whole,
    an_attempt_handed_back_can_be_claimed_by_somebody_else,
    a_hand_back_needs_the_token_of_the_claim,
    a_finished_attempt_cannot_be_handed_back,
    tasks_answer_in_order,
    an_attempt_keeps_when_it_was_dispatched_whatever_becomes_of_it,
);

fn claim_of(task: millrace_domain::TaskId) -> Claim {
    Claim { task, token: token(), session: session() }
}

async fn a_queued_attempt_is_granted_and_says_since_when(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let task = owner.queued().await;
    assert_eq!(
        stands(&store, task).await,
        Some(TaskRecord::Queued { dispatched_at: at(2_000), lane: lane() })
    );
    let claim = claim_of(task);
    let before = store.now().await.unwrap();
    assert_eq!(claim_one(&store, &claim).await, ClaimVerdict::Granted);
    let after = store.now().await.unwrap();
    let record = stands(&store, task).await;
    let Some(TaskRecord::Claimed { session, claimed_at, dispatched_at }) = record else {
        panic!("{record:?}")
    };
    assert_eq!((session, dispatched_at), (claim.session, at(2_000)));
    assert!(before <= claimed_at && claimed_at <= after);
}

async fn the_same_token_asked_again_gets_the_same_answer(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let claim = owner.claimed().await;
    let record = stands(&store, claim.task).await;
    for _ in 0..3 {
        assert_eq!(claim_one(&store, &claim).await, ClaimVerdict::Granted);
    }
    assert_eq!(stands(&store, claim.task).await, record);
}

async fn another_token_is_told_who_holds_it(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let claim = owner.claimed().await;
    let held = ClaimVerdict::Held { session: claim.session };
    let same_worker = Claim { token: token(), ..claim.clone() };
    for other in [claim_of(claim.task), same_worker] {
        assert_eq!(claim_one(&store, &other).await, held);
        assert_eq!(claim_one(&store, &other).await, held);
    }
    assert_eq!(finish_one(&store, &claim, "{}").await, FinishVerdict::Stored);
}

async fn a_finished_attempt_answers_its_result(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let claim = owner.finished("{\"outcome\":\"failed\"}").await;
    let finished = ClaimVerdict::Finished { result: "{\"outcome\":\"failed\"}".into() };
    assert_eq!(claim_one(&store, &claim_of(claim.task)).await, finished);
    assert_eq!(claim_one(&store, &claim).await, finished);
}

async fn what_is_not_the_current_attempt_is_stale(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let known = owner.queued().await;
    let delta = RunDelta { retired: vec![(known.unit, 1)], ..RunDelta::new(known.run) };
    owner.commit(vec![RunDelta { dispatched: vec![dispatched(0, 2)], ..delta }]).await;
    let elsewhere = RunId::new(Uuid::new_v4(), owner.partition);
    let nobodys = RunId::new(Uuid::new_v4(), millrace_domain::PartitionId(30));
    let stale = [
        known,
        task(known.run, 0, 3),
        task(known.run, 0, 22),
        task(known.run, 1, 2),
        task(elsewhere, 0, 1),
        task(nobodys, 0, 1),
    ];
    for task in stale {
        let (claimed, finished) = match task.run == known.run {
            true => (ClaimVerdict::Stale, FinishVerdict::Stale),
            false => (ClaimVerdict::Unknown, FinishVerdict::Unknown),
        };
        assert_eq!(claim_one(&store, &claim_of(task)).await, claimed, "{task}");
        assert_eq!(finish_one(&store, &claim_of(task), "{}").await, finished, "{task}");
        assert_eq!(stands(&store, task).await, None, "{task}");
    }
    assert_eq!(load(&store, elsewhere).await, None);
    assert_eq!(claim_one(&store, &claim_of(task(known.run, 0, 2))).await, ClaimVerdict::Granted);
}

async fn one_of_many_claimers_at_the_same_time_is_granted(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    for _ in 0..10 {
        let task = owner.queued().await;
        let claims: Vec<_> = (0..50).map(|_| claim_of(task)).collect();
        let asked = claims.iter().map(|claim| {
            let (store, claim) = (store.clone(), claim.clone());
            tokio::spawn(async move { claim_one(&store, &claim).await })
        });
        let verdicts: Vec<_> = join_all(asked).await.into_iter().map(Result::unwrap).collect();
        let granted: Vec<_> =
            claims.iter().zip(&verdicts).filter(|(_, verdict)| **verdict == ClaimVerdict::Granted).collect();
        let [(winner, _)] = granted[..] else { panic!("{} were granted", granted.len()) };
        for (claim, verdict) in claims.iter().zip(&verdicts) {
            if claim != winner {
                assert_eq!(*verdict, ClaimVerdict::Held { session: winner.session });
            }
        }
    }
}

async fn claims_answer_in_order_over_several_partitions(store: Given) {
    let mut claims = Vec::new();
    let mut expected = Vec::new();
    for round in 0..3 {
        for partition in [4, 1, 3, 2] {
            let mut owner = Owner::of(&store, partition + 10 * round).await;
            let claim = match partition {
                1 => {
                    let claim = owner.claimed().await;
                    expected.push(ClaimVerdict::Held { session: claim.session });
                    claim_of(claim.task)
                }
                2 => {
                    expected.push(ClaimVerdict::Finished { result: format!("{round}") });
                    claim_of(owner.finished(&format!("{round}")).await.task)
                }
                3 => {
                    expected.push(ClaimVerdict::Unknown);
                    claim_of(task(owner.new_run(), 0, 1))
                }
                _ => {
                    expected.push(ClaimVerdict::Granted);
                    claim_of(owner.queued().await)
                }
            };
            claims.push(claim);
        }
    }
    assert_eq!(store.claim(&claims).await.unwrap(), expected);
    assert_eq!(store.claim(&claims).await.unwrap(), expected);
}

async fn two_claims_of_one_attempt_in_one_batch_are_granted_once(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let task = owner.queued().await;
    let (one, other) = (claim_of(task), claim_of(task));
    let held = ClaimVerdict::Held { session: one.session };
    let verdicts = store.claim(&[one.clone(), other, one]).await.unwrap();
    assert_eq!(verdicts, [ClaimVerdict::Granted, held, ClaimVerdict::Granted]);
}

async fn empty_batches_answer_nothing(store: Given) {
    assert_eq!(store.claim(&[]).await.unwrap(), []);
    assert_eq!(store.finish(&[]).await.unwrap(), []);
    assert_eq!(store.tasks(&[]).await.unwrap(), []);
    store.hand_back(&[]).await.unwrap();
}

async fn a_finish_is_stored_and_sent_again_is_stored_still(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let claim = owner.claimed().await;
    assert_eq!(finish_one(&store, &claim, "first").await, FinishVerdict::Stored);
    assert_eq!(finish_one(&store, &claim, "first").await, FinishVerdict::Stored);
    // The first word stands.
    finish_one(&store, &claim, "second").await;
    assert_eq!(stands(&store, claim.task).await, Some(finished("first")));
    let twice = Finish { task: claim.task, token: claim.token, result: "first".into() };
    let verdicts = store.finish(&[twice.clone(), twice]).await.unwrap();
    assert_eq!(verdicts, [FinishVerdict::Stored, FinishVerdict::Stored]);
}

async fn a_finish_needs_the_token_of_the_claim(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let unclaimed = claim_of(owner.queued().await);
    assert_eq!(finish_one(&store, &unclaimed, "{}").await, FinishVerdict::Stale);
    assert!(matches!(stands(&store, unclaimed.task).await, Some(TaskRecord::Queued { .. })));

    let claim = owner.claimed().await;
    let record = stands(&store, claim.task).await;
    assert_eq!(finish_one(&store, &claim_of(claim.task), "{}").await, FinishVerdict::Stale);
    assert_eq!(stands(&store, claim.task).await, record);

    let ended = owner.finished("mine").await;
    assert_eq!(finish_one(&store, &claim_of(ended.task), "{}").await, FinishVerdict::Stale);
    assert_eq!(stands(&store, ended.task).await, Some(finished("mine")));
}

async fn a_finish_of_a_retired_attempt_is_stale(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let claim = owner.claimed().await;
    let retired = vec![(claim.task.unit, claim.task.attempt)];
    owner.commit(vec![RunDelta { retired, ..RunDelta::new(claim.task.run) }]).await;
    assert_eq!(finish_one(&store, &claim, "{}").await, FinishVerdict::Stale);
    assert_eq!(load(&store, claim.task.run).await.unwrap().tasks, []);
}

async fn finishes_answer_in_order_over_several_partitions(store: Given) {
    let mut finishes = Vec::new();
    let mut expected = Vec::new();
    for partition in [4, 1, 3, 2, 8, 5, 7, 6] {
        let claim = Owner::of(&store, partition).await.claimed().await;
        let ours = partition % 2 == 0;
        let token = if ours { claim.token } else { token() };
        finishes.push(Finish { task: claim.task, token, result: format!("result {partition}") });
        expected.push(if ours { FinishVerdict::Stored } else { FinishVerdict::Stale });
    }
    assert_eq!(store.finish(&finishes).await.unwrap(), expected);
    let tasks: Vec<_> = finishes.iter().map(|finish| finish.task).collect();
    let records = store.tasks(&tasks).await.unwrap();
    for ((record, finish), verdict) in records.into_iter().zip(finishes).zip(expected) {
        let is_stored = record == Some(finished(&finish.result));
        assert_eq!(is_stored, verdict == FinishVerdict::Stored);
    }
}

async fn a_large_result_is_kept_whole(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let result = "{\"text\":\"水|\"}".repeat(1 << 16);
    let claim = owner.finished(&result).await;
    assert!(claim_one(&store, &claim_of(claim.task)).await == ClaimVerdict::Finished { result });
}

async fn an_attempt_handed_back_can_be_claimed_by_somebody_else(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let first = owner.claimed().await;
    store.hand_back(&[(first.task, first.token)]).await.unwrap();
    assert_eq!(
        stands(&store, first.task).await,
        Some(TaskRecord::Queued { dispatched_at: at(2_000), lane: lane() })
    );
    assert_eq!(finish_one(&store, &first, "{}").await, FinishVerdict::Stale);

    let second = claim_of(first.task);
    assert_eq!(claim_one(&store, &second).await, ClaimVerdict::Granted);
    // Sent again after a lost reply.
    store.hand_back(&[(first.task, first.token)]).await.unwrap();
    assert_eq!(claim_one(&store, &first).await, ClaimVerdict::Held { session: second.session });
    assert_eq!(finish_one(&store, &second, "{}").await, FinishVerdict::Stored);
}

async fn a_hand_back_needs_the_token_of_the_claim(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let mine = owner.claimed().await;
    let (theirs, queued) = (Owner::of(&store, 2).await.claimed().await, owner.queued().await);
    let gone = task(owner.new_run(), 0, 1);
    let later = task(mine.task.run, 0, 2);
    let asked = [
        (gone, token()),
        (later, mine.token),
        (mine.task, mine.token),
        (theirs.task, token()),
        (queued, token()),
    ];
    store.hand_back(&asked).await.unwrap();
    let records = store.tasks(&[mine.task, theirs.task, queued, gone, later]).await.unwrap();
    assert!(matches!(records[0], Some(TaskRecord::Queued { .. })));
    assert!(matches!(records[1], Some(TaskRecord::Claimed { session, .. }) if session == theirs.session));
    assert!(matches!(records[2], Some(TaskRecord::Queued { .. })));
    assert_eq!(records[3..], [None, None]);
}

async fn a_finished_attempt_cannot_be_handed_back(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let claim = owner.finished("done").await;
    store.hand_back(&[(claim.task, claim.token)]).await.unwrap();
    assert_eq!(stands(&store, claim.task).await, Some(finished("done")));
}

async fn tasks_answer_in_order(store: Given) {
    let mut asked = Vec::new();
    for partition in [3, 1, 2] {
        let mut owner = Owner::of(&store, partition).await;
        asked.push(owner.finished(&partition.to_string()).await.task);
        asked.push(task(owner.new_run(), 0, 1));
    }
    let ended = |text: &str| Some(finished(text));
    let expected = [ended("3"), None, ended("1"), None, ended("2"), None];
    assert_eq!(store.tasks(&asked).await.unwrap(), expected);
}

async fn an_attempt_keeps_when_it_was_dispatched_whatever_becomes_of_it(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let (queued, claimed) = (owner.queued().await, owner.claimed().await.task);
    let finished = owner.finished("{\"a\":\"b|c\"}").await;
    let (unclaimed, forced) = (owner.queued().await, owner.claimed().await.task);
    let again = owner.claimed().await;
    store.hand_back(&[(again.task, again.token)]).await.unwrap();
    assert_eq!(claim_one(&store, &claim_of(again.task)).await, ClaimVerdict::Granted);
    let asked = [(unclaimed, Revoke::Unclaimed), (forced, Revoke::Anyway)];
    let revoked = store.revoke(owner.partition, owner.epoch, &asked).await.unwrap();
    assert_eq!(revoked, [Revoked::Unclaimed, Revoked::Done]);

    let all = [queued, claimed, finished.task, unclaimed, forced, again.task];
    for (task, record) in all.iter().zip(store.tasks(&all).await.unwrap()) {
        let record = record.unwrap_or_else(|| panic!("{task} is gone"));
        assert_eq!(record.dispatched_at(), Some(at(2_000)), "{record:?}");
        let run = load(&store, task.run).await.unwrap();
        assert_eq!(run.attempts(), [(task.unit, task.attempt, at(2_000))]);
        assert_eq!(run.tasks, [(task.unit, task.attempt, record)]);
    }
    // With it, a finished attempt answers as ever.
    let ended = ClaimVerdict::Finished { result: "{\"a\":\"b|c\"}".into() };
    assert_eq!(claim_one(&store, &claim_of(finished.task)).await, ended);
    assert_eq!(finish_one(&store, &finished, "again").await, FinishVerdict::Stored);
    assert_eq!(finish_one(&store, &claim_of(finished.task), "again").await, FinishVerdict::Stale);
}
