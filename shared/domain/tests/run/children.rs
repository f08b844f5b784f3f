//! Steps that are runs of other workflows.

use std::time::Duration;

use millrace_domain::run::{Act, Deed, Event, Head, Refusal, RunState, RunTimer};
use millrace_domain::{Outcome, Unit};
use serde_json::json;

use crate::fleet::{CREATED, Fleet, Order};

const LOAD: &str = r#"
name: all
params: [{name: day, type: date}]
steps:
  - {name: list, run: x}
  - name: load
    uses: workflow
    depends_on: [list]
    with: {name: load_day, params: {day: "${{ params.day }}", rows: "${{ outputs.list.rows }}"}}
    retry: {limit: 1, delay: 10s, jitter: false}
    outputs: {rows: int}
  - {name: tell, run: x, depends_on: [load], env: {ROWS: "${{ outputs.load.rows }}"}}
"#;

fn started() -> Fleet {
    let order = Order { params: json!({"day": "2026-03-01"}), ..Order::of(LOAD) };
    let mut fleet = Fleet::start(&order);
    fleet.give("list", &json!({"rows": 7}));
    fleet
}

fn unit(fleet: &Fleet, name: &str) -> Unit {
    fleet.index(name).into()
}

#[test]
fn a_step_starts_a_run_with_its_params_and_gives_what_that_hands_on() {
    let mut fleet = started();
    let load = unit(&fleet, "load");
    assert_eq!(fleet.stands("load"), "child");
    let start = fleet.children[&load].clone();
    assert_eq!((start.workflow.as_str(), start.parent.waits), ("load_day", true));
    assert_eq!(json!(start.params), json!({"day": "2026-03-01", "rows": 7}));
    assert_eq!((start.scheduled_at, start.began_at), (CREATED, CREATED));
    let ancestors: Vec<_> =
        start.parent.ancestors.iter().map(|above| (above.run, above.workflow.as_str())).collect();
    assert_eq!(ancestors, [(fleet.run.id, "all")]);
    fleet.end_child(load, Outcome::Succeeded, &json!({"rows": 7}));
    assert_eq!((fleet.stands("load"), fleet.task("tell").env["ROWS"].as_str()), ("succeeded", "7"));
    assert!(fleet.timers.is_empty(), "{:?}", fleet.timers);
}

#[test]
fn a_run_that_fails_is_started_anew_as_often_as_the_step_is_retried_and_its_reason_comes_up() {
    let mut fleet = started();
    let load = unit(&fleet, "load");
    let first = fleet.children[&load].parent.attempt;
    fleet.end_child(load, Outcome::Failed, &json!({}));
    assert_eq!(fleet.stands("load"), "backoff");
    fleet.fire();
    let second = fleet.children[&load].parent.attempt;
    assert_eq!((first.attempt, second.attempt), (1, 2));
    fleet.end_child(load, Outcome::TimedOut, &json!({}));
    assert_eq!(
        (fleet.stands("load"), fleet.stands("tell"), fleet.state()),
        ("timed_out", "skipped", "timed_out")
    );
}

#[test]
fn outputs_that_are_not_what_the_step_declares_fail_the_attempt() {
    let mut fleet = started();
    let load = unit(&fleet, "load");
    for attempt in 0..2 {
        fleet.end_child(load, Outcome::Succeeded, &json!({"rows": "seven"}));
        if attempt == 0 {
            fleet.fire();
        }
    }
    assert!(fleet.reason().contains("output `rows`: expected a whole number"), "{}", fleet.reason());
}

#[test]
fn the_end_of_another_attempt_or_one_that_a_worker_tells_changes_nothing() {
    let mut fleet = started();
    let load = unit(&fleet, "load");
    let of_worker = fleet.result(load, Outcome::Succeeded);
    assert!(matches!(fleet.apply(Event::Result(of_worker)), Err(Refusal::StaleAttempt { .. })));
    let mut early = fleet.children[&load].parent.told(Outcome::Succeeded);
    early.attempt = 2;
    assert!(matches!(fleet.apply(Event::ChildEnded(early)), Err(Refusal::StaleAttempt { .. })));
    let act = Act {
        id: "1".into(),
        unit: load,
        attempt: 1,
        deed: Deed::Skip,
        by: "ann".into(),
        why: String::new(),
    };
    let refused = fleet.apply(Event::Act(Box::new(act.clone()))).unwrap_err();
    let why = fleet.run.why_refused(&act, &refused);
    assert_eq!(
        why,
        "step load cannot be skipped: its run is under way: act on the steps of that, which `millrace runs tree` shows"
    );
}

