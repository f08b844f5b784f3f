//! Runs that start later, and runs that are stopped: by hand, by their timeout, or because they cannot go on.

use std::time::Duration;

use millrace_domain::run::{Event, Refusal, RunTimer};
use millrace_domain::{Outcome, StepIndex};
use serde_json::json;

use crate::fleet::{CREATED, Fleet, Order};

const CHAIN: &str = "
name: w
timeout: 1h
steps:
  - {name: a, run: x, retry: {limit: 3, delay: 10s}}
  - {name: b, run: x, depends_on: [a]}
  - {name: c, run: x}
";

fn delayed(seconds: u64) -> Fleet {
    Fleet::start(&Order { start_at: Some(CREATED + Duration::from_secs(seconds)), ..Order::of(CHAIN) })
}

#[test]
fn a_delayed_run_waits_for_its_start_and_its_timeout_counts_from_there() {
    let mut fleet = delayed(600);
    assert_eq!((fleet.state(), fleet.tasks.len(), fleet.run.head.started_at), ("waiting", 0, None));
    assert_eq!(fleet.fire(), RunTimer::Start);
    assert_eq!(fleet.now, CREATED + Duration::from_secs(600));
    assert_eq!((fleet.state(), fleet.sent()), ("running", vec!["a 1".to_owned(), "c 1".to_owned()]));
    assert_eq!(fleet.run.head.started_at, Some(fleet.now));
    assert_eq!(fleet.timers[&RunTimer::Timeout], fleet.now + Duration::from_secs(3600));
    assert_eq!(fleet.apply(Event::StartDue), Err(Refusal::RunNotWaiting));
}

#[test]
fn a_start_that_is_past_is_at_once() {
    let fleet = delayed(0);
    assert_eq!((fleet.state(), fleet.tasks.len()), ("running", 2));
}

#[test]
fn a_delayed_run_that_is_cancelled_never_starts() {
    let mut fleet = delayed(600);
    fleet.cancel();
    assert_eq!((fleet.state(), fleet.reason(), fleet.tasks.len()), ("cancelled", "stopped by hand", 0));
    assert_eq!(["a", "b", "c"].map(|step| fleet.stands(step)), ["cancelled"; 3]);
    assert!(fleet.timers.is_empty(), "{:?}", fleet.timers);
    assert_eq!(fleet.apply(Event::StartDue), Err(Refusal::RunEnded(fleet.run.id)));
}

#[test]
fn a_cancel_ends_what_waits_and_tells_the_workers_of_what_runs() {
    let mut fleet = Fleet::of(CHAIN);
    fleet.cancel();
    assert_eq!(["a", "b", "c"].map(|step| fleet.stands(step)), ["dispatched", "cancelled", "dispatched"]);
    assert_eq!(fleet.stops, [(vec![(StepIndex(0).into(), 1), (StepIndex(2).into(), 1)], false)]);
    fleet.end("a", Outcome::Cancelled);
    assert_eq!(fleet.state(), "running");
    fleet.apply(Event::Revoked { unit: StepIndex(2).into(), attempt: 1, unclaimed: false }).unwrap();
    assert_eq!((fleet.state(), fleet.reason()), ("cancelled", "stopped by hand"));
    assert_eq!((fleet.sent().len(), fleet.timers.len()), (2, 0));
}

#[test]
fn a_cancel_of_a_step_between_attempts_ends_it_at_once() {
    let mut fleet = Fleet::of("{name: w, steps: [{name: a, run: x, retry: {limit: 3}}]}");
    fleet.end("a", Outcome::Failed);
    assert_eq!(fleet.stands("a"), "backoff");
    fleet.cancel();
    assert_eq!((fleet.state(), fleet.ended("a").attempts.attempt), ("cancelled", 1));
    assert!(fleet.timers.is_empty() && fleet.stops.is_empty());
}

#[test]
fn a_result_after_the_cancel_is_recorded_and_starts_nothing() {
    let mut fleet = Fleet::of(CHAIN);
    fleet.cancel();
    fleet.give("a", &json!({"rows": 3}));
    assert_eq!((fleet.stands("a"), &fleet.ended("a").outputs["rows"]), ("succeeded", &json!(3)));
    fleet.end("c", Outcome::Failed);
    assert_eq!((fleet.state(), fleet.stands("c"), fleet.sent().len()), ("cancelled", "failed", 2));
}

#[test]
fn a_failure_or_a_loss_after_the_cancel_is_not_tried_again() {
    let mut fleet = Fleet::of(CHAIN);
    fleet.cancel();
    fleet.end("a", Outcome::Failed);
    assert_eq!(fleet.stands("a"), "failed");
    fleet.lose("c");
    assert_eq!((fleet.stands("c"), fleet.state(), fleet.sent().len()), ("cancelled", "cancelled", 2));
}

