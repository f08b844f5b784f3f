//! What a grant costs: the same, however many wait.

use std::collections::VecDeque;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use millrace_domain::lock::{Ask, Board, Effect};

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
        let effects = board.release(holder.asker, START, 2);
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
