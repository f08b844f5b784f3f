//! What people do to steps: they have them tried again, skip them, or say how they ended.

use millrace_domain::Outcome;
use millrace_domain::run::{Act, Deed, Event, Refusal};
use serde_json::{Map, Value, json};

use crate::fleet::{Fleet, Order};

const SOURCE: &str = "name: w\nsteps:\n  \
    - {name: a, run: x, retry: {limit: 1, delay: 10s, jitter: false, then: ask}, outputs: {rows: int}}\n  \
    - {name: b, depends_on: [a], run: x, env: {ROWS: \"${{ outputs.a.rows|default(0) }}\"}}\n";

fn act(fleet: &Fleet, name: &str, item: Option<u32>, deed: Deed) -> Act {
    let unit = item.map_or_else(|| fleet.index(name).into(), |item| fleet.item(name, item));
    let id = format!("{name} {item:?} {}", fleet.history.len());
    Act { id, unit, attempt: fleet.run.last_attempt(unit), deed, by: "ann".into(), why: "it is known".into() }
}

fn does(fleet: &mut Fleet, name: &str, deed: Deed) -> Result<(), Refusal> {
    let act = act(fleet, name, None, deed);
    fleet.apply(Event::Act(Box::new(act)))
}

fn gives(outputs: &Value) -> Deed {
    Deed::Succeed { outputs: outputs.as_object().cloned().unwrap() }
}

/// A run whose first step asks what is to become of it.
fn asking() -> Fleet {
    let mut fleet = Fleet::of(SOURCE);
    fleet.end("a", Outcome::Failed);
    fleet.fire();
    fleet.end("a", Outcome::Failed);
    assert_eq!(fleet.stands("a"), "asking");
    fleet
}

#[test]
fn a_step_that_asks_is_tried_again_and_asks_again_when_that_fails() {
    let mut fleet = asking();
    fleet.sent();
    does(&mut fleet, "a", Deed::Retry).unwrap();
    assert_eq!(fleet.sent(), ["a 3"]);
    assert!(fleet.timers.is_empty(), "nobody has to be asked any more");
    fleet.end("a", Outcome::Failed);
    assert_eq!(fleet.stands("a"), "asking");
    does(&mut fleet, "a", Deed::Retry).unwrap();
    fleet.give("a", &json!({"rows": 5}));
    assert_eq!(fleet.task("b").env["ROWS"], "5");
}

#[test]
fn a_step_that_waits_for_its_retry_is_tried_again_at_once_and_keeps_its_retries() {
    let mut fleet = Fleet::of(SOURCE);
    fleet.end("a", Outcome::Failed);
    fleet.sent();
    does(&mut fleet, "a", Deed::Retry).unwrap();
    assert_eq!((fleet.sent(), fleet.timers.len()), (vec!["a 2".to_owned()], 0));
    fleet.end("a", Outcome::Failed);
    assert_eq!(fleet.stands("a"), "asking", "the retry was the one that it had");
}

#[test]
fn a_step_that_is_skipped_is_told_with_who_and_why_and_what_depends_on_it_is_skipped() {
    let mut fleet = asking();
    does(&mut fleet, "a", Deed::Skip).unwrap();
    let end = fleet.ended("a");
    assert_eq!((end.outcome, end.by.as_deref()), (Outcome::Skipped, Some("ann")));
    assert_eq!(end.reason.as_deref(), Some("skipped by ann: it is known"));
    assert_eq!((end.attempts.attempt, end.worker.as_str(), end.after_failure), (2, "worker-1", false));
    assert_eq!((fleet.stands("b"), fleet.state()), ("skipped", "succeeded"));
}

#[test]
fn a_step_that_is_marked_gives_what_somebody_says() {
    let mut fleet = asking();
    does(&mut fleet, "a", gives(&json!({"rows": 7, "note": "by hand"}))).unwrap();
    assert_eq!(fleet.task("b").env["ROWS"], "7");
    assert_eq!(fleet.ended("a").reason.as_deref(), Some("marked as succeeded by ann: it is known"));

    let mut fleet = asking();
    does(&mut fleet, "a", Deed::Fail).unwrap();
    assert_eq!((fleet.stands("b"), fleet.state()), ("skipped", "failed"));
    assert_eq!(fleet.reason(), "step a: marked as failed by ann: it is known");
}

#[test]
fn a_wait_and_a_step_that_waits_for_its_time_are_ended_before_that() {
    let source = "name: w\nsteps:\n  - {name: wait, uses: wait, with: {for: 1h}}\n  \
        - {name: late, run: x, not_before: \"23:59\"}\n  - {name: last, depends_on: [wait, late], run: x}\n";
    let mut fleet = Fleet::of(source);
    does(&mut fleet, "wait", gives(&json!({}))).unwrap();
    does(&mut fleet, "late", gives(&json!({}))).unwrap();
    assert_eq!(fleet.sent(), ["last 1"]);
}

