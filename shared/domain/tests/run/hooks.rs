//! Hooks of steps, and of the run.

use millrace_domain::Outcome;
use millrace_domain::run::Event;
use serde_json::json;

use crate::fleet::{Fleet, Order};

const HOOKS: &str = "
name: w
timeout: 1h
steps:
  - name: a
    run: x
    on_success: [{name: praise, run: x}]
    on_failure: [{name: repair, run: x, env: {V: \"${{ run.id }}\"}}]
    on_finish: [{name: clean, run: x}]
  - {name: b, depends_on: [a], run: x, on_finish: [{name: clean_b, run: x}]}
on_success: [{name: good, run: x, env: {ROWS: \"${{ outputs.b.rows }}\"}}]
on_failure: [{name: tell, run: x}, {name: log, depends_on: [tell], run: x}]
on_finish: [{name: done, run: x}]
";

#[test]
fn the_hooks_of_a_step_start_when_it_has_ended_so() {
    let mut fleet = Fleet::of(HOOKS);
    assert_eq!(fleet.sent(), ["a 1"]);
    fleet.end("a", Outcome::Failed);
    assert_eq!(fleet.sent(), ["repair 1", "clean 1"]);
    // One that was skipped has nothing to clean.
    assert_eq!(
        (fleet.stands("praise"), fleet.stands("b"), fleet.stands("clean_b")),
        ("skipped", "skipped", "skipped")
    );
    let env = &fleet.task("repair").env;
    let of =
        ["MILLRACE_HOOK_OF", "MILLRACE_HOOK_OUTCOME", "MILLRACE_HOOK_REASON"].map(|name| env[name].as_str());
    assert_eq!(of, ["a", "failed", ""]);
}

#[test]
fn the_hooks_of_a_run_have_their_turn_when_all_steps_have_ended_and_decide_nothing_that_was_decided() {
    let mut fleet = Fleet::of(HOOKS);
    fleet.end("a", Outcome::Failed);
    fleet.end("repair", Outcome::Succeeded);
    assert_eq!((fleet.stands("tell"), fleet.state()), ("waiting", "running"));
    let words: Vec<_> =
        fleet.run.blockers(fleet.index("tell").into(), fleet.now).iter().map(|b| b.words()).collect();
    assert_eq!(words, ["it is a hook of on_failure, and has its turn when all steps have ended (1 more)"]);
    fleet.sent();
    fleet.end("clean", Outcome::Succeeded);
    assert_eq!(
        (fleet.sent(), fleet.stands("good")),
        (vec!["tell 1".to_owned(), "done 1".to_owned()], "skipped")
    );
    assert_eq!(fleet.ended("good").reason.as_deref(), Some("the run ended as failed"));
    let env = &fleet.task("tell").env;
    assert_eq!((&*env["MILLRACE_HOOK_OUTCOME"], &*env["MILLRACE_HOOK_REASON"]), ("failed", "step a: failed"));
    fleet.end("tell", Outcome::TimedOut);
    assert_eq!(fleet.stands("log"), "skipped");
    fleet.end("done", Outcome::Succeeded);
    assert_eq!((fleet.state(), fleet.reason()), ("failed", "step a: failed"));
}

#[test]
fn a_hook_sees_the_outputs_of_steps_and_a_run_whose_hook_fails_has_failed() {
    let mut fleet = Fleet::of(HOOKS);
    fleet.end("a", Outcome::Succeeded);
    fleet.give("b", &json!({"rows": 7}));
    for hook in ["praise", "clean", "clean_b"] {
        fleet.end(hook, Outcome::Succeeded);
    }
    assert_eq!(fleet.task("good").env["ROWS"], "7");
    fleet.end("done", Outcome::Succeeded);
    fleet.end("good", Outcome::Failed);
    assert_eq!((fleet.state(), fleet.reason()), ("failed", "step good: failed"));
}

#[test]
fn a_run_that_is_stopped_has_its_on_finish_and_a_second_stop_ends_that_too() {
    let mut fleet = Fleet::of(HOOKS);
    fleet.cancel();
    fleet.apply(Event::Revoked { unit: fleet.index("a").into(), attempt: 1, unclaimed: false }).unwrap();
    assert_eq!(
        (fleet.stands("done"), fleet.stands("tell"), fleet.state()),
        ("dispatched", "skipped", "running")
    );
    assert!(fleet.apply(Event::TimedOut).is_err());
    fleet.cancel();
    fleet.apply(Event::Revoked { unit: fleet.index("done").into(), attempt: 1, unclaimed: false }).unwrap();
    assert_eq!((fleet.stands("done"), fleet.state()), ("cancelled", "cancelled"));
}

#[test]
fn a_run_that_took_too_long_has_its_on_failure_and_one_that_never_started_has_none() {
    let mut fleet = Fleet::of(HOOKS);
    fleet.apply(Event::TimedOut).unwrap();
    fleet.apply(Event::Revoked { unit: fleet.index("a").into(), attempt: 1, unclaimed: false }).unwrap();
    assert_eq!((fleet.stands("tell"), fleet.stands("done")), ("dispatched", "dispatched"));

    let later = Fleet::of(HOOKS).now + std::time::Duration::from_secs(60);
    let mut fleet = Fleet::start(&Order { start_at: Some(later), ..Order::of(HOOKS) });
    fleet.cancel();
    assert_eq!((fleet.state(), fleet.stands("done")), ("cancelled", "skipped"));
}

#[test]
fn a_run_that_broke_its_owner_has_no_hooks() {
    let mut fleet = Fleet::of(HOOKS);
    fleet.apply(Event::Poisoned { reason: "it broke".into() }).unwrap();
    assert_eq!(fleet.stands("done"), "cancelled");
    fleet.apply(Event::Revoked { unit: fleet.index("a").into(), attempt: 1, unclaimed: false }).unwrap();
    assert_eq!(fleet.state(), "failed");
}

#[test]
fn a_hook_of_the_run_is_told_what_the_steps_came_to_whatever_became_of_other_hooks() {
    let mut fleet = Fleet::of(
        "name: w\nsteps: [{name: a, run: x}]\non_success: [{name: good, run: x}, {name: after, depends_on: [good], run: x}]\n\
         on_finish: [{name: done, run: x}]\n",
    );
    fleet.end("a", Outcome::Succeeded);
    fleet.end("done", Outcome::Failed);
    fleet.end("good", Outcome::Succeeded);
    let outcome = |name: &str| fleet.task(name).env["MILLRACE_HOOK_OUTCOME"].clone();
    assert_eq!((&*outcome("good"), &*outcome("after")), ("succeeded", "succeeded"));
}

#[test]
fn a_stop_while_steps_end_counts_once_and_one_in_the_turn_of_the_hooks_stops_them_though_it_is_the_first() {
    // The documentation has hooks stopped by a run that is "cancelled a second time".
    let mut fleet = Fleet::of(HOOKS);
    fleet.cancel();
    assert!(fleet.apply(Event::Cancel { reason: "at once".into() }).is_err());
    fleet.apply(Event::Revoked { unit: fleet.index("a").into(), attempt: 1, unclaimed: false }).unwrap();
    assert_eq!(fleet.stands("done"), "dispatched");

    let mut fleet = Fleet::of("name: w\nsteps: [{name: a, run: x}]\non_finish: [{name: done, run: x}]\n");
    fleet.end("a", Outcome::Succeeded);
    fleet.cancel();
    fleet.apply(Event::Revoked { unit: fleet.index("done").into(), attempt: 1, unclaimed: false }).unwrap();
    assert_eq!(
        (fleet.stands("a"), fleet.stands("done"), fleet.state()),
        ("succeeded", "cancelled", "cancelled")
    );
}

#[test]
fn a_hook_that_starts_before_its_step_has_ended_is_told_no_outcome() {
    let mut fleet = Fleet::of(
        "name: w\nsteps:\n  - {name: b, run: x}\n  - {name: a, run: x, on_finish: \
         [{name: h, run: x, depends_on: [b], trigger_rule: one_success}]}\n",
    );
    fleet.end("b", Outcome::Succeeded);
    assert_eq!((fleet.stands("h"), &*fleet.task("h").env["MILLRACE_HOOK_OUTCOME"]), ("dispatched", ""));
}

#[test]
fn the_rule_of_a_hook_counts_the_step_that_it_is_the_hook_of() {
    let source = "name: w\nsteps:\n  - {name: a, run: x, on_success: [{name: h, run: x, trigger_rule: one_success}]}\n";
    let mut fleet = Fleet::of(source);
    fleet.end("a", Outcome::Succeeded);
    assert_eq!(fleet.stands("h"), "dispatched");
}
