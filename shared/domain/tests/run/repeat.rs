//! Steps that are done again until something is so, and steps of which somebody is asked.

use std::time::Duration;

use millrace_domain::Outcome;
use millrace_domain::run::RunTimer;
use serde_json::json;

use crate::fleet::{CREATED, Fleet};

const POLL: &str = "
name: w
steps:
  - name: poll
    run: x
    repeat: {until: outputs.poll.ready == 'yes', max: 3, delay: 10s}
    retry: {limit: 1, delay: 1s, jitter: false}
  - {name: after, depends_on: [poll], run: x, env: {V: \"${{ outputs.poll.ready }}\"}}
";

#[test]
fn a_step_is_done_again_until_its_condition_is_true_and_holds_no_worker_in_between() {
    let mut fleet = Fleet::of(POLL);
    fleet.give("poll", &json!({"ready": "no"}));
    assert_eq!((fleet.stands("poll"), fleet.current.len()), ("backoff", 0));
    fleet.fire();
    assert_eq!(fleet.now, CREATED + Duration::from_secs(10));
    assert_eq!(fleet.sent(), ["poll 1", "poll 2"]);
    fleet.give("poll", &json!({"ready": "yes"}));
    assert_eq!((fleet.sent(), &*fleet.task("after").env["V"]), (vec!["after 1".to_owned()], "yes"));
}

#[test]
fn each_time_has_retries_of_its_own_and_the_last_time_is_final() {
    let mut fleet = Fleet::of(POLL);
    for time in 1..=3 {
        fleet.end("poll", Outcome::Failed);
        fleet.fire();
        fleet.give("poll", &json!({"ready": "no"}));
        if time < 3 {
            fleet.fire();
        }
    }
    assert_eq!(
        fleet.ended("poll").reason.as_deref(),
        Some("it was done 3 times, and this is still not true: outputs.poll.ready == 'yes'")
    );
    assert_eq!((fleet.stands("poll"), fleet.stands("after")), ("failed", "skipped"));
}

#[test]
fn a_condition_that_cannot_be_told_fails_the_step() {
    let mut fleet = Fleet::of(POLL);
    fleet.give("poll", &json!({}));
    let reason = fleet.ended("poll").reason.clone().unwrap();
    assert!(
        reason.starts_with("`repeat.until` cannot be evaluated: `outputs.poll.ready` is not defined"),
        "{reason}"
    );
}

#[test]
fn a_step_of_a_run_that_is_stopped_succeeds_without_its_condition_being_asked() {
    // The documentation says that it is evaluated after an attempt that succeeded. One that is not so should end as
    // cancelled, and one that cannot be told as failed.
    for outputs in [json!({"ready": "no"}), json!({})] {
        let mut fleet = Fleet::of(POLL);
        fleet.cancel();
        fleet.give("poll", &outputs);
        assert_eq!((fleet.stands("poll"), fleet.state()), ("succeeded", "cancelled"));
    }
}

#[test]
fn what_a_step_gave_that_was_done_too_often_is_there_for_those_that_wait_for_its_failure() {
    let source = POLL.replace("depends_on: [poll]", "depends_on: [{step: poll, status: failed}]");
    let mut fleet = Fleet::of(&source);
    for _ in 0..2 {
        fleet.give("poll", &json!({"ready": "no"}));
        fleet.fire();
    }
    fleet.give("poll", &json!({"ready": "never"}));
    assert_eq!((fleet.stands("poll"), &*fleet.task("after").env["V"]), ("failed", "never"));
}

const ASK: &str = "
name: w
steps:
  - {name: a, run: x, retry: {limit: 1, delay: 1s, then: ask, ask_timeout: 1h}}
  - {name: b, depends_on: [a], run: x}
";

#[test]
fn a_step_that_has_used_up_its_retries_asks_and_fails_when_nobody_answers_in_time() {
    let mut fleet = Fleet::of(ASK);
    fleet.end("a", Outcome::Failed);
    assert_eq!(fleet.stands("a"), "backoff");
    fleet.fire();
    fleet.end("a", Outcome::TimedOut);
    assert_eq!((fleet.stands("a"), fleet.stands("b"), fleet.state()), ("asking", "waiting", "running"));
    let words: Vec<_> =
        fleet.run.blockers(fleet.index("a").into(), fleet.now).iter().map(|b| b.words()).collect();
    assert!(words[0].contains("there is no retry left, and it fails at"), "{words:?}");
    assert_eq!(fleet.fire(), RunTimer::Retry(fleet.index("a").into()));
    assert_eq!(
        fleet.ended("a").reason.as_deref(),
        Some("timed_out; nobody said in time what is to become of it")
    );
    assert_eq!((fleet.stands("a"), fleet.state()), ("timed_out", "timed_out"));
}

#[test]
fn a_step_that_asks_ends_with_a_run_that_is_stopped() {
    let mut fleet = Fleet::of(ASK);
    (0..4).for_each(|_| fleet.lose("a"));
    assert_eq!(fleet.stands("a"), "asking");
    fleet.cancel();
    assert_eq!((fleet.stands("a"), fleet.state(), fleet.timers.len()), ("cancelled", "cancelled", 0));
}
