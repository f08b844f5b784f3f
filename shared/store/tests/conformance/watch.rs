//! The index of dispatched attempts: when to look next at each.

use millrace_domain::{Epoch, PartitionId, TaskId, Timestamp};
use millrace_store::{LOOK_AFTER_CLAIM_MS, LOOK_AFTER_HAND_BACK_MS, Revoke, RunDelta};

use crate::fixture::*;

on_every_store!(
    dispatched_attempts_are_watched_in_order_of_when_to_look,
    pages_leave_out_what_was_skipped,
    a_claim_moves_the_look,
    a_finish_leaves_the_look_where_the_claim_has_set_it,
    a_hand_back_moves_the_look,
    setting_looks_moves_those_that_are_due_and_only_of_what_is_watched,
    setting_looks_brings_forward_what_is_set_for_later,
    setting_looks_puts_off_nothing_that_is_not_due,
    setting_looks_under_a_stale_epoch_changes_nothing,
    an_attempt_taken_back_is_watched_until_it_is_retired,
    the_watch_keeps_to_its_partition,
);

/// One run with an attempt of each step, to be looked at at the given instants.
async fn dispatch(owner: &mut Owner, looks: &[i64]) -> Vec<(Timestamp, TaskId)> {
    let run = owner.new_run();
    let mut delta = created(run);
    let mut expected = Vec::new();
    for (step, look) in (0..).zip(looks) {
        delta.dispatched.push(millrace_store::Dispatched { look_at: at(*look), ..dispatched(step, 1) });
        expected.push((at(*look), task(run, step, 1)));
    }
    owner.commit(vec![delta]).await;
    expected.sort();
    expected
}

/// The one look that is left, which came about between the instants before and after.
async fn moved(store: &Given, before: Timestamp, task: TaskId, by_ms: u64) {
    let after = store.now().await.unwrap();
    let by = std::time::Duration::from_millis(by_ms);
    let looks = watched(store, task.run.partition()).await;
    let [(look, watched)] = looks[..] else { panic!("{looks:?}") };
    assert_eq!(watched, task);
    assert!(before + by <= look && look <= after + by, "{look} is not {by:?} after {before}");
}

async fn dispatched_attempts_are_watched_in_order_of_when_to_look(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let expected = dispatch(&mut owner, &[50, 10, 9, 1_700_000_000_001, 40, 1_700_000_000_000]).await;
    assert_eq!(watched(&store, owner.partition).await, expected);
    let found =
        async |from, until| store.watched(owner.partition, at(from)..=at(until), 0, 100).await.unwrap();
    assert_eq!(found(0, 40).await, expected[..3]);
    assert_eq!(found(0, 39).await, expected[..2]);
    assert_eq!(found(0, 8).await, []);
    assert_eq!(found(10, 49).await, expected[1..3]);
    assert_eq!(found(51, 1_700_000_000_000).await, expected[4..5]);
}

async fn pages_leave_out_what_was_skipped(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let looks: Vec<i64> = (0..30).map(|step| step / 10).collect();
    let mut expected = dispatch(&mut owner, &looks).await;
    for limit in [1, 4, 30] {
        let mut seen = Vec::new();
        loop {
            let page = store.watched(owner.partition, at(0)..=at(100), seen.len(), limit).await.unwrap();
            assert!(page.len() <= limit && seen.len() <= 30);
            if page.is_empty() {
                break;
            }
            seen.extend(page);
        }
        assert!(seen.is_sorted_by_key(|(look, _)| *look));
        seen.sort();
        expected.sort();
        assert_eq!(seen, expected, "by {limit}");
    }
}

async fn a_claim_moves_the_look(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let before = store.now().await.unwrap();
    let task = owner.claimed().await.task;
    moved(&store, before, task, LOOK_AFTER_CLAIM_MS).await;
}

async fn a_finish_leaves_the_look_where_the_claim_has_set_it(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let claim = owner.claimed().await;
    let watched_before = watched(&store, owner.partition).await;
    finish_one(&store, &claim, "{}").await;
    assert_eq!(watched(&store, owner.partition).await, watched_before);
    assert_eq!(watched_before.len(), 1);
}

