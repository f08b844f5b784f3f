//! Taking attempts back.

use millrace_domain::{Epoch, TaskId};
use millrace_store::{Claim, ClaimVerdict, FinishVerdict, Revoke, Revoked, RunDelta, TaskRecord};

use crate::fixture::*;

on_every_store!(
    an_unclaimed_attempt_is_taken_back_and_nobody_gets_it,
    a_claimed_attempt_stays_when_only_unclaimed_ones_are_wanted,
    a_claimed_attempt_is_taken_from_the_session_that_is_named,
    a_claimed_attempt_is_taken_from_anybody,
    a_finished_attempt_is_not_taken_back_but_answers_its_result,
    taking_back_again_answers_the_same,
    what_was_claimed_and_handed_back_counts_as_unclaimed,
    what_is_not_the_current_attempt_is_gone,
    a_stale_epoch_takes_nothing_back,
    an_owner_takes_back_only_in_its_partition,
    an_attempt_taken_back_cannot_be_handed_back,
    after_a_taking_back_the_next_attempt_is_dispatched,
    a_claim_and_a_taking_back_at_the_same_time_do_not_both_succeed,
    a_finish_and_a_taking_back_at_the_same_time_do_not_both_succeed,
    takings_back_answer_in_order,
);

async fn revoke(owner: &Owner, task: TaskId, when: Revoke) -> Revoked {
    owner.store.revoke(owner.partition, owner.epoch, &[(task, when)]).await.unwrap().remove(0)
}

async fn an_unclaimed_attempt_is_taken_back_and_nobody_gets_it(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    for when in [Revoke::Unclaimed, Revoke::HeldBy(session()), Revoke::Anyway] {
        let task = owner.queued().await;
        assert_eq!(revoke(&owner, task, when).await, Revoked::Unclaimed);
        assert_eq!(stands(&store, task).await, Some(revoked_unclaimed()));
        let claim = Claim { task, token: token(), session: session() };
        assert_eq!(claim_one(&store, &claim).await, ClaimVerdict::Stale);
        assert_eq!(finish_one(&store, &claim, "{}").await, FinishVerdict::Stale);
    }
}

async fn a_claimed_attempt_stays_when_only_unclaimed_ones_are_wanted(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let claim = owner.claimed().await;
    let claimed = Revoked::Claimed { session: claim.session };
    assert_eq!(revoke(&owner, claim.task, Revoke::Unclaimed).await, claimed);
    assert_eq!(revoke(&owner, claim.task, Revoke::HeldBy(session())).await, claimed);
    assert_eq!(finish_one(&store, &claim, "{}").await, FinishVerdict::Stored);
}

async fn a_claimed_attempt_is_taken_from_the_session_that_is_named(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let claim = owner.claimed().await;
    assert_eq!(revoke(&owner, claim.task, Revoke::HeldBy(claim.session)).await, Revoked::Done);
    assert_eq!(finish_one(&store, &claim, "{}").await, FinishVerdict::Stale);
    assert_eq!(claim_one(&store, &claim).await, ClaimVerdict::Stale);
    assert_eq!(stands(&store, claim.task).await, Some(revoked()));
}

async fn a_claimed_attempt_is_taken_from_anybody(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let claim = owner.claimed().await;
    assert_eq!(revoke(&owner, claim.task, Revoke::Anyway).await, Revoked::Done);
    assert_eq!(finish_one(&store, &claim, "{}").await, FinishVerdict::Stale);
}

async fn a_finished_attempt_is_not_taken_back_but_answers_its_result(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let claim = owner.finished("the result").await;
    let finished = Revoked::Finished { result: "the result".into() };
    for when in [Revoke::Unclaimed, Revoke::HeldBy(claim.session), Revoke::Anyway] {
        assert_eq!(revoke(&owner, claim.task, when).await, finished);
    }
    assert_eq!(finish_one(&store, &claim, "the result").await, FinishVerdict::Stored);
}

async fn taking_back_again_answers_the_same(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let task = owner.claimed().await.task;
    assert_eq!(revoke(&owner, task, Revoke::Anyway).await, Revoked::Done);
    assert_eq!(revoke(&owner, task, Revoke::Anyway).await, Revoked::Done);
    assert_eq!(revoke(&owner, task, Revoke::Unclaimed).await, Revoked::Done);
    let queued = owner.queued().await;
    for when in [Revoke::Unclaimed, Revoke::Anyway, Revoke::HeldBy(session())] {
        assert_eq!(revoke(&owner, queued, when).await, Revoked::Unclaimed);
    }
}

async fn what_was_claimed_and_handed_back_counts_as_unclaimed(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let claim = owner.claimed().await;
    store.hand_back(&[(claim.task, claim.token)]).await.unwrap();
    assert_eq!(revoke(&owner, claim.task, Revoke::Unclaimed).await, Revoked::Unclaimed);
    assert_eq!(stands(&store, claim.task).await, Some(revoked_unclaimed()));
}

