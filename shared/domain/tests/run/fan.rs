//! Steps that fan out: items with attempts of their own, as many at once as there is room, and a join that reads what they
//! gave in the order of the list.

use millrace_domain::run::{Event, RunTimer, StepState};
use millrace_domain::task::TaskResult;
use millrace_domain::{Outcome, Unit};
use serde_json::{Value, json};

use crate::fleet::{Fleet, Order};

fn source(fan: &str) -> String {
    format!(
        "name: w\nparams: [{{name: list, type: json, default: []}}]\nsteps:\n  \
         - {{name: each, {fan}, run: x, env: {{who: \"${{{{ item }}}}-${{{{ item_index }}}}\"}}, retry: {{limit: 1, jitter: false}}}}\n  \
         - {{name: join, depends_on: [each], trigger_rule: all_finished, uses: http, \
         with: {{url: \"http://x/\", method: POST, body: {{all: \"${{{{ outputs.each }}}}\"}}}}}}\n"
    )
}

fn over(list: &Value, options: &str) -> Fleet {
    let source = source(&format!("foreach: {{items: \"${{{{ params.list }}}}\"{options}}}"));
    Fleet::start(&Order { params: json!({"list": list}), ..Order::of(&source) })
}

/// Ends the current attempt of an item.
fn end(fleet: &mut Fleet, item: u32, outcome: Outcome, outputs: &Value) {
    let unit = fleet.item("each", item);
    let outputs = outputs.as_object().unwrap().clone();
    let result = TaskResult { outputs, ..fleet.result(unit, outcome) };
    fleet.apply(Event::Result(result)).unwrap();
}

/// Lets an item fail until it gets no further attempt.
fn fail(fleet: &mut Fleet, item: u32) {
    end(fleet, item, Outcome::Failed, &json!({}));
    let timer = RunTimer::Retry(fleet.item("each", item));
    if fleet.timers.contains_key(&timer) {
        fleet.now = fleet.now.max(fleet.timers[&timer]);
        fleet.fire_timer(timer).unwrap();
        end(fleet, item, Outcome::Failed, &json!({}));
    }
}

fn counts(fleet: &Fleet) -> (u32, u32, u32, u32, u32) {
    let counts = match &fleet.run.steps[0] {
        StepState::Fanned(fan) => fan.fanned.counts,
        StepState::Ended(end) => **end.items.as_ref().unwrap(),
        other => panic!("{other:?}"),
    };
    (counts.total, counts.begun, counts.succeeded, counts.failed, counts.cancelled)
}

#[test]
fn items_begin_as_there_is_room_and_the_join_reads_what_they_gave_in_order() {
    let mut fleet = over(&json!(["a", "b", "c"]), ", max_parallel: 2");
    assert_eq!(fleet.sent(), ["each.0 1", "each.1 1"]);
    assert_eq!(fleet.tasks[1].env["who"], "b-1");
    assert_eq!(
        (&*fleet.tasks[1].env["MILLRACE_ITEM"], &*fleet.tasks[1].env["MILLRACE_ITEM_INDEX"]),
        ("\"b\"", "1")
    );
    end(&mut fleet, 1, Outcome::Succeeded, &json!({"n": 2}));
    assert_eq!(fleet.sent(), ["each.2 1"]);
    end(&mut fleet, 2, Outcome::Succeeded, &json!({}));
    end(&mut fleet, 0, Outcome::Succeeded, &json!({"n": 1}));
    assert_eq!((fleet.stands("each"), counts(&fleet)), ("succeeded", (3, 3, 3, 0, 0)));
    // The join is woken with the outputs, which are not in memory.
    assert_eq!((fleet.sent(), fleet.stands("join")), (Vec::new(), "waiting"));
    fleet.fire();
    assert_eq!(fleet.task("join").with["body"]["all"], json!([{"n": 1}, {"n": 2}, {}]));
}

