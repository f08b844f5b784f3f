//! When steps start: dependencies with a status, rules, conditions, times, waits.

use std::time::Duration;

use millrace_domain::run::{Event, RunState, RunTimer, StepState, advance};
use millrace_domain::task::TaskResult;
use millrace_domain::{Outcome, StepIndex};
use serde_json::json;

use crate::fleet::{CREATED, Fleet, Order};

const CHOICE: &str = "
name: choice
params: [{name: rows, type: int, default: 7}]
steps:
  - {name: size, run: x}
  - {name: small, depends_on: [size], if: params.rows < 1000, run: x}
  - {name: large, depends_on: [size], if: \"${{ params.rows >= 1000 }}\", run: x}
  - {name: publish, depends_on: [small, large], trigger_rule: none_failed, run: x}
";

fn choice() -> Fleet {
    Fleet::start(&Order { params: json!({"rows": 7}), ..Order::of(CHOICE) })
}

fn outcome(fleet: &Fleet, step: &str) -> Option<(Outcome, bool)> {
    match &fleet.run.steps[fleet.index(step).at()] {
        StepState::Ended(end) => Some((end.outcome, end.after_failure)),
        _ => None,
    }
}

fn reason(fleet: &Fleet, step: &str) -> String {
    fleet.ended(step).reason.clone().unwrap_or_default()
}

#[test]
fn of_two_branches_the_one_whose_condition_is_false_is_skipped_and_the_join_starts() {
    let mut fleet = choice();
    fleet.end("size", Outcome::Succeeded);
    assert_eq!(fleet.sent(), ["size 1", "small 1"]);
    assert_eq!(outcome(&fleet, "large"), Some((Outcome::Skipped, false)));
    assert_eq!(reason(&fleet, "large"), "its condition is false: params.rows >= 1000");
    fleet.end("small", Outcome::Succeeded);
    assert_eq!(fleet.sent(), ["publish 1"]);
    fleet.end("publish", Outcome::Succeeded);
    assert_eq!(fleet.run.head.state, RunState::Succeeded);
}

#[test]
fn a_failure_is_seen_through_a_skipped_step() {
    let mut fleet = choice();
    fleet.end("size", Outcome::Failed);
    for step in ["small", "large", "publish"] {
        assert_eq!(outcome(&fleet, step), Some((Outcome::Skipped, true)), "{step}");
    }
    assert_eq!(reason(&fleet, "publish"), "none_failed does not hold: step small is why");
    assert_eq!(fleet.run.head.state, RunState::Failed);
}

#[test]
fn whether_a_failure_is_why_a_step_was_skipped_does_not_depend_on_the_order() {
    for order in [["a", "b"], ["b", "a"]] {
        let mut fleet = Fleet::of(
            "name: w\nsteps:\n  - {name: a, run: x}\n  - {name: b, run: x}\n  - {name: not, run: x, depends_on: [b], if: false}\n  - {name: c, run: x, depends_on: [not, a]}\n  - {name: alarm, run: x, depends_on: [c], trigger_rule: one_failed}\n",
        );
        for step in order {
            let ends = if step == "a" { Outcome::Failed } else { Outcome::Succeeded };
            fleet.end(step, ends);
        }
        assert_eq!(outcome(&fleet, "c"), Some((Outcome::Skipped, true)), "{order:?}");
        assert_eq!(fleet.sent(), ["a 1", "b 1", "alarm 1"]);
    }
}

#[test]
fn what_cleans_up_after_a_skipped_step_does_not_start_beside_what_that_waits_for() {
    let mut fleet = Fleet::of(
        "name: w\nsteps:\n  - {name: a, run: x}\n  - {name: b, run: x}\n  - {name: c, run: x, depends_on: [a, b]}\n  - {name: clean, run: x, depends_on: [c], trigger_rule: all_finished}\n",
    );
    fleet.end("a", Outcome::Failed);
    assert_eq!((fleet.stands("c"), fleet.sent()), ("waiting", vec!["a 1".to_owned(), "b 1".to_owned()]));
    fleet.end("b", Outcome::Succeeded);
    assert_eq!(outcome(&fleet, "c"), Some((Outcome::Skipped, true)));
    assert_eq!(fleet.sent(), ["clean 1"]);
}

#[test]
fn one_is_enough_for_some_rules_and_starts_the_step_once() {
    let source = "name: w\nsteps:\n  - {name: a, run: x}\n  - {name: b, run: x}\n  - {name: any, run: x, depends_on: [a, b], trigger_rule: one_success}\n  - {name: alarm, run: x, depends_on: [a, b], trigger_rule: one_failed}\n";
    let mut fleet = Fleet::of(source);
    fleet.end("a", Outcome::Succeeded);
    assert_eq!(fleet.sent(), ["a 1", "b 1", "any 1"]);
    fleet.end("b", Outcome::Failed);
    assert_eq!(fleet.sent(), ["alarm 1"]);
    let mut fleet = Fleet::of(source);
    fleet.end("a", Outcome::Succeeded);
    fleet.end("b", Outcome::Succeeded);
    assert_eq!(outcome(&fleet, "alarm"), Some((Outcome::Skipped, false)));
    assert_eq!(fleet.sent(), ["a 1", "b 1", "any 1"]);
}

#[test]
fn an_output_of_a_step_that_has_not_ended_can_be_asked_for_and_is_not_there() {
    let of = |field: &str| {
        let mut fleet = Fleet::of(&format!(
            "name: w\nsteps:\n  - {{name: quick, run: x}}\n  - {{name: slow, run: x}}\n  - {{name: any, run: x, depends_on: [quick, slow], trigger_rule: one_success, {field}}}\n"
        ));
        fleet.end("quick", Outcome::Succeeded);
        fleet
    };
    for field in [
        "if: not (outputs.slow.n is defined)",
        "if: outputs.slow.n|default('no') == 'no'",
        "env: {V: \"${{ outputs.slow.n|default('no') }}\"}",
    ] {
        assert_eq!(of(field).stands("any"), "dispatched", "{field}");
    }
    assert_eq!(of("if: outputs.slow.n is defined").stands("any"), "skipped");
    let fleet = of("env: {V: \"${{ outputs.slow.n }}\"}");
    assert_eq!(
        reason(&fleet, "any"),
        "`env.V` cannot be rendered: `outputs.slow` is not defined: step `slow` has not ended"
    );
}

#[test]
fn a_dependency_with_a_status_is_a_branch_for_that_end() {
    let source = "name: w\nsteps:\n  - {name: a, run: x}\n  - {name: repair, run: x, depends_on: [{step: a, status: failed}]}\n  - {name: publish, run: x, depends_on: [a]}\n  - {name: always, run: x, depends_on: [{step: publish, status: finished}, {step: repair, status: finished}]}\n";
    let mut fleet = Fleet::of(source);
    fleet.end("a", Outcome::TimedOut);
    assert_eq!(fleet.sent(), ["a 1", "repair 1"]);
    assert_eq!(outcome(&fleet, "publish"), Some((Outcome::Skipped, true)));
    fleet.end("repair", Outcome::Succeeded);
    assert_eq!(fleet.sent(), ["always 1"]);
    fleet.end("always", Outcome::Succeeded);
    assert_eq!(fleet.run.head.state, RunState::TimedOut, "what was repaired has failed all the same");
    let mut fleet = Fleet::of(source);
    fleet.end("a", Outcome::Succeeded);
    assert_eq!(outcome(&fleet, "repair"), Some((Outcome::Skipped, false)));
    assert_eq!(reason(&fleet, "repair"), "step a did not fail");
}

#[test]
fn a_failure_that_is_excused_is_a_success_to_what_waits_for_it_and_to_the_run() {
    let mut fleet = Fleet::of(
        "name: w\nsteps:\n  - {name: a, run: x, continue_on_error: true}\n  - {name: b, run: x, depends_on: [a]}\n  - {name: c, run: x, depends_on: [{step: a, status: failed}]}\n",
    );
    fleet.end("a", Outcome::Failed);
    assert_eq!(outcome(&fleet, "a"), Some((Outcome::Failed, false)));
    assert_eq!(outcome(&fleet, "c"), Some((Outcome::Skipped, false)));
    assert_eq!(fleet.sent(), ["a 1", "b 1"]);
    fleet.end("b", Outcome::Succeeded);
    assert_eq!((fleet.run.head.state, fleet.run.head.reason.clone()), (RunState::Succeeded, None));
}

#[test]
fn a_condition_that_cannot_be_told_fails_its_step() {
    let mut fleet = Fleet::of(
        "name: w\nsteps:\n  - {name: a, run: x}\n  - {name: b, run: x, depends_on: [a], if: outputs.a.n > 3}\n  - {name: c, run: x, depends_on: [a], if: outputs.a.n}\n",
    );
    fleet.give("a", &json!({"n": "7"}));
    assert!(reason(&fleet, "b").starts_with("`if` cannot be evaluated: "), "{}", reason(&fleet, "b"));
    assert_eq!(
        reason(&fleet, "c"),
        "`if` cannot be evaluated: `outputs.a.n` is \"7\": expected true or false"
    );
    assert_eq!(fleet.run.head.state, RunState::Failed);
}

#[test]
fn a_step_that_is_not_to_start_before_a_time_waits_for_it_and_not_on_a_later_day() {
    let source = |time: &str| {
        format!("name: w\ntimezone: Asia/Shanghai\nsteps: [{{name: a, run: x, not_before: \"{time}\"}}]\n")
    };
    // The run is created at 07:30 there.
    let mut fleet = Fleet::of(&source("08:00"));
    let due = CREATED + Duration::from_secs(30 * 60);
    assert_eq!(fleet.timers.get(&RunTimer::Retry(fleet.index("a").into())), Some(&due));
    assert!(fleet.sent().is_empty());
    fleet.fire();
    assert_eq!(fleet.sent(), ["a 1"]);
    assert_eq!(Fleet::of(&source("07:30")).sent(), ["a 1"]);
    assert_eq!(Fleet::of(&source("07:00")).sent(), ["a 1"]);
}

#[test]
fn a_wait_holds_no_worker_and_ends_when_its_time_has_come() {
    let mut fleet = Fleet::of(
        "name: w\nsteps:\n  - {name: pause, uses: wait, with: {for: 10m}}\n  - {name: next, run: x, depends_on: [pause]}\n",
    );
    assert!(fleet.sent().is_empty());
    fleet.fire();
    assert_eq!(fleet.now, CREATED + Duration::from_secs(600));
    assert_eq!(outcome(&fleet, "pause"), Some((Outcome::Succeeded, false)));
    assert_eq!(fleet.sent(), ["next 1"]);
}

#[test]
fn a_wait_is_until_an_instant_or_the_next_time_of_day_and_one_that_has_passed_is_over() {
    let of = |until: &str| {
        let source = "name: w\nparams: [{name: at}]\nsteps:\n  - {name: pause, uses: wait, with: {until: \"${{ params.at }}\"}}\n  - {name: next, run: x, depends_on: [pause]}\n";
        Fleet::start(&Order { params: json!({"at": until}), ..Order::of(source) })
    };
    let until = |text: &str| {
        let fleet = of(text);
        fleet.timers.get(&RunTimer::Retry(fleet.index("pause").into())).map(ToString::to_string)
    };
    assert_eq!(until("2026-03-02T00:00:00+00:00").as_deref(), Some("2026-03-02T00:00:00.000Z"));
    assert_eq!(until("23:00").as_deref(), Some("2026-03-02T23:00:00.000Z"));
    assert_eq!(of("2020-01-01T00:00:00Z").sent(), ["next 1"]);
    assert!(reason(&of("soon"), "pause").starts_with("`until`: `soon` is neither"));
    assert_eq!(until("2099-12-31T23:59:00+08:00").as_deref(), Some("2099-12-31T15:59:00.000Z"));
}

#[test]
fn a_cancel_ends_what_waits_for_a_time() {
    let mut fleet =
        Fleet::of("name: w\nsteps: [{name: pause, uses: wait, with: {for: 10m}}, {name: other, run: x}]\n");
    fleet.cancel();
    assert_eq!(outcome(&fleet, "pause"), Some((Outcome::Cancelled, false)));
    assert!(!fleet.timers.contains_key(&RunTimer::Retry(fleet.index("pause").into())));
}

#[test]
fn a_long_line_of_steps_that_all_end_at_once_does_not_exhaust_the_stack() {
    let mut source = String::from("name: w\nsteps:\n  - {name: s0, run: x}\n");
    for n in 1..20_000 {
        source.push_str(&format!(
            "  - {{name: s{n}, run: x, depends_on: [s{}], trigger_rule: all_finished, if: outputs.s{}.no}}\n",
            n - 1,
            n - 1
        ));
    }
    let order = Order::of(&source);
    let (mut run, advanced) = order.create(order.workflow());
    let mut fleet = choice();
    fleet.end("size", Outcome::Succeeded);
    let result = TaskResult { run: run.id, ..fleet.result(StepIndex(0), Outcome::Failed) };
    assert_eq!(advanced.actions.len(), 1);
    advance(&mut run, Event::Result(result), CREATED).unwrap();
    assert_eq!(run.head.state, RunState::Failed);
}