#[test]
fn a_second_cancel_is_refused_and_the_first_reason_stands() {
    let mut fleet = Fleet::of(CHAIN);
    fleet.cancel();
    let again = Event::Cancel { reason: "me too".to_owned() };
    assert_eq!(fleet.apply(again), Err(Refusal::RunNotWaiting));
    assert_eq!(fleet.apply(Event::TimedOut), Err(Refusal::RunNotWaiting));
    assert_eq!((fleet.reason(), fleet.run.head.stopping), ("stopped by hand", Some(Outcome::Cancelled)));
}

#[test]
fn workers_are_told_again_every_five_seconds_and_after_thirty_the_tasks_are_taken_back_by_force() {
    let mut fleet = Fleet::of("{name: w, steps: [{name: a, run: x}]}");
    fleet.cancel();
    let stopped_at = fleet.now;
    while !fleet.stops.iter().any(|(_, by_force)| *by_force) {
        assert_eq!(fleet.fire(), RunTimer::CancelCheck);
        assert_eq!(fleet.now.since(stopped_at), Duration::from_secs(5) * (fleet.stops.len() as u32 - 1));
    }
    assert_eq!(fleet.now.since(stopped_at), Duration::from_secs(30));
    assert_eq!((fleet.stops.len(), fleet.state()), (7, "running"));
    assert!(fleet.stops.iter().all(|(tasks, _)| *tasks == [(StepIndex(0).into(), 1)]));
    fleet.fire();
    assert_eq!(fleet.stops.last().map(|(_, by_force)| *by_force), Some(true), "until it has worked");
    fleet.apply(Event::Revoked { unit: StepIndex(0).into(), attempt: 1, unclaimed: false }).unwrap();
    assert_eq!((fleet.state(), fleet.timers.len()), ("cancelled", 0));
}

#[test]
fn an_attempt_is_revoked_only_in_a_run_that_is_being_stopped() {
    let mut fleet = Fleet::of(CHAIN);
    let revoked = Event::Revoked { unit: StepIndex(0).into(), attempt: 1, unclaimed: false };
    assert_eq!(fleet.apply(revoked.clone()), Err(Refusal::NotExpected(StepIndex(0).into())));
    fleet.cancel();
    fleet.apply(revoked).unwrap();
    assert_eq!(
        (fleet.stands("a"), fleet.ended("a").reason.as_deref()),
        ("cancelled", Some("stopped by hand"))
    );
}

#[test]
fn a_run_that_takes_too_long_is_stopped_and_ends_timed_out_whatever_its_tasks_say() {
    for last in [Outcome::Cancelled, Outcome::Succeeded, Outcome::Failed] {
        let mut fleet = Fleet::of(CHAIN);
        fleet.end("c", Outcome::Succeeded);
        assert_eq!(fleet.fire(), RunTimer::Timeout);
        assert_eq!((fleet.now.since(CREATED), fleet.stops.len()), (Duration::from_secs(3600), 1));
        assert_eq!(["a", "b"].map(|step| fleet.stands(step)), ["dispatched", "cancelled"]);
        fleet.end("a", last);
        assert_eq!((fleet.state(), fleet.stands("a")), ("timed_out", last.as_str()));
        assert_eq!(fleet.reason(), "the run took longer than its timeout of 1h");
        assert!(fleet.timers.is_empty());
    }
}

#[test]
fn a_run_that_ends_in_time_clears_its_timeout() {
    let mut fleet = Fleet::of(CHAIN);
    assert_eq!(fleet.timers[&RunTimer::Timeout], CREATED + Duration::from_secs(3600));
    for step in ["a", "b", "c"] {
        fleet.end(step, Outcome::Succeeded);
    }
    assert_eq!((fleet.state(), fleet.timers.len()), ("succeeded", 0));
}

#[test]
fn a_run_that_breaks_its_owner_ends_failed() {
    let mut fleet = Fleet::of(CHAIN);
    fleet.apply(Event::Poisoned { reason: "an event broke it three times".to_owned() }).unwrap();
    assert_eq!((fleet.stands("b"), fleet.stops.len()), ("cancelled", 1));
    fleet.end("a", Outcome::Succeeded);
    fleet.end("c", Outcome::Cancelled);
    assert_eq!(
        (fleet.state(), fleet.reason(), fleet.tasks.len()),
        ("failed", "an event broke it three times", 2)
    );
}

#[test]
fn a_run_that_failed_and_is_then_cancelled_is_cancelled() {
    let mut fleet = Fleet::of(CHAIN);
    fleet.end("c", Outcome::Failed);
    fleet.cancel();
    fleet.end("a", Outcome::Cancelled);
    assert_eq!(
        (fleet.state(), fleet.reason(), fleet.stands("c")),
        ("cancelled", "stopped by hand", "failed")
    );
}