#[test]
fn a_run_that_has_not_told_of_its_end_is_asked_after_less_and_less_often() {
    let mut fleet = started();
    let attempt = fleet.children[&unit(&fleet, "load")].parent.attempt;
    let mut waits = Vec::new();
    while waits.len() < 12 {
        let before = fleet.now;
        assert_eq!(fleet.fire(), RunTimer::Retry(attempt.unit));
        waits.push(fleet.now.since(before).as_secs());
    }
    assert_eq!(waits[..6], [30, 30, 30, 30, 30, 37]);
    assert_eq!(fleet.asked_again[&attempt], 12);
    assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]), "{waits:?}");
    fleet.pass(Duration::from_secs(24 * 60 * 60));
    fleet.fire();
    let before = fleet.now;
    fleet.fire();
    assert_eq!(fleet.now.since(before), Duration::from_secs(600));
    let noted = fleet.stored.entries.len();
    fleet.fire();
    assert_eq!(fleet.stored.entries.len(), noted, "its history does not grow by that");
}

#[test]
fn a_stop_goes_down_again_and_again_until_the_run_has_ended() {
    let mut fleet = started();
    let load = unit(&fleet, "load");
    let attempt = fleet.children[&load].parent.attempt;
    fleet.cancel();
    assert_eq!((fleet.state(), fleet.stands("load")), ("running", "child"));
    for _ in 0..20 {
        assert_eq!(fleet.fire(), RunTimer::CancelCheck);
    }
    assert_eq!(fleet.asked_to_stop[&attempt], 21);
    fleet.end_child(load, Outcome::Cancelled, &json!({}));
    assert_eq!((fleet.state(), fleet.stands("load"), fleet.ends), ("cancelled", "cancelled", 1));
}

