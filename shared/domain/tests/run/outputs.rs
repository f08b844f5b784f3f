//! Outputs that a step declares: an attempt that does not give them has failed, whatever its worker says.

use millrace_domain::Outcome;
use millrace_domain::run::{Event, RunTimer, StepState};
use millrace_domain::task::TaskResult;
use serde_json::{Value, json};

use crate::fleet::{Fleet, Order};

const SOURCE: &str = "name: w\nsteps:\n  \
    - {name: a, FAN run: x, outputs: {rows: int, tables: json}, retry: {limit: 1, jitter: false}}\n  \
    - {name: b, depends_on: [a], uses: http, with: {url: \"http://x/\", method: POST, body: \"${{ outputs.a }}\"}}\n";

fn start(fan: &str) -> Fleet {
    Fleet::start(&Order::of(&SOURCE.replace("FAN", fan)))
}

/// The current attempt of a unit ends well, and gives this.
fn give(fleet: &mut Fleet, item: Option<u32>, outputs: &Value, is_typed: bool) {
    let unit = item.map_or_else(|| fleet.index("a").into(), |item| fleet.item("a", item));
    let outputs = outputs.as_object().unwrap().clone();
    let result = TaskResult { outputs, is_typed, ..fleet.result(unit, Outcome::Succeeded) };
    fleet.apply(Event::Result(result)).unwrap();
}

#[test]
fn texts_of_lines_become_values_of_the_declared_types_and_the_rest_is_kept() {
    let mut fleet = start("");
    give(&mut fleet, None, &json!({"rows": "42", "tables": "[\"t\"]", "note": "5"}), false);
    assert_eq!(fleet.tasks.last().unwrap().with["body"], json!({"rows": 42, "tables": ["t"], "note": "5"}));
}

#[test]
fn an_attempt_that_gives_another_kind_or_nothing_fails_and_is_retried() {
    let mut fleet = start("");
    give(&mut fleet, None, &json!({"rows": "42", "tables": 1}), true);
    let told = "output `rows`: expected a whole number of 64 bits, found the text `42`";
    match &fleet.run.steps[0] {
        StepState::Backoff { reason, .. } => assert_eq!(reason.as_deref(), Some(told)),
        other => panic!("{other:?}"),
    }
    let timer = RunTimer::Retry(fleet.index("a").into());
    fleet.now = fleet.timers[&timer];
    fleet.fire_timer(timer).unwrap();
    give(&mut fleet, None, &json!({"rows": 1}), true);
    let StepState::Ended(end) = &fleet.run.steps[0] else { panic!("{:?}", fleet.run.steps[0]) };
    assert_eq!(end.outcome, Outcome::Failed);
    assert_eq!(end.reason.as_deref(), Some("output `tables` is missing: expected JSON"));
    assert_eq!(Value::from(end.outputs.clone()), json!({"rows": 1}));
    assert_eq!(fleet.run.outcome_of(fleet.index("b")), Some(Outcome::Skipped));
}

