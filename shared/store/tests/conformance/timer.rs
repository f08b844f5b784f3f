//! Timers of partitions.

use millrace_domain::{PartitionId, Timestamp, TriggerId};
use millrace_store::{RunDelta, Timer};

use crate::fixture::*;

on_every_store!(
    every_kind_of_timer_is_kept,
    a_timer_that_only_a_newer_version_knows_is_kept_beside_the_others,
    pages_go_on_past_any_number_of_timers_that_are_not_known,
    timers_come_in_order_of_when_they_are_due_and_of_their_text,
    a_timer_set_again_moves,
    cleared_timers_are_gone_and_others_stay,
    what_is_cleared_and_set_at_once_is_set,
    pages_show_each_timer_once_though_many_are_due_at_once,
    a_page_goes_on_after_a_timer_that_was_cleared,
    timers_keep_to_their_partition,
);

async fn set(owner: &mut Owner, timers: Vec<(Timestamp, Timer)>, cleared: Vec<Timer>) {
    let mut commit = owner.next(vec![]);
    (commit.timers, commit.cleared) = (timers, cleared);
    assert_eq!(owner.send(&commit).await, applied());
}

async fn all(store: &Given, partition: PartitionId) -> Vec<(Timestamp, Timer)> {
    store.timers(partition, None, 1_000).await.unwrap()
}

fn fire(index: u32) -> Timer {
    Timer::Fire(workflow("daily-sales"), TriggerId(index))
}

async fn every_kind_of_timer_is_kept(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let run = owner.new_run();
    let mut delta = created(run);
    delta.timers = vec![
        (at(1), Timer::Start(run)),
        (at(2), Timer::Retry(run, unit(12))),
        (at(2), Timer::Retry(run, item(12, 99_999))),
        (at(3), Timer::RunTimeout(run)),
        (at(4), Timer::CancelCheck(run)),
    ];
    let mut commit = owner.next(vec![delta.clone()]);
    commit.timers = vec![(at(5), fire(0)), (at(6), fire(1))];
    assert_eq!(owner.send(&commit).await, applied());
    let expected: Vec<_> = delta.timers.into_iter().chain(commit.timers).collect();
    assert_eq!(all(&store, owner.partition).await, expected);
}

/// A timer of a kind that is not known here.
fn lease(number: u32) -> Timer {
    Timer::Unknown(format!("lease:db/primary:{number}"))
}

async fn a_timer_that_only_a_newer_version_knows_is_kept_beside_the_others(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let run = owner.new_run();
    let of_item = Timer::Unknown(format!("retry:{run}:3.17.2"));
    let mut delta = created(run);
    delta.timers = vec![(at(1), Timer::Retry(run, unit(3))), (at(2), of_item.clone())];
    owner.commit(vec![delta]).await;
    set(&mut owner, vec![(at(3), lease(0)), (at(4), fire(0))], vec![]).await;
    let cleared = vec![Timer::Retry(run, unit(3)), Timer::Start(run)];
    owner.commit(vec![RunDelta { cleared, ..RunDelta::new(run) }]).await;
    set(&mut owner, vec![], vec![fire(0)]).await;
    assert_eq!(all(&store, owner.partition).await, [(at(2), of_item), (at(3), lease(0))]);
}

async fn pages_go_on_past_any_number_of_timers_that_are_not_known(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let mut timers: Vec<_> = (0..30).map(|number| (at(5), lease(number))).collect();
    timers.extend([(at(5), fire(0)), (at(6), fire(1))]);
    set(&mut owner, timers, vec![]).await;
    let expected = all(&store, owner.partition).await;
    let mut seen: Vec<(Timestamp, Timer)> = Vec::new();
    while seen.len() < 32 {
        let page = store.timers(owner.partition, seen.last().cloned(), 7).await.unwrap();
        assert!(!page.is_empty(), "{seen:?}");
        seen.extend(page);
    }
    assert_eq!(seen, expected);
    assert_eq!(seen.last(), Some(&(at(6), fire(1))));
}

