//! How often a step is tried, and when: retries after an outcome, and new attempts after a loss.

use std::sync::Arc;
use std::time::Duration;

use millrace_domain::run::{Event, Refusal, Run, RunTimer, StepState, advance};
use millrace_domain::task::TaskResult;
use millrace_domain::{Outcome, StepIndex, Timestamp};

use crate::fleet::{CREATED, Fleet};

const A: StepIndex = StepIndex(0);

fn one(policy: &str) -> Fleet {
    Fleet::of(&format!("{{name: w, steps: [{{name: a, run: x, {policy}}}]}}"))
}

fn millis(from: Timestamp, until: Timestamp) -> i64 {
    until.as_millis() - from.as_millis()
}

/// Fails the current attempt, goes to the next, and says how many milliseconds lay between.
fn wait_after_failure(fleet: &mut Fleet) -> i64 {
    let failed_at = fleet.now;
    fleet.end("a", Outcome::Failed);
    assert_eq!(fleet.fire(), RunTimer::Retry(A.into()));
    millis(failed_at, fleet.now)
}

#[test]
fn a_failed_step_is_tried_again_as_often_as_its_policy_says() {
    let mut fleet = one("retry: {limit: 2}");
    for attempt in 1..=2 {
        fleet.end("a", Outcome::Failed);
        assert_eq!((fleet.stands("a"), fleet.state()), ("backoff", "running"));
        let StepState::Backoff { attempts, .. } = &fleet.run.steps[0] else { panic!("no backoff") };
        assert_eq!((attempts.attempt, attempts.retries), (attempt, attempt));
        assert_eq!(fleet.current.len(), 0);
        fleet.fire();
    }
    assert_eq!(fleet.sent(), ["a 1", "a 2", "a 3"]);
    fleet.end("a", Outcome::Failed);
    assert_eq!(
        (fleet.state(), fleet.ended("a").attempts.attempt, fleet.ended("a").attempts.retries),
        ("failed", 3, 2)
    );
    assert!(fleet.timers.is_empty());
}

#[test]
fn a_step_that_succeeds_at_its_second_attempt_has_succeeded() {
    let mut fleet = one("retry: {limit: 5}");
    wait_after_failure(&mut fleet);
    fleet.end("a", Outcome::Succeeded);
    assert_eq!((fleet.state(), fleet.reason()), ("succeeded", ""));
}

#[test]
fn without_a_policy_a_failure_is_final() {
    let mut fleet = one("timeout: 1m");
    fleet.end("a", Outcome::Failed);
    assert_eq!(fleet.state(), "failed");
}

#[test]
fn waits_grow_by_the_backoff_up_to_the_longest() {
    let mut fleet = one("retry: {limit: 5, delay: 1s, backoff: 3, max_delay: 10s, jitter: false}");
    let waits: Vec<i64> = (0..5).map(|_| wait_after_failure(&mut fleet)).collect();
    assert_eq!(waits, [1000, 3000, 9000, 10_000, 10_000]);
}

#[test]
fn jitter_keeps_every_wait_between_half_and_the_whole() {
    let mut fleet = one("retry: {limit: 40, delay: 10s, backoff: 1}");
    let mut waits: Vec<i64> = (0..40).map(|_| wait_after_failure(&mut fleet)).collect();
    assert!(waits.iter().all(|wait| (5000..=10_000).contains(wait)), "{waits:?}");
    waits.sort_unstable();
    waits.dedup();
    assert!(waits.len() > 30 && waits[0] < 6000 && waits[waits.len() - 1] > 9000, "hardly spread: {waits:?}");
}

#[test]
fn an_outcome_that_the_policy_does_not_list_is_final() {
    let mut fleet = one("retry: {limit: 3, outcomes: [timed_out]}");
    fleet.end("a", Outcome::TimedOut);
    fleet.fire();
    fleet.end("a", Outcome::Failed);
    assert_eq!(fleet.state(), "failed");
    let mut fleet = one("retry: {limit: 3}");
    fleet.end("a", Outcome::Cancelled);
    assert_eq!(fleet.state(), "cancelled");
}

#[test]
fn a_lost_attempt_is_replaced_at_once_and_three_times_at_most() {
    let mut fleet = one("retry: {limit: 0}");
    for _ in 0..3 {
        fleet.lose("a");
        assert_eq!(fleet.stands("a"), "dispatched");
    }
    assert_eq!(fleet.sent(), ["a 1", "a 2", "a 3", "a 4"]);
    fleet.lose("a");
    assert_eq!((fleet.state(), fleet.ended("a").attempts.lost), ("failed", 4));
    assert_eq!(fleet.reason(), "step a: lost 4 times; the last time: its worker on host-1 went away");
    assert!(fleet.retired.iter().all(|(.., outcome)| *outcome == Outcome::Lost));
    assert_eq!(fleet.run.head.verdict, Some(Outcome::Failed), "no step and no run is ever lost");
}

