//! Runs whose timers were set by a clock that was ahead, and was set back: they are due too late by as much, and their
//! owner asks how far ahead they can lie.

use std::time::Duration;

use millrace_domain::run::{Event, RunTimer};
use millrace_domain::{Outcome, StepIndex};

use crate::fleet::{CREATED, Fleet, Lending, Order};

const FLOW: &str = "
name: w
timeout: 1h
steps:
  - {name: a, run: x, retry: {limit: 3, delay: 10s, jitter: false}}
  - {name: b, run: x}
";

const AHEAD: Duration = Duration::from_secs(7_200);

#[test]
fn no_timer_lies_further_ahead_than_it_could_have_been_set_to_now() {
    let mut fleet = Fleet::of(FLOW);
    fleet.end("a", Outcome::Failed);
    fleet.apply(Event::RetryDue { unit: StepIndex(0).into() }).unwrap();
    fleet.end("a", Outcome::Failed);
    let horizon = |timer| fleet.run.horizon(timer, CREATED - AHEAD);
    let true_now = CREATED - AHEAD;
    assert_eq!(
        horizon(RunTimer::Retry(StepIndex(0).into())),
        Some(true_now + Duration::from_secs(20)),
        "the second"
    );
    assert_eq!(horizon(RunTimer::Timeout), Some(true_now + Duration::from_secs(3_600)));
    assert_eq!(horizon(RunTimer::CancelCheck), Some(true_now + Duration::from_secs(5)));
    assert_eq!(horizon(RunTimer::Retry(StepIndex(1).into())), None, "it does not wait for that");
    // By the clock that set them, they are where they should be.
    for (timer, due) in &fleet.timers {
        assert!(fleet.run.horizon(*timer, fleet.now).is_some_and(|horizon| *due <= horizon), "{timer:?}");
    }
}

#[test]
fn a_step_that_was_to_be_woken_at_once_is_woken_at_once() {
    let mut fleet = Fleet::of(
        "name: w\nsteps:\n  - {name: each, foreach: [1, 2], run: x}\n  - name: again\n    depends_on: [each]\n    \
         foreach: {items: [1, 2], max_parallel: 1}\n    run: x\n    env: {N: \"${{ outputs.each | length }}\"}\n  \
         - {name: join, depends_on: [each], run: x, env: {N: \"${{ outputs.each | length }}\"}}\n",
    );
    fleet.lending = Lending::None;
    let woken = |fleet: &Fleet, step: usize| {
        let timer = RunTimer::Retry(StepIndex::from(step).into());
        assert_eq!(fleet.timers.get(&timer), Some(&fleet.now), "{step} is woken");
        assert_eq!(fleet.run.horizon(timer, CREATED - AHEAD), Some(CREATED - AHEAD));
    };
    let end = |fleet: &mut Fleet, step, item| {
        let unit = fleet.item(step, item);
        fleet.apply(Event::Result(fleet.result(unit, Outcome::Succeeded))).unwrap();
    };
    end(&mut fleet, "each", 0);
    end(&mut fleet, "each", 1);
    woken(&fleet, 2);
    // One that has fanned out is woken for the items that have not begun.
    fleet.lending = Lending::Wanted;
    fleet.apply(Event::RetryDue { unit: StepIndex(1).into() }).unwrap();
    fleet.lending = Lending::None;
    end(&mut fleet, "again", 0);
    woken(&fleet, 1);
}

#[test]
fn a_delay_that_began_ahead_is_as_long_from_now_and_an_instant_that_was_named_stands() {
    let delay = Duration::from_secs(600);
    let mut fleet = Fleet::start(&Order { start_at: Some(CREATED + delay), ..Order::of(FLOW) });
    assert_eq!(fleet.run.horizon(RunTimer::Start, CREATED - AHEAD), None);
    fleet.run.head.delayed = true;
    assert_eq!(fleet.run.horizon(RunTimer::Start, CREATED - AHEAD), Some(CREATED - AHEAD + delay));
    assert_eq!(fleet.run.horizon(RunTimer::Start, CREATED), None, "its clock was not ahead");
}

#[test]
fn a_slot_that_is_waited_for_is_asked_for_again_at_least_every_ten_minutes() {
    let fleet = Fleet::of("name: w\nconcurrency: 1\nsteps: [{name: a, run: x}]\n");
    let true_now = CREATED - AHEAD;
    assert_eq!(fleet.run.horizon(RunTimer::Start, true_now), Some(true_now + Duration::from_secs(600)));
}

#[test]
fn a_wait_that_began_ahead_is_as_long_from_now_or_until_the_next_time_of_day_and_an_instant_stands() {
    let horizon = |with: &str, now| {
        let fleet = Fleet::of(&format!("name: w\nsteps: [{{name: a, uses: wait, with: {{{with}}}}}]\n"));
        fleet.run.horizon(RunTimer::Retry(StepIndex(0).into()), now).map(|at| at.to_string())
    };
    let true_now = CREATED - AHEAD;
    assert_eq!(true_now.to_string(), "2026-03-01T21:30:00.000Z");
    assert_eq!(horizon("for: 10m", true_now).as_deref(), Some("2026-03-01T21:40:00.000Z"));
    // It was to be on the day after, by the clock that was ahead.
    assert_eq!(horizon("until: \"22:00\"", true_now).as_deref(), Some("2026-03-01T22:00:00.000Z"));
    let named = "until: \"2026-04-01T00:00:00Z\"";
    assert_eq!(horizon(named, true_now).as_deref(), Some("2026-04-01T00:00:00.000Z"));
    assert_eq!(horizon("for: 10m", CREATED), None, "its clock was not ahead");
}

#[test]
fn workers_of_a_run_that_was_stopped_ahead_have_their_grace_from_now() {
    let mut fleet = Fleet::of(FLOW);
    fleet.cancel();
    fleet.now = CREATED - AHEAD;
    fleet.apply(Event::CancelCheckDue).unwrap();
    fleet.now = CREATED - AHEAD + Duration::from_secs(30);
    fleet.apply(Event::CancelCheckDue).unwrap();
    let by_force: Vec<bool> = fleet.stops.iter().map(|(_, by_force)| *by_force).collect();
    assert_eq!(by_force, [false, false, true]);
}