async fn timers_come_in_order_of_when_they_are_due_and_of_their_text(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let (first, second) = (owner.new_run(), owner.new_run());
    let mut expected = vec![
        (at(-5), fire(7)),
        (at(9), fire(3)),
        (at(10), Timer::RunTimeout(first)),
        (at(10), Timer::Start(second)),
        (at(10), Timer::CancelCheck(first)),
        (at(10), fire(1)),
        (at(100), fire(2)),
        (at(1_700_000_000_001), fire(9)),
        (at(1_700_000_000_002), fire(8)),
    ];
    let mut shuffled = expected.clone();
    shuffled.reverse();
    shuffled.swap(0, 4);
    set(&mut owner, shuffled, vec![]).await;
    expected.sort_by_key(|(due, timer)| (*due, timer.to_string()));
    assert_eq!(all(&store, owner.partition).await, expected);
    assert_eq!(store.timers(owner.partition, None, 2).await.unwrap(), expected[..2]);
}

async fn a_timer_set_again_moves(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    set(&mut owner, vec![(at(10), fire(0)), (at(20), fire(1))], vec![]).await;
    set(&mut owner, vec![(at(30), fire(0))], vec![]).await;
    assert_eq!(all(&store, owner.partition).await, [(at(20), fire(1)), (at(30), fire(0))]);
}

async fn cleared_timers_are_gone_and_others_stay(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let run = owner.new_run();
    let mut delta = created(run);
    delta.timers = vec![(at(1), Timer::Retry(run, unit(1))), (at(1), Timer::Retry(run, unit(11)))];
    owner.commit(vec![delta]).await;
    set(&mut owner, vec![(at(2), fire(0)), (at(2), fire(1))], vec![]).await;

    let cleared = vec![Timer::Retry(run, unit(1)), Timer::RunTimeout(run)];
    owner.commit(vec![RunDelta { cleared, ..RunDelta::new(run) }]).await;
    set(&mut owner, vec![], vec![fire(1), fire(5)]).await;
    let left = [(at(1), Timer::Retry(run, unit(11))), (at(2), fire(0))];
    assert_eq!(all(&store, owner.partition).await, left);
}

async fn what_is_cleared_and_set_at_once_is_set(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let run = owner.new_run();
    let mut delta = created(run);
    delta.timers = vec![(at(7), Timer::RunTimeout(run))];
    delta.cleared = vec![Timer::RunTimeout(run)];
    owner.commit(vec![delta]).await;
    set(&mut owner, vec![(at(8), fire(0))], vec![fire(0)]).await;
    assert_eq!(all(&store, owner.partition).await, [(at(7), Timer::RunTimeout(run)), (at(8), fire(0))]);
}

async fn pages_show_each_timer_once_though_many_are_due_at_once(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    let timers: Vec<_> = (0..50).map(|index| (at(i64::from(index / 20)), fire(index))).collect();
    set(&mut owner, timers, vec![]).await;
    let expected = all(&store, owner.partition).await;
    assert_eq!(expected.len(), 50);
    for limit in [1, 7, 20, 49, 50] {
        let mut seen: Vec<(Timestamp, Timer)> = Vec::new();
        loop {
            let page = store.timers(owner.partition, seen.last().cloned(), limit).await.unwrap();
            assert!(page.len() <= limit && seen.len() <= 50);
            if page.is_empty() {
                break;
            }
            seen.extend(page);
        }
        assert_eq!(seen, expected, "by {limit}");
    }
}

async fn a_page_goes_on_after_a_timer_that_was_cleared(store: Given) {
    let mut owner = Owner::of(&store, 1).await;
    set(&mut owner, (0..6).map(|index| (at(5), fire(index))).collect(), vec![]).await;
    let page = store.timers(owner.partition, None, 3).await.unwrap();
    set(&mut owner, vec![], vec![fire(2)]).await;
    let rest = store.timers(owner.partition, page.last().cloned(), 10).await.unwrap();
    assert_eq!(rest, [(at(5), fire(3)), (at(5), fire(4)), (at(5), fire(5))]);
}

async fn timers_keep_to_their_partition(store: Given) {
    let (mut one, mut other) = (Owner::of(&store, 1).await, Owner::of(&store, 2).await);
    set(&mut one, vec![(at(1), fire(0))], vec![]).await;
    set(&mut other, vec![(at(2), fire(0))], vec![fire(1)]).await;
    set(&mut other, vec![], vec![fire(0)]).await;
    assert_eq!(all(&store, one.partition).await, [(at(1), fire(0))]);
    assert_eq!(all(&store, other.partition).await, []);
    assert_eq!(all(&store, PartitionId(40)).await, []);
}
