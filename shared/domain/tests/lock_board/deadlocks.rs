//! Runs that are in others, which hold locks: nobody waits for ever.

use millrace_domain::lock::Ask;

use crate::model::{Told, Why};
use crate::table::{Table, ask, want};

fn granted(told: &[Told], ask: &Ask) -> bool {
    told.iter().any(|told| matches!(told, Told::Granted(task, _) if *task == ask.asker))
}

#[test]
fn a_run_in_one_that_holds_a_lock_goes_before_those_that_wait_for_that_lock_and_for_another() {
    let mut table = Table::new();
    table.ask(&ask(1, &[want("g/a", 1, 1)], &[]));
    assert!(table.ask(&ask(2, &[want("g/a", 1, 1), want("g/b", 1, 1)], &[])).is_empty());
    let within = ask(3, &[want("g/b", 1, 1)], &[1]);
    assert!(granted(&table.ask(&within), &within), "it waits for one that waits for it");
    table.drain();
}

#[test]
fn of_two_runs_that_wait_for_the_runs_that_they_are_in_the_last_is_refused() {
    let mut table = Table::new();
    table.ask(&ask(1, &[want("g/a", 1, 1)], &[]));
    table.ask(&ask(2, &[want("g/b", 1, 1)], &[]));
    assert!(table.ask(&ask(3, &[want("g/b", 1, 1)], &[1])).is_empty());
    let last = ask(4, &[want("g/a", 1, 1)], &[2]);
    assert_eq!(table.ask(&last), [Told::Refused(last.asker, Why::Deadlock)]);
    table.drain();
}

#[test]
fn one_that_would_keep_whoever_is_before_it_waiting_for_ever_is_refused_though_there_is_room_for_it() {
    let mut table = Table::new();
    for n in [1, 2, 3] {
        table.ask(&ask(n, &[want("g/a", 3, 1)], &[]));
    }
    assert!(table.ask(&ask(4, &[want("g/a", 3, 2)], &[1])).is_empty());
    let last = ask(5, &[want("g/a", 3, 1)], &[2]);
    assert_eq!(table.ask(&last), [Told::Refused(last.asker, Why::Deadlock)]);
    table.drain();
}

#[test]
fn a_run_that_waits_for_one_which_will_go_on_is_not_refused() {
    let mut table = Table::new();
    table.ask(&ask(1, &[want("g/a", 1, 1)], &[]));
    table.ask(&ask(2, &[want("g/b", 1, 1)], &[]));
    table.ask(&ask(3, &[want("g/c", 1, 1)], &[]));
    assert!(table.ask(&ask(4, &[want("g/b", 1, 1)], &[1])).is_empty());
    assert!(table.ask(&ask(5, &[want("g/c", 1, 1)], &[2])).is_empty(), "the third ends, and so all do");
    table.drain();
}

#[test]
fn an_older_version_does_not_say_how_many_slots_there_are_after_somebody_else_has_been_there() {
    let mut table = Table::new();
    let of = |n, slots, version, who: usize| Ask {
        version: Some(version),
        workflow: ask(who, &[], &[]).workflow,
        ..ask(n, &[want("g/a", slots, 1)], &[])
    };
    table.ask(&of(1, 1, 2, 1));
    let other = of(2, 1, 1, 2);
    table.ask(&other);
    table.release(other.asker);
    assert!(table.ask(&of(3, 2, 1, 1)).is_empty(), "the newest version says that there is one slot");
}

#[test]
fn a_board_that_was_restored_has_the_slots_that_it_had() {
    let mut table = Table::new();
    let of = |n, slots, version| Ask {
        version: Some(version),
        workflow: ask(1, &[], &[]).workflow,
        ..ask(n, &[want("g/a", slots, 1)], &[])
    };
    table.ask(&of(1, 2, 1));
    let newer = of(2, 1, 2);
    assert!(table.ask(&newer).is_empty());
    table.release(newer.asker);
    table.restore();
    let last = of(3, 2, 1);
    assert!(granted(&table.ask(&last), &last));
}
