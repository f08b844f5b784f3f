//! What rates do, sentence by sentence.

use std::time::Duration;

use millrace_domain::lock::{Ask, Board, Effect, Used, Want};
use millrace_domain::{Priority, Timestamp};

use crate::rate_table::{RateTable, ask, asker, rate, used};
use crate::table::{START, workflow};

const SECOND: Duration = Duration::from_secs(1);

fn at(millis: u64) -> Timestamp {
    START + Duration::from_millis(millis)
}

fn want(limit: u32, per: Duration, cost: u32) -> Want {
    Want::of_rate(rate("a"), limit, per, cost)
}

/// Those of these that have what they want.
fn granted(table: &RateTable, numbers: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let has = |n: &usize| table.granted.iter().any(|(_, one)| one.holder() == asker(*n, 1).holder());
    numbers.into_iter().filter(has).collect()
}

#[test]
fn what_is_reserved_is_taken_until_it_is_used_and_comes_back_a_period_after_that() {
    let mut table = RateTable::new();
    assert!(table.asks(1, &want(10, SECOND, 6)));
    assert!(!table.asks(2, &want(10, SECOND, 5)), "6 and 5 are more than 10");
    table.pass_until(at(5_000));
    assert!(granted(&table, [2]).is_empty(), "however long it takes until the first starts");
    table.started(asker(1, 1));
    table.release(asker(1, 1), None);
    table.pass_until(at(5_999));
    assert!(granted(&table, [2]).is_empty());
    table.pass_until(at(6_000));
    assert_eq!(granted(&table, [2]), [2]);
    table.drain();
}

#[test]
fn no_stretch_of_time_has_two_bursts_wherever_it_begins() {
    let mut table = RateTable::new();
    for n in 0..40 {
        table.asks(n, &want(10, SECOND, 1));
    }
    for n in 0..40 {
        // Each starts as soon as it may, but for the first ten, which take their time.
        table.pass_until(at(90 * n.min(9) as u64));
        while granted(&table, [n]).is_empty() {
            let due = table.board.due().unwrap();
            table.pass_until(due);
        }
        table.started(asker(n, 1));
    }
    let at: Vec<i64> = table.model.keys[&rate("a")].uses.iter().map(|one| one.at.as_millis()).collect();
    assert!(at.windows(11).all(|eleven| eleven[10] - eleven[0] == 1_000), "{at:?}");
    assert!(table.model.keys[&rate("a")].never_exceeds(10));
    table.drain();
}

#[test]
fn what_was_not_used_is_there_at_once_for_the_next() {
    let mut table = RateTable::new();
    for n in 1..=3 {
        table.asks(n, &want(100, SECOND, 100));
    }
    table.release(asker(1, 1), used(0, table.now));
    assert_eq!(granted(&table, 1..4), [1, 2], "the first has used nothing");
    table.started(asker(2, 1));
    table.pass(100);
    table.release(asker(2, 1), used(30, table.now));
    table.asks(4, &want(100, SECOND, 70));
    assert_eq!(granted(&table, 1..5), [1, 2], "the third wants all, and nobody passes it");
    table.pass_until(at(1_000));
    assert_eq!(granted(&table, 1..5), [1, 2, 3]);
    table.drain();
}

#[test]
fn more_than_was_said_has_others_wait_for_longer() {
    let mut table = RateTable::new();
    assert!(table.asks(1, &want(10, SECOND, 1)));
    table.started(asker(1, 1));
    table.pass(500);
    table.release(asker(1, 1), used(10, at(0)));
    assert!(!table.asks(2, &want(10, SECOND, 1)));
    table.pass_until(at(1_000));
    assert_eq!(granted(&table, [2]), [2]);
    table.drain();
}

#[test]
fn a_pause_is_one_of_everybody_and_the_first_goes_on_when_it_is_over() {
    let mut table = RateTable::new();
    (1..=2).for_each(|n| assert!(table.asks(n, &want(10, SECOND, 1))));
    table.release(asker(1, 1), Some(Used { cost: 1, at: at(0), retry_after_ms: Some(30_000) }));
    assert!(!table.asks(3, &want(10, SECOND, 1)));
    table.restore();
    table.pass_until(at(29_999));
    assert!(granted(&table, [3]).is_empty());
    table.pass_until(at(30_000));
    assert_eq!(granted(&table, [3]), [3]);
    table.drain();
}