#[test]
fn an_item_has_attempts_and_retries_of_its_own() {
    let mut fleet = over(&json!([1, 2]), "");
    end(&mut fleet, 0, Outcome::Failed, &json!({}));
    let unit = fleet.item("each", 0);
    assert!(matches!(fleet.run.state_of(unit), Some(StepState::Backoff { .. })));
    fleet.apply(Event::Lost { unit: fleet.item("each", 1), attempt: 1, reason: "gone".into() }).unwrap();
    assert_eq!(fleet.sent(), ["each.0 1", "each.1 1", "each.1 2"]);
    fleet.fire();
    assert_eq!(fleet.sent(), ["each.0 2"]);
    end(&mut fleet, 0, Outcome::Succeeded, &json!({}));
    assert_eq!(fleet.item_end("each", 0).unwrap().attempts.attempt, 2);
    let late = TaskResult { attempt: 1, ..fleet.result(unit, Outcome::Failed) };
    let refused = fleet.apply(Event::Result(late)).unwrap_err();
    assert_eq!(refused.to_string(), "attempt 1 of step 0.0 is not the current one");
    let none = fleet.result(Unit { item: Some(7), ..unit }, Outcome::Succeeded);
    assert_eq!(fleet.apply(Event::Result(none)).unwrap_err().to_string(), "there is no step 0.7");
}

#[test]
fn an_empty_list_succeeds_at_once_and_the_join_runs_by_its_rule() {
    let mut fleet = over(&json!([]), "");
    assert_eq!((fleet.stands("each"), counts(&fleet)), ("succeeded", (0, 0, 0, 0, 0)));
    fleet.fire();
    assert_eq!(fleet.task("join").with["body"]["all"], json!([]));
}

#[test]
fn what_is_no_list_or_too_long_fails_the_step_with_what_was_found() {
    for (value, why) in [
        (json!("a,b"), "`foreach`: expected a list, found a text"),
        (json!({"a": 1}), "`foreach`: expected a list, found a map"),
        (json!(vec![0; 100_001]), "`foreach`: 100001 items; expected at most 100000"),
    ] {
        let fleet = over(&value, "");
        assert_eq!((fleet.stands("each"), fleet.ended("each").reason.as_deref()), ("failed", Some(why)));
    }
}

#[test]
fn failures_are_told_by_the_first_and_the_others_run_on() {
    let mut fleet = over(&json!([1, 2, 3]), "");
    fail(&mut fleet, 2);
    assert_eq!(fleet.stands("each"), "fanned");
    end(&mut fleet, 0, Outcome::Succeeded, &json!({"n": 1}));
    fail(&mut fleet, 1);
    let reason = fleet.ended("each").reason.clone().unwrap();
    assert_eq!((fleet.stands("each"), &*reason), ("failed", "2 of 3 items failed; item 2: failed"));
    fleet.fire();
    assert_eq!(fleet.task("join").with["body"]["all"], json!([{"n": 1}, null, null]));
}

#[test]
fn a_share_of_failures_is_tolerated_and_one_more_is_not() {
    for (failures, state) in [(1, "succeeded"), (2, "failed")] {
        let mut fleet = over(&json!([1, 2, 3, 4]), ", tolerate: 25%");
        (0..failures).for_each(|item| fail(&mut fleet, item));
        (failures..4).for_each(|item| end(&mut fleet, item, Outcome::Succeeded, &json!({})));
        assert_eq!(fleet.stands("each"), state);
        let told = if state == "failed" {
            "2 of 4 items failed, and 25% are tolerated"
        } else {
            "1 of 4 items failed, which is tolerated"
        };
        assert!(
            fleet.ended("each").reason.as_deref().unwrap().starts_with(told),
            "{:?}",
            fleet.ended("each")
        );
    }
}

