//! What becomes of runs of a workflow that allows only so many at a time: sentence by sentence.

use std::time::Duration;

use millrace_domain::lock::{Ask, Asker, AtLimit, Holder, LockName, OnFull, Want};

use crate::model::{Told, Why};
use crate::table::{START, Table, run, workflow};

/// The slots of a workflow.
pub(crate) fn name(of: &str, key: Option<&str>) -> LockName {
    LockName::of_slots(&workflow(of), key).unwrap()
}

/// The ask of a run.
pub(crate) fn ask_of(n: usize, slots_of: &LockName, slots: u32, policy: AtLimit) -> Ask {
    Ask {
        asker: Asker::of_run(run(n)),
        wants: [Want { slots, ..Want::exclusive(slots_of.clone()) }].into(),
        priority: Default::default(),
        since: START + Duration::from_secs(n as u64),
        workflow: workflow(slots_of.group_name()),
        version: Some(1),
        step: None,
        above: Vec::new(),
        at_limit: Some(policy),
    }
}

fn queue(most: u32, on_full: OnFull) -> AtLimit {
    AtLimit::Queue { max_queued: Some(most), on_full }
}

/// The ask of a run that is in these.
fn within(above: &[usize], ask: Ask) -> Ask {
    Ask { above: above.iter().map(|n| Holder::of_run(run(*n))).collect(), ..ask }
}

fn is_granted(told: &[Told], ask: &Ask) -> bool {
    matches!(told, [Told::Granted(asker, _)] if *asker == ask.asker)
}

/// A run of a workflow that allows so many at a time asks, and is granted its slot at once.
fn begin(table: &mut Table, slots: u32, numbers: &[usize]) {
    for n in numbers {
        let ask = ask_of(*n, &name("w", None), slots, AtLimit::default());
        assert!(is_granted(&table.ask(&ask), &ask));
    }
}

#[test]
fn a_run_that_is_alone_gets_its_slot_whatever_its_policy() {
    let policies = [AtLimit::Skip, AtLimit::Fail, AtLimit::Replace, queue(0, OnFull::Reject)];
    for policy in policies.into_iter().chain([OnFull::DropOldest, OnFull::Merge].map(|full| queue(1, full))) {
        let mut table = Table::new();
        begin(&mut table, 2, &[1]);
        let ask = ask_of(2, &name("w", None), 2, policy);
        assert!(is_granted(&table.ask(&ask), &ask), "{policy:?}");
        let other = ask_of(3, &name("w", Some("eu")), 1, policy);
        assert!(is_granted(&table.ask(&other), &other), "{policy:?}: another key is another limit");
    }
}

#[test]
fn the_one_that_has_waited_longest_is_dropped_though_it_is_the_most_urgent() {
    let mut table = Table::new();
    begin(&mut table, 1, &[1]);
    let urgent = ask_of(2, &name("w", None), 1, AtLimit::default());
    let urgent = Ask { priority: "P0".parse().unwrap(), ..urgent };
    assert!(table.ask(&urgent).is_empty());
    assert!(table.ask(&ask_of(3, &name("w", None), 1, AtLimit::default())).is_empty());
    let last = ask_of(4, &name("w", None), 1, queue(2, OnFull::DropOldest));
    assert_eq!(table.ask(&last), [Told::Refused(urgent.asker, Why::Dropped)]);
    table.drain();
}

#[test]
fn a_run_that_replaces_others_has_the_oldest_make_room_and_they_keep_their_slots_until_they_have_ended() {
    let mut table = Table::new();
    begin(&mut table, 2, &[1, 2]);
    let waits = ask_of(3, &name("w", None), 2, AtLimit::default());
    assert!(table.ask(&waits).is_empty());
    let last = ask_of(4, &name("w", None), 2, AtLimit::Replace);
    let (first, second) = (Asker::of_run(run(1)), Asker::of_run(run(2)));
    let told = [Told::Displaced(first, run(4)), Told::Displaced(second, run(4))];
    assert_eq!(table.ask(&last), told);
    table.restore();
    table.now = table.now + Duration::from_secs(60);
    table.tell_due(2);
    assert_eq!(table.told[table.told.len() - 2..], told, "each is told again");
    let later = ask_of(5, &name("w", None), 2, AtLimit::Replace);
    assert_eq!(table.ask(&later), [Told::Refused(waits.asker, Why::Replaced)]);
    assert!(is_granted(&table.release(first), &last));
    table.drain();
}