#[test]
fn an_item_is_acted_on_by_its_place_and_one_that_is_skipped_has_not_failed() {
    let source = "name: w\nsteps:\n  \
        - {name: each, run: x, foreach: {items: [1, 2, 3], max_parallel: 2}, retry: {limit: 0, then: ask}}\n  \
        - {name: join, depends_on: [each], run: x, env: {ALL: \"${{ outputs.each }}\"}}\n";
    let mut fleet = Fleet::of(source);
    for item in 0..2 {
        let result = fleet.result(fleet.item("each", item), Outcome::Failed);
        fleet.apply(Event::Result(result)).unwrap();
    }
    let skip = act(&fleet, "each", Some(0), Deed::Skip);
    fleet.apply(Event::Act(Box::new(skip))).unwrap();
    let mark = act(&fleet, "each", Some(1), gives(&json!({"n": 1})));
    fleet.apply(Event::Act(Box::new(mark))).unwrap();
    let refused = |fleet: &mut Fleet, item| {
        let act = act(fleet, "each", item, Deed::Skip);
        let refusal = fleet.apply(Event::Act(Box::new(act.clone()))).unwrap_err();
        fleet.run.why_refused(&act, &refusal)
    };
    assert_eq!(refused(&mut fleet, Some(1)), "item 1 of step each cannot be skipped: it has ended");
    assert_eq!(
        refused(&mut fleet, Some(3)),
        "item 3 of step each cannot be skipped: it has not begun, or does not exist"
    );
    let told = "step each cannot be skipped: it has items: say which, by its place in the list (--item N)";
    assert_eq!(refused(&mut fleet, None), told);
    let result = fleet.result(fleet.item("each", 2), Outcome::Succeeded);
    fleet.apply(Event::Result(result)).unwrap();
    let counts = **fleet.ended("each").items.as_ref().unwrap();
    assert_eq!((counts.succeeded, counts.failed, counts.skipped), (2, 0, 1));
    fleet.fire();
    assert_eq!(fleet.task("join").env["ALL"], r#"[null,{"n":1},{}]"#);
}

#[test]
fn an_act_that_comes_again_does_nothing_and_one_on_what_has_gone_on_is_refused() {
    let mut fleet = asking();
    let retry = act(&fleet, "a", None, Deed::Retry);
    fleet.apply(Event::Act(Box::new(retry.clone()))).unwrap();
    fleet.end("a", Outcome::Failed);
    fleet.sent();
    fleet.apply(Event::Act(Box::new(retry.clone()))).unwrap();
    assert_eq!((fleet.stands("a"), fleet.sent().len()), ("asking", 0), "it was done before");
    let other = Act { deed: Deed::Skip, ..retry.clone() };
    let refusal = fleet.apply(Event::Act(Box::new(other.clone()))).unwrap_err();
    let told = fleet.run.why_refused(&other, &refusal);
    assert!(told.starts_with("step a was not skipped: the idempotency key"), "{told}");
    let late = Act { id: "another".into(), ..retry };
    let refusal = fleet.apply(Event::Act(Box::new(late.clone()))).unwrap_err();
    assert_eq!(
        fleet.run.why_refused(&late, &refusal),
        "step a cannot be tried again: it has gone on since it was looked at; look again"
    );
}

#[test]
fn what_cannot_be_done_is_refused_with_why() {
    let why = |fleet: &mut Fleet, name: &str, deed: Deed| {
        let act = act(fleet, name, None, deed);
        let refusal = fleet.apply(Event::Act(Box::new(act.clone()))).unwrap_err();
        fleet.run.why_refused(&act, &refusal)
    };
    let mut fleet = Fleet::of(&format!("{SOURCE}on_failure: [{{name: tell, run: x}}]\n"));
    assert_eq!(
        why(&mut fleet, "a", Deed::Skip),
        "step a cannot be skipped: an attempt of it is with the fleet: wait for that to end, or cancel the run"
    );
    assert_eq!(
        why(&mut fleet, "b", Deed::Skip),
        "step b cannot be skipped: its turn has not come: it waits for a"
    );
    assert_eq!(
        why(&mut fleet, "tell", Deed::Skip),
        "step tell cannot be skipped: it is a hook of the run, whose turn has not come"
    );
    fleet.end("a", Outcome::Failed);
    let told = why(&mut fleet, "a", gives(&json!({"rows": "many"})));
    assert_eq!(
        told,
        "step a cannot be marked as succeeded: it declares what it gives: output `rows`: expected a whole number of 64 bits, found the text `many`"
    );
    let large = json!({"rows": 1, "text": "x".repeat(70_000)});
    assert!(why(&mut fleet, "a", gives(&large)).contains("expected at most 65536"));
    fleet.cancel();
    let told = why(&mut fleet, "b", Deed::Succeed { outputs: Map::new() });
    assert_eq!(told, "step b cannot be marked as succeeded: its run has ended: cancelled");

    let mut fleet = Fleet::of("name: w\nsteps: [{name: wait, uses: wait, with: {for: 1h}}]\n");
    let told = "step wait cannot be tried again: it had no attempt that could be tried again";
    assert_eq!(why(&mut fleet, "wait", Deed::Retry), told);

    let start_at = Some(crate::fleet::CREATED + std::time::Duration::from_secs(60));
    let mut fleet = Fleet::start(&Order { start_at, ..Order::of(SOURCE) });
    let told = "step a cannot be skipped: its run has not started: cancel that, or let it start";
    assert_eq!(why(&mut fleet, "a", Deed::Skip), told);
}

#[test]
fn what_was_done_is_in_the_history_and_replays() {
    let mut fleet = asking();
    does(&mut fleet, "a", Deed::Retry).unwrap();
    fleet.end("a", Outcome::Failed);
    does(&mut fleet, "a", gives(&json!({"rows": 7}))).unwrap();
    fleet.end("b", Outcome::Succeeded);
    crate::history::assert_replays(&fleet);
    let told = crate::history::told(&fleet);
    assert!(told.contains(&"5 act: a was tried again by ann: it is known".to_owned()), "{told:?}");
    assert!(told.contains(&"7 act: a was marked as succeeded by ann: it is known".to_owned()), "{told:?}");
    assert!(!told.iter().any(|line| line.starts_with("7 step_ended: a")), "once is enough: {told:?}");
}

#[test]
fn an_act_that_has_ended_its_run_is_known_when_it_comes_again() {
    let mut fleet = Fleet::of("name: w\nsteps: [{name: wait, uses: wait, with: {for: 1h}}]\n");
    let skip = act(&fleet, "wait", None, Deed::Skip);
    fleet.apply(Event::Act(Box::new(skip.clone()))).unwrap();
    assert_eq!(fleet.state(), "succeeded");
    fleet.apply(Event::Act(Box::new(skip.clone()))).unwrap();
    let other = Act { id: "another".into(), ..skip };
    assert!(matches!(fleet.apply(Event::Act(Box::new(other))), Err(Refusal::RunEnded(_))));
}

#[test]
fn what_a_step_with_items_or_one_of_them_is_said_to_give_is_bounded_as_what_they_give() {
    let source = "name: w\nsteps: [{name: each, run: x, foreach: [1, 2], not_before: \"23:59\", \
        outputs: {rows: int}, retry: {limit: 0, then: ask}}]\n";
    let mut fleet = Fleet::of(source);
    let told = "step each cannot be marked as succeeded: a step with items gives the list of what these gave, and nothing else";
    let whole = act(&fleet, "each", None, gives(&json!({"rows": 1})));
    let refusal = fleet.apply(Event::Act(Box::new(whole.clone()))).unwrap_err();
    assert_eq!(fleet.run.why_refused(&whole, &refusal), told);
    fleet.fire();
    let large = json!({"rows": 1, "text": "x".repeat(8 * 1024 * 1024 - 1_000)});
    let result = fleet.result(fleet.item("each", 0), Outcome::Succeeded);
    let outputs = large.as_object().cloned().unwrap();
    fleet.apply(Event::Result(millrace_domain::task::TaskResult { outputs, ..result })).unwrap();
    let result = fleet.result(fleet.item("each", 1), Outcome::Failed);
    fleet.apply(Event::Result(result)).unwrap();
    let item = act(&fleet, "each", Some(1), gives(&json!({"rows": 1, "text": "x".repeat(2_000)})));
    let refusal = fleet.apply(Event::Act(Box::new(item.clone()))).unwrap_err();
    let told = fleet.run.why_refused(&item, &refusal);
    assert!(told.contains("with these, its outputs take") && told.contains("at most 8388608"), "{told}");
}

#[test]
fn a_run_remembers_64_acts() {
    let source = "name: w\nsteps: [{name: each, run: x, foreach: ITEMS, retry: {limit: 0, then: ask}}]\n";
    let mut fleet = Fleet::of(&source.replace("ITEMS", &json!((0..65).collect::<Vec<_>>()).to_string()));
    let mut first = None;
    for item in 0..65 {
        let result = fleet.result(fleet.item("each", item), Outcome::Failed);
        fleet.apply(Event::Result(result)).unwrap();
        if item < 64 {
            let skip = act(&fleet, "each", Some(item), Deed::Skip);
            fleet.apply(Event::Act(Box::new(skip.clone()))).unwrap();
            first.get_or_insert(skip);
        }
    }
    let first = first.unwrap();
    assert_eq!(fleet.run.has_seen(&first), Ok(true));
    let last = act(&fleet, "each", Some(64), Deed::Retry);
    fleet.apply(Event::Act(Box::new(last))).unwrap();
    assert_eq!(fleet.run.has_seen(&first), Ok(false));
    assert!(fleet.apply(Event::Act(Box::new(first))).is_err(), "its item has ended");
}