#[test]
fn items_are_runs_of_their_own_and_those_that_are_left_are_stopped_when_too_many_fail() {
    let source = r#"
name: all
steps:
  - name: each
    uses: workflow
    foreach: {items: [a, b, c, d, e], max_parallel: 3, fail_fast: true}
    with: {name: load, params: {file: "${{ item }}", place: "${{ item_index }}"}}
  - {name: join, run: x, depends_on: [each], trigger_rule: all_finished, env: {ALL: "${{ outputs.each }}"}}
"#;
    let mut fleet = Fleet::of(source);
    let item = |fleet: &Fleet, n| fleet.item("each", n);
    assert_eq!(fleet.children.len(), 3);
    let second = item(&fleet, 1);
    assert_eq!(json!(fleet.children[&second].params), json!({"file": "b", "place": 1}));
    fleet.end_child(second, Outcome::Succeeded, &json!({"rows": 2}));
    assert_eq!(fleet.children.len(), 3, "the next one began");
    let first = item(&fleet, 0);
    fleet.end_child(first, Outcome::Failed, &json!({}));
    assert_eq!(fleet.asked_to_stop.len(), 2);
    for n in [2, 3] {
        assert_eq!(fleet.timers.keys().collect::<Vec<_>>(), [&RunTimer::CancelCheck]);
        let unit = item(&fleet, n);
        fleet.end_child(unit, Outcome::Cancelled, &json!({}));
    }
    assert_eq!(fleet.stands("each"), "failed");
    // What the items gave is read first.
    fleet.fire();
    assert_eq!(fleet.task("join").env["ALL"], r#"[null,{"rows":2},null,null,null]"#);
}

#[test]
fn a_second_stop_reaches_the_hooks_of_children_and_a_look_does_not() {
    let mut fleet = started();
    fleet.cancel();
    fleet.fire();
    assert_eq!(fleet.hooks_stopped, 0);
    let noted = fleet.stored.entries.len();
    fleet.cancel();
    assert_eq!((fleet.hooks_stopped, fleet.stored.entries.len()), (1, noted + 1), "its history tells of it");
    let load = unit(&fleet, "load");
    fleet.end_child(load, Outcome::Cancelled, &json!({}));
    assert!(matches!(fleet.apply(Event::Cancel { reason: "again".into() }), Err(Refusal::RunEnded(_))));
}

#[test]
fn items_whose_params_are_large_begin_by_and_by() {
    let source = r#"
name: all
params: [{name: text}]
steps:
  - {name: each, uses: workflow, shards: 20, with: {name: load, params: {text: "${{ params.text }}"}}}
  - {name: a, uses: workflow, with: {name: load, params: {text: "${{ params.text }}"}}}
"#;
    let order = Order { params: json!({"text": "x".repeat(900_000)}), ..Order::of(source) };
    let mut fleet = Fleet::start(&order);
    assert_eq!(fleet.children.len(), 5, "of each advance, what makes 4 MiB");
    let mut advances = 1;
    while fleet.timers.values().any(|due| *due == CREATED) {
        fleet.fire();
        advances += 1;
    }
    assert_eq!((fleet.children.len(), advances), (21, 5));
}

#[test]
fn a_long_chain_of_reasons_keeps_its_beginning_and_its_end() {
    let fleet = started();
    let parent = fleet.children[&unit(&fleet, "load")].parent.clone();
    let reason = format!("{} the disk is full", "step a: ".repeat(1_000));
    let (state, reason, parent) = (RunState::Failed, Some(reason), Some(Box::new(parent)));
    let reason = Head { state, reason, parent, ..fleet.run.head }.told_parent().unwrap().reason.unwrap();
    assert!(reason.len() < 2_100 && reason.starts_with("workflow all failed: step a"), "{reason}");
    assert!(reason.ends_with("the disk is full"), "{reason}");
}

#[test]
fn a_step_that_does_not_wait_ends_when_the_run_is_there() {
    let source = r#"
name: all
steps:
  - {name: away, uses: workflow, with: {name: load, wait: false}}
  - {name: tell, run: x, depends_on: [away], env: {RUN: "${{ outputs.away.run_id }}"}}
"#;
    let mut fleet = Fleet::of(source);
    let away = unit(&fleet, "away");
    assert!(!fleet.children[&away].parent.waits);
    fleet.end_child(away, Outcome::Succeeded, &json!({"run_id": "0192"}));
    assert_eq!(fleet.task("tell").env["RUN"], "0192");
}

#[test]
fn an_input_that_cannot_be_rendered_fails_the_step_without_a_run() {
    for (with, told) in [
        (r#"{name: "${{ params.name }}"}"#, "`name`: "),
        (
            r#"{name: load, params: "${{ params.given }}"}"#,
            "`params`: expected a map of names and values, found [1]",
        ),
        (r#"{name: load, params: {a: "${{ params.given.none }}"}}"#, "`with` cannot be rendered: "),
    ] {
        let source = format!(
            "name: all\nparams: [{{name: name, default: 'No Name'}}, {{name: given, type: json, default: [1]}}]\nsteps:\n  - {{name: load, uses: workflow, with: {with}}}\n"
        );
        let order = Order { params: json!({"name": "No Name", "given": [1]}), ..Order::of(&source) };
        let fleet = Fleet::start(&order);
        let reason = fleet.ended("load").reason.clone().unwrap();
        assert!(reason.starts_with(told), "{reason}");
        assert_eq!((fleet.state(), fleet.ended("load").attempts.attempt), ("failed", 0));
    }
}

#[test]
fn a_run_that_somebody_has_started_anew_is_asked_after() {
    let mut fleet = Fleet::of(
        "name: all\nsteps:\n  - {name: load, uses: workflow, with: {name: load}, retry: {then: ask}}\n",
    );
    let load = unit(&fleet, "load");
    fleet.end_child(load, Outcome::Failed, &json!({}));
    assert_eq!(fleet.stands("load"), "asking");
    let (by, why) = ("ann".to_owned(), String::new());
    let act = Act { id: "1".into(), unit: load, attempt: 1, deed: Deed::Retry, by, why };
    fleet.apply(Event::Act(Box::new(act))).unwrap();
    assert_eq!((fleet.stands("load"), fleet.children[&load].parent.attempt.attempt), ("child", 2));
    assert!(fleet.timers.contains_key(&RunTimer::Retry(load)), "{:?}", fleet.timers);
}

#[test]
fn an_item_that_is_given_up_as_it_begins_is_told_to_stop_and_not_asked_after() {
    let source = r#"
name: all
steps:
  - name: each
    uses: workflow
    foreach: {items: [{file: a}, {}], fail_fast: true}
    with: {name: load, params: {file: "${{ item.file }}"}}
"#;
    let mut fleet = Fleet::of(source);
    let first = fleet.item("each", 0);
    assert_eq!(fleet.timers.keys().collect::<Vec<_>>(), [&RunTimer::CancelCheck]);
    fleet.end_child(first, Outcome::Cancelled, &json!({}));
    assert_eq!((fleet.stands("each"), fleet.state()), ("failed", "failed"));
}