async fn what_is_not_the_current_attempt_is_gone(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let current = owner.queued().await;
    let retired = owner.queued().await;
    owner.commit(vec![RunDelta { retired: vec![(retired.unit, 1)], ..RunDelta::new(retired.run) }]).await;
    let gone = [task(current.run, 0, 2), task(current.run, 1, 1), retired, task(owner.new_run(), 0, 1)];
    for task in gone {
        assert_eq!(revoke(&owner, task, Revoke::Anyway).await, Revoked::Gone, "{task}");
        assert_eq!(stands(&store, task).await, None, "{task}");
    }
    assert!(matches!(stands(&store, current).await, Some(TaskRecord::Queued { .. })));
}

async fn a_stale_epoch_takes_nothing_back(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let (queued, finished) = (owner.queued().await, owner.finished("{}").await.task);
    let new = Owner::take(&store, 1, owner.id, LONG_MS).await;
    for epoch in [Epoch(0), owner.epoch, Epoch(new.epoch.0 + 1)] {
        let asked = [(queued, Revoke::Anyway), (finished, Revoke::Anyway)];
        let answers = store.revoke(owner.partition, epoch, &asked).await.unwrap();
        assert_eq!(answers, [Revoked::Gone, Revoked::Gone]);
    }
    assert!(matches!(stands(&store, queued).await, Some(TaskRecord::Queued { .. })));
    assert_eq!(revoke(&new, queued, Revoke::Unclaimed).await, Revoked::Unclaimed);
}

async fn an_owner_takes_back_only_in_its_partition(store: Given) {
    let one = Owner::of(&store, 1).await;
    let theirs = Owner::of(&store, 2).await.queued().await;
    assert_eq!(revoke(&one, theirs, Revoke::Anyway).await, Revoked::Gone);
    assert!(matches!(stands(&store, theirs).await, Some(TaskRecord::Queued { .. })));
}

async fn an_attempt_taken_back_cannot_be_handed_back(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let claim = owner.claimed().await;
    revoke(&owner, claim.task, Revoke::Anyway).await;
    store.hand_back(&[(claim.task, claim.token)]).await.unwrap();
    assert_eq!(stands(&store, claim.task).await, Some(revoked()));
}

async fn after_a_taking_back_the_next_attempt_is_dispatched(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let old = owner.claimed().await;
    revoke(&owner, old.task, Revoke::HeldBy(old.session)).await;
    let delta = RunDelta {
        retired: vec![(old.task.unit, 1)],
        dispatched: vec![dispatched(0, 2)],
        ..RunDelta::new(old.task.run)
    };
    owner.commit(vec![delta]).await;
    let new = Claim { task: task(old.task.run, 0, 2), token: token(), session: session() };
    assert_eq!(claim_one(&store, &new).await, ClaimVerdict::Granted);
    assert_eq!(finish_one(&store, &old, "{}").await, FinishVerdict::Stale);
    assert_eq!(finish_one(&store, &new, "{}").await, FinishVerdict::Stored);
}

async fn a_claim_and_a_taking_back_at_the_same_time_do_not_both_succeed(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    for _ in 0..50 {
        let task = owner.queued().await;
        let claim = Claim { task, token: token(), session: session() };
        let (claimed, revoked) =
            tokio::join!(claim_one(&store, &claim), revoke(&owner, task, Revoke::Unclaimed));
        match (claimed, revoked) {
            (ClaimVerdict::Granted, Revoked::Claimed { session }) => assert_eq!(session, claim.session),
            (ClaimVerdict::Stale, Revoked::Unclaimed) => {}
            both => panic!("{both:?}"),
        }
    }
}

async fn a_finish_and_a_taking_back_at_the_same_time_do_not_both_succeed(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    for _ in 0..50 {
        let claim = owner.claimed().await;
        let (finished, revoked) =
            tokio::join!(finish_one(&store, &claim, "{}"), revoke(&owner, claim.task, Revoke::Anyway));
        match (finished, revoked) {
            (FinishVerdict::Stored, Revoked::Finished { .. }) | (FinishVerdict::Stale, Revoked::Done) => {}
            both => panic!("{both:?}"),
        }
    }
}

async fn takings_back_answer_in_order(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let (claimed, finished) = (owner.claimed().await, owner.finished("end").await);
    let asked = [
        (finished.task, Revoke::Anyway),
        (task(owner.new_run(), 0, 1), Revoke::Anyway),
        (claimed.task, Revoke::Unclaimed),
        (owner.queued().await, Revoke::Unclaimed),
        (claimed.task, Revoke::Anyway),
    ];
    let answers = store.revoke(owner.partition, owner.epoch, &asked).await.unwrap();
    let expected = [
        Revoked::Finished { result: "end".into() },
        Revoked::Gone,
        Revoked::Claimed { session: claimed.session },
        Revoked::Unclaimed,
        Revoked::Done,
    ];
    assert_eq!(answers, expected);
    assert_eq!(store.revoke(owner.partition, owner.epoch, &[]).await.unwrap(), []);
}
