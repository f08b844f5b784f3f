//! What a grant costs: the same, however many wait.

use std::collections::VecDeque;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use millrace_domain::lock::{Ask, Board, Effect, Want};

use crate::rate_table::{self, asker, rate, used};
use crate::table::{START, ask, want};

/// How long this thread has been on a processor: other work on the machine does not count.
fn spent() -> Duration {
    static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    match stat.split(' ').next().and_then(|nanos| nanos.parse().ok()) {
        Some(nanos) => Duration::from_nanos(nanos),
        None => STARTED.elapsed(),
    }
}

/// The time of so many releases, each of which grants to the next, while so many wait.
fn time(waiters: usize, cycles: usize) -> Duration {
    let mut board = Board::default();
    let workflow = ask(0, &[], &[]).workflow;
    let one = |n| Ask { workflow: workflow.clone(), ..ask(n, &[want("g/a", 1, 1)], &[]) };
    let mut asks: VecDeque<Ask> = (0..=waiters).map(one).collect();
    asks.iter().for_each(|ask| drop(board.ask(ask.clone(), START, 1)));
    let before = spent();
    for cycle in 0..cycles {
        let holder = asks.pop_front().unwrap();
        let effects = board.release(holder.asker, None, START, 2);
        let is_told =
            |effect: &Effect| matches!(effect, Effect::Grant { asker, .. } if *asker == asks[0].asker);
        assert!(effects.len() == 3 && effects.iter().any(is_told), "{effects:?}");
        // It comes again at the end of the queue.
        let since = START + Duration::from_secs((waiters + cycle + 1) as u64);
        asks.push_back(Ask { since, ..holder });
        board.ask(asks[waiters].clone(), START, 2);
    }
    let time = spent() - before;
    assert_eq!(board.counts(), (1, waiters));
    time
}

#[test]
fn ten_thousand_that_wait_are_not_gone_through_for_each_grant() {
    let least = |waiters| (0..3).map(|_| time(waiters, 10_000)).min().unwrap();
    let (few, many) = (least(100), least(10_000));
    // To go through all of them would take about a hundred times as long.
    assert!(many < few * 10 + Duration::from_millis(100), "{few:?} then {many:?}");
    assert!(many < Duration::from_secs(2), "{many:?}");
}

/// The time of so many uses of other keys than those that are there, and of a look at the time when these come back.
fn time_of_keys(keys: usize, events: usize) -> Duration {
    let mut board = Board::default();
    let hour = Duration::from_secs(3_600);
    let use_one = |board: &mut Board, ask: Ask, now| {
        let asker = ask.asker;
        assert_eq!(board.ask(ask, now, 1).len(), 2);
        board.started(asker, now, 1);
        board.release(asker, used(1, now), now, 1);
    };
    let wants = (0..keys + events).map(|n| Want::of_rate(rate(&n.to_string()), 10, hour, 1));
    let mut asks: VecDeque<Ask> =
        wants.enumerate().map(|(n, want)| rate_table::ask(n % 100, 1, &want)).collect();
    asks.drain(..keys).for_each(|ask| use_one(&mut board, ask, START));
    let before = spent();
    let later = START + Duration::from_secs(60);
    asks.into_iter().for_each(|ask| use_one(&mut board, ask, later));
    let back = board.due().unwrap();
    assert!(back >= START + hour, "{back}");
    for _ in 0..events / 100 {
        let forgotten = board.tell_due(back, 100, 1);
        assert_eq!(forgotten.len(), 100.min(keys), "{forgotten:?}");
    }
    spent() - before
}

#[test]
fn a_use_of_one_key_costs_the_same_however_many_keys_were_used() {
    let least = |keys, events| (0..3).map(|_| time_of_keys(keys, events)).min().unwrap();
    let (few, many) = (least(10_000, 10_000), least(100_000, 10_000));
    // To go through all of them would take about ten times as long.
    assert!(many < few * 5 + Duration::from_millis(100), "{few:?} then {many:?}");
    assert!(many < Duration::from_secs(2), "{many:?}");
}

/// The time in which so many that wait for one key are served, each as soon as what the last has used is back; while so many more
/// wait.
fn time_of_waiters(waiters: usize, cycles: usize) -> Duration {
    let mut board = Board::default();
    let want = Want::of_rate(rate("a"), 200, Duration::from_secs(10), 1);
    let asks = (0..200 + waiters + cycles).map(|n| rate_table::ask(n, 1, &want));
    asks.for_each(|ask| drop(board.ask(ask, START, 1)));
    let (before, mut now, mut next) = (spent(), START, 200);
    for n in 0..200 + cycles {
        // 200 begin within a period, and then the first that waits each time that one of them comes back.
        now = if n < 200 {
            START + Duration::from_millis(50 * n as u64)
        } else {
            now.max(board.due().unwrap())
        };
        let told = if n < 200 { Vec::new() } else { board.tell_due(now, 1, 1) };
        next += told.iter().filter(|effect| matches!(effect, Effect::Grant { .. })).count();
        for n in n..(n + 1).min(next) {
            board.started(asker(n, 1), now, 1);
            board.release(asker(n, 1), used(1, now), now, 1);
        }
    }
    assert!(next >= 200 + cycles / 4, "{next} were served");
    spent() - before
}

#[test]
fn ten_thousand_that_wait_for_a_rate_are_not_gone_through_for_each_use() {
    let least = |waiters| (0..3).map(|_| time_of_waiters(waiters, 5_000)).min().unwrap();
    let (few, many) = (least(100), least(10_000));
    assert!(many < few * 10 + Duration::from_millis(100), "{few:?} then {many:?}");
    assert!(many < Duration::from_secs(2), "{many:?}");
}