#[test]
fn those_that_wait_are_served_by_priority_then_age_and_nobody_passes_one_that_costs_more() {
    let mut table = RateTable::new();
    assert!(table.asks(9, &want(10, SECOND, 10)));
    table.asks(3, &want(10, SECOND, 1));
    table.asks(2, &want(10, SECOND, 9));
    table.ask(&Ask { priority: Priority::P0, ..ask(4, 1, &want(10, SECOND, 2)) });
    table.release(asker(9, 1), None);
    assert_eq!(granted(&table, 2..5), [4], "the second is next, and has to wait for the most urgent");
    table.release(asker(4, 1), None);
    assert_eq!(granted(&table, 2..5), [2, 3, 4]);
    table.drain();
}

#[test]
fn of_hundreds_that_have_room_at_once_some_are_served_and_the_others_right_after_them() {
    let mut table = RateTable::new();
    assert!(table.asks(0, &want(2_000, SECOND, 2_000)));
    (1..=700).for_each(|n| assert!(!table.asks(n, &want(2_000, SECOND, 1))));
    table.release(asker(0, 1), None);
    let at_once = table.granted.len() - 1;
    assert!((500..700).contains(&at_once), "{at_once} in one commit");
    assert!(table.board.due().is_some_and(|at| at <= table.now));
    table.settle();
    assert_eq!(table.granted.len(), 701);
    table.drain();
}

#[test]
fn an_attempt_of_which_nothing_more_is_heard_has_used_all_of_its_reserve() {
    let mut table = RateTable::new();
    assert!(table.asks(1, &want(10, SECOND, 10)));
    assert!(!table.ask(&ask(1, 2, &want(10, SECOND, 10))));
    // What is heard of it late changes nothing.
    table.started(asker(1, 1));
    table.release(asker(1, 1), used(0, at(0)));
    table.pass_until(at(999));
    assert_eq!(table.granted.len(), 1);
    table.pass_until(at(1_000));
    assert_eq!(table.granted.len(), 2);
    table.drain();
}

#[test]
fn a_use_that_is_corrected_when_it_has_come_back_gives_back_nothing_of_others() {
    let mut table = RateTable::new();
    assert!(table.asks(1, &want(10, SECOND, 5)));
    table.started(asker(1, 1));
    table.pass(900);
    assert!(table.asks(2, &want(10, SECOND, 5)));
    table.started(asker(2, 1));
    table.pass_until(at(1_100));
    assert!(table.asks(3, &want(10, SECOND, 1)));
    table.started(asker(3, 1));
    table.release(asker(1, 1), used(0, at(0)));
    assert!(!table.asks(4, &want(10, SECOND, 5)), "5 and 1 are used, and have not come back");
    table.drain();
}

#[test]
fn nothing_is_written_down_any_more_when_all_has_come_back() {
    // Who has used nothing leaves nothing, whether it has started or not.
    for starts in [false, true] {
        let mut table = RateTable::new();
        assert!(table.asks(1, &want(10, SECOND, 1)));
        if starts {
            table.started(asker(1, 1));
        }
        table.release(asker(1, 1), used(0, at(0)));
        table.drain();
    }
    // Nor does one that holds what it has for longer than a period.
    let mut table = RateTable::new();
    assert!(table.asks(1, &want(10, SECOND, 1)));
    table.started(asker(1, 1));
    table.pass_until(at(3_600_000));
    table.drain();
}

#[test]
fn uses_that_are_many_come_back_together_in_time() {
    let mut table = RateTable::new();
    let minute = Duration::from_secs(60);
    for n in 0..1_000 {
        assert!(table.asks(n, &want(1_000, minute, 1)));
        table.started(asker(n, 1));
        table.release(asker(n, 1), None);
        table.pass(10);
    }
    table.check_rows();
    let window = table.board.window(&rate("a")).unwrap();
    assert!(window.back.len() <= 128, "{} instants are written down with each use", window.back.len());
    (1_000..2_000).for_each(|n| assert!(!table.asks(n, &want(1_000, minute, 1))));
    table.restore();
    table.pass_until(at(70_600));
    assert_eq!(table.granted.len(), 2_000);
    table.drain();
}

#[test]
fn another_limit_or_period_is_refused_with_both_names_and_so_is_more_than_there_is() {
    let mut table = RateTable::new();
    assert!(table.asks(1, &want(10, SECOND, 1)));
    for other in [want(11, SECOND, 1), want(10, 2 * SECOND, 1)] {
        assert!(!table.asks(2, &other));
    }
    assert!(!table.asks(2, &want(10, SECOND, 11)));
    let texts: Vec<&str> = table.refused.iter().map(|(_, why)| why.as_str()).collect();
    assert!(texts[0].contains("step step_2 of workflow_2") && texts[0].contains("step step_1 of workflow_1"));
    assert!(texts[1].contains("10 per 2s") && texts[1].contains("10 per 1s"), "{texts:?}");
    assert!(texts[2].contains("costs 11") && texts[2].contains("10 per 1s"), "{texts:?}");
    table.drain();
}