#[test]
fn only_an_attempt_that_succeeded_is_held_to_what_its_step_declares() {
    let mut fleet = start("");
    let result = fleet.result(fleet.index("a"), Outcome::Failed);
    let reason = Some("exit status 3".to_owned());
    fleet.apply(Event::Result(TaskResult { reason, ..result })).unwrap();
    match &fleet.run.steps[0] {
        StepState::Backoff { reason, .. } => assert_eq!(reason.as_deref(), Some("exit status 3")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_item_of_a_step_that_fans_out_is_held_to_it() {
    let mut fleet = start("foreach: {items: [x, y], tolerate: 1},");
    give(&mut fleet, Some(0), &json!({"rows": "7", "tables": "[]"}), false);
    give(&mut fleet, Some(1), &json!({"rows": "7"}), false);
    let timer = RunTimer::Retry(fleet.item("a", 1));
    fleet.now = fleet.timers[&timer];
    fleet.fire_timer(timer).unwrap();
    give(&mut fleet, Some(1), &json!({"rows": "x", "tables": "{}"}), false);
    let StepState::Ended(end) = &fleet.run.steps[0] else { panic!("{:?}", fleet.run.steps[0]) };
    let counts = end.items.as_ref().unwrap();
    assert_eq!((end.outcome, counts.succeeded, counts.failed), (Outcome::Succeeded, 1, 1));
    // The join is woken with the outputs, which are not in memory.
    fleet.fire();
    let body = &fleet.task("b").with["body"];
    assert_eq!(body[0], json!({"rows": 7, "tables": []}));
}

/// A step whose outputs are used by the list, the condition and the task of others.
const LARGE: &str = "name: w\nsteps:\n  \
    - {name: a, run: x, EXTRA}\n  \
    - {name: each, depends_on: [a], foreach: \"${{ outputs.a.list }}\", run: x}\n  \
    - {name: b, depends_on: [a], if: outputs.a.list | length > 20000, run: x, env: {N: \"${{ outputs.a.list | length }}\"}}\n";

fn large(extra: &str) -> Fleet {
    Fleet::start(&Order::of(&LARGE.replace(", EXTRA", extra)))
}

/// Outputs that take about so many bytes as JSON.
fn list_of(bytes: usize) -> Value {
    json!({"list": vec![7; bytes / 2]})
}

#[test]
fn large_outputs_are_kept_apart_and_lent_to_what_uses_them() {
    let mut fleet = large("");
    give(&mut fleet, None, &list_of(80_000), true);
    let end = fleet.ended("a");
    assert!(end.outputs.is_empty() && end.outputs_bytes > 80_000, "{end:?}");
    let record = fleet.run.unit_record(fleet.index("a").into()).unwrap();
    assert!(record.len() < 500 && record.contains("outputs_bytes"), "{record}");
    // Each that uses them is woken with them, and the run keeps none of it.
    while fleet.timers.keys().any(|timer| matches!(timer, RunTimer::Retry(_))) {
        fleet.fire();
    }
    assert_eq!((fleet.stands("each"), fleet.stands("b")), ("fanned", "dispatched"));
    assert_eq!(fleet.task("b").env["N"], "40000");
}

#[test]
fn outputs_up_to_the_bound_stay_with_the_run() {
    let mut fleet = large("");
    give(&mut fleet, None, &list_of(60_000), true);
    assert!(fleet.ended("a").outputs_bytes == 0 && !fleet.ended("a").outputs.is_empty());
    assert_eq!(fleet.task("b").env["N"], "30000", "nobody has to be woken");
}

#[test]
fn outputs_past_the_bound_fail_the_attempt_with_a_reason_that_says_how_large_they_are() {
    let mut fleet = large(", retry: {limit: 1, jitter: false}");
    give(&mut fleet, None, &json!({"text": "x".repeat(9_000_000)}), true);
    let StepState::Backoff { reason: Some(reason), .. } = &fleet.run.steps[0] else {
        panic!("{:?}", fleet.run.steps[0])
    };
    assert!(reason.starts_with("its outputs take 9000011 bytes: expected at most 8388608"), "{reason}");
}

#[test]
fn large_outputs_that_decide_whether_a_step_is_repeated_fail_it() {
    let mut fleet = large(", repeat: {until: outputs.a.done, max: 3}");
    give(&mut fleet, None, &json!({"done": false, "text": "x".repeat(600_000)}), true);
    let reason = fleet.ended("a").reason.clone().unwrap();
    assert!(
        reason.contains("expected at most 524288") && reason.contains("where a step is repeated"),
        "{reason}"
    );
}

#[test]
fn large_outputs_of_an_attempt_that_failed_are_dropped() {
    let mut fleet = large("");
    let result = fleet.result(fleet.index("a"), Outcome::Failed);
    let outputs = json!({"text": "x".repeat(600_000)}).as_object().unwrap().clone();
    fleet.apply(Event::Result(TaskResult { outputs, ..result })).unwrap();
    let end = fleet.ended("a");
    assert!(end.outputs.is_empty() && end.outputs_bytes == 0 && end.outcome == Outcome::Failed);
}

#[test]
fn large_outputs_are_held_to_what_the_step_declares() {
    let mut fleet = large(", outputs: {list: json, rows: int}");
    let mut outputs = list_of(80_000);
    outputs["rows"] = json!("twelve");
    give(&mut fleet, None, &outputs, false);
    assert_eq!(fleet.ended("a").outcome, Outcome::Failed);
    assert!(fleet.ended("a").outputs.is_empty(), "those of a failure are dropped");
    let mut fleet = large(", outputs: {list: json, rows: int}");
    outputs["rows"] = json!(12);
    give(&mut fleet, None, &outputs, true);
    assert_eq!(fleet.outputs_apart(fleet.index("a")), outputs);
}

/// Each output is within its bounds, and all of them are too much for one message.
#[test]
fn a_step_whose_input_is_too_large_to_be_sent_fails_and_says_so() {
    let source = "name: w\nsteps:\n  - {name: a, run: x}\n  - {name: b, depends_on: [a], run: x}\n  \
                  - {name: c, depends_on: [b], uses: http, with: {url: \"http://x/\", body: [\"${{ outputs.a.t }}\", \"${{ outputs.b.t }}\"]}}\n";
    let mut fleet = Fleet::of(source);
    for step in ["a", "b"] {
        fleet.give(step, &json!({"t": "x".repeat(6_000_000)}));
    }
    fleet.fire();
    let reason = fleet.ended("c").reason.clone().unwrap();
    assert!(
        reason.contains("its input (`with` and `env`) is about 12000") && reason.contains("at most 10485760"),
        "{reason}"
    );
}