async fn a_hand_back_moves_the_look(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let claim = owner.claimed().await;
    let before = store.now().await.unwrap();
    store.hand_back(&[(claim.task, claim.token)]).await.unwrap();
    moved(&store, before, claim.task, LOOK_AFTER_HAND_BACK_MS).await;
}

async fn setting_looks_moves_those_that_are_due_and_only_of_what_is_watched(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let looks = dispatch(&mut owner, &[10, 20, 30]).await;
    let [first, second, third] = [looks[0].1, looks[1].1, looks[2].1];
    let run = first.run;
    let retired = vec![(second.unit, second.attempt)];
    owner.commit(vec![RunDelta { retired, ..RunDelta::new(run) }]).await;
    let later = [
        (at(99), first),
        (at(98), second),
        (at(97), task(run, first.unit.step.0, 2)),
        (at(96), task(owner.new_run(), 0, 1)),
    ];
    store.set_looks(owner.partition, owner.epoch, at(30), &later).await.unwrap();
    assert_eq!(watched(&store, owner.partition).await, [(at(30), third), (at(99), first)]);
    store.set_looks(owner.partition, owner.epoch, at(30), &[]).await.unwrap();
}

/// A claim between a look and what is made of it has set a look of its own.
async fn setting_looks_puts_off_nothing_that_is_not_due(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let looks = dispatch(&mut owner, &[10, 20]).await;
    let later: Vec<_> = looks.iter().map(|(_, task)| (at(99), *task)).collect();
    store.set_looks(owner.partition, owner.epoch, at(10), &later).await.unwrap();
    assert_eq!(watched(&store, owner.partition).await, [looks[1], (at(99), looks[0].1)]);
}

/// As after a clock that was ahead: a claim between the plan and the setting stands, when its look is the nearer one.
async fn setting_looks_brings_forward_what_is_set_for_later(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let looks = dispatch(&mut owner, &[10, 20, 90]).await;
    let nearer: Vec<_> = looks.iter().map(|(_, task)| (at(30), *task)).collect();
    store.set_looks(owner.partition, owner.epoch, at(0), &nearer).await.unwrap();
    assert_eq!(watched(&store, owner.partition).await, [looks[0], looks[1], (at(30), looks[2].1)]);
}

async fn setting_looks_under_a_stale_epoch_changes_nothing(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let looks = dispatch(&mut owner, &[10]).await;
    for epoch in [Epoch(0), Epoch(owner.epoch.0 - 1), Epoch(owner.epoch.0 + 1)] {
        store.set_looks(owner.partition, epoch, at(10), &[(at(99), looks[0].1)]).await.unwrap();
    }
    assert_eq!(watched(&store, owner.partition).await, looks);
}

async fn an_attempt_taken_back_is_watched_until_it_is_retired(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let task = owner.queued().await;
    store.revoke(owner.partition, owner.epoch, &[(task, Revoke::Unclaimed)]).await.unwrap();
    assert_eq!(watched(&store, owner.partition).await, [(at(3_000), task)]);
    owner.commit(vec![RunDelta { retired: vec![(task.unit, 1)], ..RunDelta::new(task.run) }]).await;
    assert_eq!(watched(&store, owner.partition).await, []);
}

async fn the_watch_keeps_to_its_partition(store: Given) {
    let (mut one, mut other) = (Owner::of(&store, 1).await, Owner::of(&store, 2).await);
    let ours = dispatch(&mut one, &[10]).await;
    let theirs = dispatch(&mut other, &[20]).await;
    store.set_looks(other.partition, other.epoch, at(20), &[(at(99), ours[0].1)]).await.unwrap();
    assert_eq!(watched(&store, one.partition).await, ours);
    assert_eq!(watched(&store, other.partition).await, theirs);
    assert_eq!(watched(&store, PartitionId(40)).await, []);
}