#[test]
fn a_run_in_one_that_has_the_only_slot_is_refused_and_replaces_nobody() {
    for policy in [AtLimit::default(), AtLimit::Replace] {
        let mut table = Table::new();
        begin(&mut table, 1, &[1]);
        let inner = within(&[1], ask_of(2, &name("w", None), 1, policy));
        assert_eq!(table.ask(&inner), [Told::Refused(inner.asker, Why::Deadlock)]);
        table.drain();
    }
}

#[test]
fn an_ask_that_comes_again_when_its_run_has_ended_or_was_refused_makes_nobody_end_or_wait() {
    let replacing = |n| ask_of(n, &name("w", None), 1, AtLimit::Replace);
    let mut table = Table::new();
    let (first, second) = (replacing(1), replacing(2));
    table.ask(&first);
    table.release(first.asker);
    assert!(is_granted(&table.ask(&second), &second));
    for _ in 0..2 {
        assert_eq!(table.ask(&first), [], "it has ended");
        table.restore();
    }
    // Its release may come before it.
    let third = replacing(3);
    table.release(third.asker);
    assert_eq!(table.ask(&third), []);
    let merging = ask_of(4, &name("w", None), 1, queue(0, OnFull::Reject));
    assert_eq!(table.ask(&merging), [Told::Refused(merging.asker, Why::Full)]);
    table.release(second.asker);
    assert_eq!(table.ask(&merging), [Told::Refused(merging.asker, Why::Full)], "it is told what it was told");
    table.now = table.now + Duration::from_secs(300);
    table.tell_due(9);
    assert_eq!(table.board.due(), None, "nothing is remembered for ever");
}

#[test]
fn a_run_that_asks_late_makes_none_end_that_is_newer() {
    let mut table = Table::new();
    let newer = ask_of(2, &name("w", None), 1, AtLimit::Replace);
    table.ask(&newer);
    let older = ask_of(1, &name("w", None), 1, AtLimit::Replace);
    assert_eq!(table.ask(&older), [Told::Refused(older.asker, Why::Replaced)]);
}

#[test]
fn runs_of_a_version_that_allows_more_begin_beside_those_that_wait() {
    let mut table = Table::new();
    begin(&mut table, 1, &[1]);
    let waits = ask_of(2, &name("w", None), 1, AtLimit::default());
    assert_eq!(table.ask(&waits), []);
    let newer = Ask { version: Some(2), ..ask_of(3, &name("w", None), 3, AtLimit::Skip) };
    let told = table.ask(&newer);
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn a_run_never_takes_the_place_of_one_that_it_is_in_though_that_is_the_oldest() {
    let mut table = Table::new();
    begin(&mut table, 2, &[1, 2]);
    let child = within(&[1], ask_of(3, &name("w", None), 2, AtLimit::Replace));
    assert_eq!(table.ask(&child), [Told::Displaced(Asker::of_run(run(2)), run(3))]);
    assert!(is_granted(&table.release(Asker::of_run(run(2))), &child));
    table.drain();
}

#[test]
fn a_run_in_another_is_not_refused_for_one_that_waits_and_makes_room_for_it() {
    let mut table = Table::new();
    begin(&mut table, 2, &[1, 2]);
    let dropped = within(&[2], ask_of(3, &name("w", None), 2, AtLimit::default()));
    assert!(table.ask(&dropped).is_empty());
    let last = within(&[1], ask_of(4, &name("w", None), 2, queue(1, OnFull::DropOldest)));
    assert_eq!(
        table.ask(&last),
        [Told::Refused(dropped.asker, Why::Dropped)],
        "the second ends, and so all do"
    );
    table.drain();
}