#[test]
fn with_fail_fast_the_items_that_are_left_are_given_up() {
    let mut fleet = over(&json!([1, 2, 3, 4, 5]), ", fail_fast: true, max_parallel: 3");
    end(&mut fleet, 2, Outcome::Failed, &json!({}));
    fail(&mut fleet, 0);
    // Item 2 waited for its retry, and item 1 is with the fleet.
    assert_eq!((fleet.stands("each"), counts(&fleet)), ("fanned", (5, 3, 0, 1, 1)));
    let one = fleet.item("each", 1);
    assert_eq!(fleet.stops, [(vec![(one, 1)], false)]);
    fleet.sent();
    // Nobody hears it: it is said again, and in the end its attempt is taken back.
    for _ in 0..7 {
        assert_eq!(fleet.fire(), RunTimer::CancelCheck);
    }
    assert!(fleet.stops.last().unwrap().1);
    fleet.apply(Event::Revoked { unit: one, attempt: 1, unclaimed: false }).unwrap();
    assert_eq!((fleet.stands("each"), counts(&fleet)), ("failed", (5, 3, 0, 1, 2)));
    assert_eq!(fleet.ended("each").reason.as_deref(), Some("1 of 5 items failed; item 0: failed"));
    assert_eq!(fleet.item_end("each", 1).unwrap().reason.as_deref(), Some("too many other items failed"));
}

#[test]
fn a_run_that_is_stopped_begins_no_item_and_waits_for_those_that_are_with_the_fleet() {
    let mut fleet = over(&json!([1, 2, 3]), ", max_parallel: 2");
    end(&mut fleet, 0, Outcome::Failed, &json!({}));
    fleet.sent();
    fleet.cancel();
    assert_eq!((fleet.stands("each"), fleet.stands("join")), ("fanned", "cancelled"));
    assert_eq!(counts(&fleet), (3, 2, 0, 0, 1));
    let one = fleet.item("each", 1);
    fleet.apply(Event::Revoked { unit: one, attempt: 1, unclaimed: false }).unwrap();
    assert_eq!((fleet.stands("each"), fleet.state(), fleet.sent().len()), ("cancelled", "cancelled", 0));
}

#[test]
fn shards_know_how_many_there_are() {
    let fleet = Fleet::of(&source("shards: 3"));
    let env = |name: &str| fleet.tasks.iter().map(|task| task.env[name].clone()).collect::<Vec<_>>();
    assert_eq!(
        (env("SHARD_INDEX"), env("SHARD_TOTAL")),
        (vec!["0".into(), "1".into(), "2".into()], vec!["3".to_owned(); 3])
    );
}

#[test]
fn a_matrix_has_each_combination_without_what_is_excluded_and_with_what_is_included() {
    let fleet = Fleet::of(&source(
        "matrix: {rate: [0.1, 0.01], depth: [2, 3], exclude: [{rate: 0.1, depth: 3}], \
         include: [{depth: 2, seed: 7}, {rate: 1, depth: 9}]}",
    ));
    let items: Vec<Value> =
        fleet.tasks.iter().map(|task| serde_json::from_str(&task.env["MILLRACE_ITEM"]).unwrap()).collect();
    assert_eq!(
        items,
        [
            json!({"rate": 0.1, "depth": 2, "seed": 7}),
            json!({"rate": 0.01, "depth": 2, "seed": 7}),
            json!({"rate": 0.01, "depth": 3}),
            json!({"rate": 1, "depth": 9}),
        ]
    );
}

#[test]
fn an_item_whose_input_cannot_be_rendered_fails_without_an_attempt_and_the_others_run() {
    let source =
        "name: w\nsteps:\n  - {name: each, foreach: [{a: 1}, {b: 2}], run: x, env: {v: \"${{ item.a }}\"}}\n";
    let mut fleet = Fleet::of(source);
    assert_eq!(fleet.sent(), ["each.0 1"]);
    end(&mut fleet, 0, Outcome::Succeeded, &json!({}));
    let reason = fleet.ended("each").reason.clone().unwrap();
    assert_eq!(
        reason,
        "1 of 2 items failed; item 1: `env.v` cannot be rendered: something of `item` is not defined; its fields: b"
    );
}

#[test]
fn outputs_of_all_items_together_are_bounded() {
    let mut fleet = over(&json!([1, 2, 3]), "");
    let large = json!({"text": "x".repeat(3 * 1024 * 1024)});
    (0..3).for_each(|item| end(&mut fleet, item, Outcome::Succeeded, &large));
    let reason = fleet.item_end("each", 2).unwrap().reason.clone().unwrap();
    assert!(
        reason.starts_with("the outputs of the items of one step are larger than 8388608 bytes"),
        "{reason}"
    );
    assert_eq!(counts(&fleet), (3, 3, 2, 1, 0));
}