#[test]
fn at_most_once_forbids_another_attempt_after_a_loss() {
    let mut fleet = one("at_most_once: true, retry: {limit: 2}");
    assert!(fleet.task("a").at_most_once);
    wait_after_failure(&mut fleet);
    fleet.lose("a");
    assert_eq!((fleet.state(), fleet.sent().len()), ("failed", 2));
    assert!(fleet.reason().contains("at_most_once forbids another attempt"), "{}", fleet.reason());
}

#[test]
fn losses_use_up_no_retries_and_retries_no_losses() {
    let mut fleet = one("retry: {limit: 2}");
    fleet.lose("a");
    wait_after_failure(&mut fleet);
    fleet.lose("a");
    wait_after_failure(&mut fleet);
    fleet.lose("a");
    assert_eq!(fleet.sent(), ["a 1", "a 2", "a 3", "a 4", "a 5", "a 6"]);
    fleet.end("a", Outcome::Failed);
    let attempts = fleet.ended("a").attempts;
    assert_eq!((attempts.attempt, attempts.retries, attempts.lost), (6, 2, 3));
}

#[test]
fn a_loss_does_not_lengthen_the_next_wait() {
    let mut fleet = one("retry: {limit: 2, delay: 4s, jitter: false}");
    fleet.lose("a");
    fleet.lose("a");
    assert_eq!(wait_after_failure(&mut fleet), 4000);
}

#[test]
fn a_worker_that_gives_its_task_up_has_lost_it() {
    let mut fleet = one("retry: {limit: 1}");
    fleet.end("a", Outcome::Lost);
    assert_eq!((fleet.stands("a"), fleet.sent().len()), ("dispatched", 2));
    for _ in 0..3 {
        let reason = Some("the worker is shutting down".to_owned());
        let result = fleet.result(A, Outcome::Lost);
        fleet.apply(Event::Result(TaskResult { reason, ..result })).unwrap();
    }
    assert_eq!(fleet.reason(), "step a: lost 4 times; the last time: the worker is shutting down");
}

#[test]
fn an_attempt_that_was_given_up_counts_for_nothing_when_it_ends_after_all() {
    let mut fleet = one("retry: {limit: 1}");
    let late = fleet.result(A, Outcome::Succeeded);
    fleet.lose("a");
    let stale = Err(Refusal::StaleAttempt { unit: A.into(), attempt: 1 });
    assert_eq!(fleet.apply(Event::Result(late.clone())), stale);
    fleet.end("a", Outcome::Failed);
    assert_eq!(fleet.apply(Event::Result(late)), stale);
    assert_eq!((fleet.stands("a"), fleet.sent().len()), ("backoff", 2));
}

#[test]
fn all_attempts_of_a_step_have_one_idempotency_key() {
    let mut fleet = one("retry: {limit: 1}");
    fleet.lose("a");
    wait_after_failure(&mut fleet);
    let keys: Vec<String> = fleet.tasks.iter().map(|task| task.idempotency_key()).collect();
    assert_eq!(keys, vec![format!("{}:a", fleet.run.id); 3]);
    let ids: Vec<u32> = fleet.tasks.iter().map(|task| task.id().attempt).collect();
    assert_eq!(ids, [1, 2, 3]);
}

#[test]
fn a_retry_of_one_step_leaves_the_others_alone() {
    let mut fleet = Fleet::of(
        "{name: w, steps: [{name: a, run: x, retry: {limit: 1}}, {name: b, run: x, depends_on: [a]}, {name: c, run: x}]}",
    );
    fleet.end("a", Outcome::Failed);
    fleet.end("c", Outcome::Succeeded);
    assert_eq!(["a", "b", "c"].map(|step| fleet.stands(step)), ["backoff", "waiting", "succeeded"]);
    fleet.pass(Duration::from_secs(1));
    fleet.fire();
    fleet.end("a", Outcome::Succeeded);
    fleet.end("b", Outcome::Succeeded);
    assert_eq!(fleet.state(), "succeeded");
}

#[test]
fn when_an_attempt_was_dispatched_outlives_a_reload() {
    let fleet = one("retry: {limit: 1}");
    let (workflow, spec) = (Arc::clone(&fleet.run.workflow), Arc::clone(&fleet.run.spec));
    let then = CREATED + Duration::from_millis(1234);
    let stored = [(A.into(), 1, then)];
    let load = || {
        let (workflow, spec) = (Arc::clone(&workflow), Arc::clone(&spec));
        Run::restore(fleet.run.id, workflow, spec, &fleet.run.head_record(), &[], &stored).unwrap()
    };
    let now = CREATED + Duration::from_secs(9);
    for (outcome, record) in [(Outcome::Succeeded, "ended"), (Outcome::Failed, "backoff")] {
        let mut run = load();
        advance(&mut run, Event::Result(fleet.result(A, outcome)), now).unwrap();
        let stored = run.unit_record(A.into()).unwrap();
        assert!(stored.contains(&format!("\"s\":\"{record}\"")), "{stored}");
        assert!(stored.contains(&format!("\"dispatched_at\":{}", then.as_millis())), "{stored}");
    }
}