#[test]
fn of_two_versions_of_a_workflow_the_newest_says_how_much_there_is_and_in_which_period() {
    let of =
        |n, version, want: &Want| Ask { workflow: workflow("w"), version: Some(version), ..ask(n, 1, want) };
    let (old, new) = (want(10, SECOND, 10), want(10, Duration::from_secs(60), 10));
    let mut board = Board::default();
    board.ask(of(1, 2, &new), START, 1);
    board.started(asker(1, 1), START, 1);
    // One of the old version is told something else of what it never had.
    board.ask(of(2, 1, &old), START, 1);
    board.ask(of(3, 2, &new), START, 1);
    assert_eq!(board.counts(), (1, 2));
    let mut now = START;
    let waited = loop {
        now = now.max(board.due().unwrap());
        let effects = board.tell_due(now, 9, 1);
        if effects.iter().any(|effect| matches!(effect, Effect::Grant { asker: a, .. } if *a == asker(2, 1)))
        {
            break now.since(START);
        }
    };
    assert_eq!(waited, Duration::from_secs(60));
    board.started(asker(2, 1), now, 1);
    board.release(asker(2, 1), used(10, now), now, 1);
    assert_eq!(
        board.counts(),
        (1, 1),
        "what one of the old version has used comes back a minute later as well"
    );
    let later = now + 30 * SECOND;
    board.tell_due(later, 9, 1);
    assert_eq!(board.counts(), (1, 1));
    board.tell_due(now + Duration::from_secs(60), 9, 1);
    assert_eq!(board.counts(), (2, 0));
}

#[test]
fn a_clock_that_was_ahead_by_days_has_nobody_wait_for_longer_than_a_period_once_somebody_asks() {
    for who in ["one that waits asks again", "another asks", "nobody waited"] {
        let mut table = RateTable::new();
        table.now = at(86_400_000 * 3);
        assert!(table.asks(1, &want(10, SECOND, 10)));
        table.started(asker(1, 1));
        if who != "nobody waited" {
            assert!(!table.asks(2, &want(10, SECOND, 10)));
        }
        table.now = at(0);
        assert!(!table.asks(if who == "another asks" { 3 } else { 2 }, &want(10, SECOND, 10)));
        table.restore();
        table.pass_until(at(1_000));
        assert_eq!(granted(&table, [2]), [2], "{who}");
        table.release(asker(1, 1), None);
        table.drain();
    }
}

#[test]
fn a_board_stands_extreme_numbers() {
    let years = Duration::from_secs(10 * 366 * 86_400);
    let most = 1_000_000_000;
    let times =
        [Timestamp::from_millis(-1_000_000_000_000), START, Timestamp::from_millis(253_402_300_799_999)];
    for (now, per) in times.into_iter().flat_map(|now| [(now, years), (now, Duration::from_millis(1))]) {
        let mut board = Board::default();
        let effects = board.ask(ask(0, 1, &want(most, per, u32::MAX)), now, 1);
        assert!(matches!(&effects[..], [Effect::Refuse { .. }]), "{effects:?}");
        for n in 0..300 {
            board.ask(ask(n, 1, &want(most, per, if n == 0 { most - 299 } else { 1 })), now, 1);
        }
        assert_eq!(board.counts(), (300, 0));
        (0..300).filter(|n| n % 2 == 0).for_each(|n| drop(board.started(asker(n, 1), now, 1)));
        let waits = ask(1_000, 1, &want(most, per, most));
        board.ask(waits.clone(), now, 1);
        for n in 0..300 {
            let at = [Timestamp::from_millis(i64::MIN), now, Timestamp::from_millis(i64::MAX)][n % 3];
            let retry_after_ms = Some(u64::MAX).filter(|_| n % 9 == 8);
            board.release(asker(n, 1), Some(Used { cost: u64::MAX, at, retry_after_ms }), now, 1);
            board.locks(now);
            assert_eq!(board.standings(waits.asker.holder(), now)[0].taken, u64::MAX);
        }
        let mut last = now;
        while board.counts() != (1, 0) {
            let due = board.due().unwrap();
            assert!(due > last || last == now, "it is due again and again");
            last = last.max(due);
            board.tell_due(last, 9, 1);
        }
        assert!(last.since(now) <= per.max(Duration::from_secs(86_400)), "all comes back in time");
    }
}