#[test]
fn a_step_over_items_that_was_skipped_has_handed_on_an_empty_list() {
    let mut fleet = Fleet::of(
        "name: w\nsteps:\n  - {name: each, if: 'false', foreach: [1], run: x}\n  \
         - {name: join, depends_on: [each], trigger_rule: all_finished, run: x, env: {all: \"${{ outputs.each }}\"}}\n  \
         - {name: again, depends_on: [each], trigger_rule: all_finished, run: x, foreach: \"${{ outputs.each }}\"}\n",
    );
    assert_eq!((fleet.sent(), &*fleet.task("join").env["all"]), (vec!["join 1".to_owned()], "[]"));
    assert_eq!(fleet.stands("again"), "succeeded");
}

#[test]
fn an_item_that_began_by_the_event_that_gives_it_up_is_sent_and_stopped_at_once() {
    let fleet = Fleet::of(
        "name: w\nsteps:\n  - {name: each, foreach: {items: [{a: 1}, {b: 2}, {a: 3}], fail_fast: true}, run: x, \
         env: {v: \"${{ item.a }}\"}}\n",
    );
    // It need not have been sent: what it was sent beside cannot be rendered, and is known to fail.
    let first = fleet.item("each", 0);
    assert_eq!((fleet.tasks.len(), &*fleet.stops), (1, &[(vec![(first, 1)], false)][..]));
}

#[test]
fn items_end_a_step_that_is_stopped_as_cancelled_although_all_have_succeeded() {
    // A step without items that ends by itself while its run is stopped has succeeded.
    let mut fleet = over(&json!([1]), "");
    fleet.cancel();
    end(&mut fleet, 0, Outcome::Succeeded, &json!({}));
    assert_eq!((fleet.stands("each"), counts(&fleet)), ("cancelled", (1, 1, 1, 0, 0)));
}

#[test]
fn an_item_of_which_somebody_is_asked_takes_room_and_has_not_failed_yet() {
    let source = source("foreach: {items: [1, 2, 3], max_parallel: 2, fail_fast: true}");
    let source = source.replace("{limit: 1, jitter: false}", "{then: ask, ask_timeout: 1h}");
    let mut fleet = Fleet::of(&source);
    end(&mut fleet, 0, Outcome::Failed, &json!({}));
    // The documentation counts those with a worker, queued, or waiting for a retry.
    assert_eq!(fleet.sent(), ["each.0 1", "each.1 1"]);
    end(&mut fleet, 1, Outcome::Succeeded, &json!({}));
    assert_eq!((fleet.sent(), fleet.stands("each")), (vec!["each.2 1".to_owned()], "fanned"));
    fleet.fire();
    assert_eq!((counts(&fleet), fleet.stops.len()), ((3, 3, 1, 1, 0), 1));
}

#[test]
fn a_fan_over_the_outputs_of_a_fan_is_woken_with_them() {
    let mut fleet = Fleet::of(
        "name: w\nsteps:\n  - {name: each, foreach: [1, 2], run: x}\n  \
         - {name: again, depends_on: [each], foreach: \"${{ outputs.each }}\", run: x, env: {n: \"${{ item.n }} of ${{ outputs.each | length }}\"}, max_parallel: 1}\n"
            .replace(", max_parallel: 1", "")
            .as_str(),
    );
    end(&mut fleet, 0, Outcome::Succeeded, &json!({"n": 5}));
    end(&mut fleet, 1, Outcome::Succeeded, &json!({"n": 6}));
    fleet.fire();
    let env: Vec<_> = fleet.tasks[2..].iter().map(|task| task.env["n"].clone()).collect();
    assert_eq!(env, ["5 of 2", "6 of 2"]);
    // A lost item is rendered again, with what it uses.
    let unit = fleet.item("again", 1);
    fleet.apply(Event::Lost { unit, attempt: 1, reason: "gone".into() }).unwrap();
    assert_eq!(fleet.tasks.last().unwrap().env["n"], "6 of 2");
}
