//! The outputs of a run: made when all its steps have ended well, of what any of them gave.

use millrace_domain::Outcome;
use millrace_domain::run::{Event, RunState, RunTimer};
use serde_json::{Value, json};

use crate::fleet::{Fleet, Order};

const SOURCE: &str = "name: w\nparams: [{name: day, type: date, default: 2026-03-01}]\nsteps:\n  \
    - {name: a, run: x}\n  \
    - {name: b, run: x}\n  \
    - {name: c, depends_on: [b], if: outputs.b.wanted, run: x}\n\
    outputs:\n  \
    rows: \"${{ outputs.a.rows }}\"\n  \
    text: \"${{ outputs.a.rows }} rows of ${{ params.day }}\"\n  \
    of_c: \"${{ outputs.c.n|default(7) }}\"\n  \
    always: [1, {all: \"${{ outputs.b }}\"}]\n";

const HOOKS: &str = "on_success: [{name: good, run: x}]\non_failure: [{name: bad, run: x}]\n";

fn start(hooks: &str) -> Fleet {
    let params = json!({"day": "2026-03-01"});
    Fleet::start(&Order { params, ..Order::of(&format!("{SOURCE}{hooks}")) })
}

fn outputs(fleet: &Fleet) -> Option<Value> {
    fleet.run.head.outputs.clone().map(Value::Object)
}

#[test]
fn they_keep_the_types_of_their_values_and_are_of_any_steps() {
    let mut fleet = start("");
    fleet.give("a", &json!({"rows": 5}));
    fleet.give("b", &json!({"wanted": false}));
    assert_eq!(fleet.run.head.state, RunState::Succeeded);
    let expected = json!({"rows": 5, "text": "5 rows of 2026-03-01", "of_c": 7,
        "always": [1, {"all": {"wanted": false}}]});
    assert_eq!(outputs(&fleet), Some(expected));
}

#[test]
fn one_that_cannot_be_rendered_fails_the_run_and_its_hooks_are_told() {
    let mut fleet = start(HOOKS);
    fleet.give("b", &json!({"wanted": false}));
    fleet.sent();
    fleet.give("a", &json!({"other": 5}));
    assert_eq!(fleet.sent(), ["bad 1"]);
    let why = "output `rows` cannot be rendered: `outputs.a.rows` is not defined; outputs of step `a`: other";
    let env = &fleet.task("bad").env;
    assert_eq!((&*env["MILLRACE_HOOK_OUTCOME"], &*env["MILLRACE_HOOK_REASON"]), ("failed", why));
    // Whatever becomes of the hook, that came first.
    fleet.end("bad", Outcome::TimedOut);
    assert_eq!(fleet.run.head.state, RunState::Failed);
    assert_eq!((fleet.run.head.reason.as_deref(), outputs(&fleet)), (Some(why), None));
}

#[test]
fn a_run_that_did_not_succeed_has_none() {
    let mut failed = start("");
    failed.give("a", &json!({"rows": 5}));
    failed.end("b", Outcome::Failed);
    assert_eq!((failed.run.head.state, outputs(&failed)), (RunState::Failed, None));
    assert_eq!(failed.run.head.reason.as_deref(), Some("step b: failed"));

    let mut cancelled = start("");
    cancelled.give("a", &json!({"rows": 5}));
    cancelled.cancel();
    let step = cancelled.index("b");
    let result = cancelled.result(step, Outcome::Succeeded);
    cancelled.apply(Event::Result(result)).unwrap();
    assert_eq!((cancelled.run.head.state, outputs(&cancelled)), (RunState::Cancelled, None));

    let mut by_hook = start(HOOKS);
    by_hook.give("a", &json!({"rows": 5}));
    by_hook.give("b", &json!({"wanted": false}));
    assert!(outputs(&by_hook).is_some(), "its hooks have their turn");
    by_hook.end("good", Outcome::Failed);
    assert_eq!((by_hook.run.head.state, outputs(&by_hook)), (RunState::Failed, None));
}

#[test]
fn what_is_kept_apart_is_read_for_them() {
    let source = "name: w\nsteps:\n  - {name: a, run: x}\n  - {name: b, run: x}\n\
        outputs: {size: \"${{ outputs.a.text|length }}\", n: \"${{ outputs.b.n }}\"}\n";
    let large = json!({"text": "x".repeat(70_000)});
    let mut fleet = Fleet::of(source);
    fleet.give("a", &large);
    fleet.give("b", &json!({"n": 1}));
    assert_eq!(fleet.run.head.state, RunState::Running);
    assert_eq!(fleet.fire(), RunTimer::Start);
    assert_eq!(outputs(&fleet), Some(json!({"size": 70_000, "n": 1})));

    // Whoever stops it meanwhile does not wait for that, and its hooks say what they wait for.
    let mut fleet = Fleet::of(&format!("{source}on_success: [{{name: good, run: x}}]\n"));
    fleet.give("a", &large);
    fleet.give("b", &json!({"n": 1}));
    let blockers = fleet.run.blockers(fleet.index("good").into(), fleet.now);
    assert!(blockers[0].words().contains("what the outputs of the run use is being read"), "{blockers:?}");
    fleet.cancel();
    assert_eq!((fleet.run.head.state, outputs(&fleet)), (RunState::Cancelled, None));
}

#[test]
fn the_list_of_what_items_gave_can_be_one() {
    let source = "name: w\nsteps: [{name: each, foreach: [a, b], run: x}]\n\
        outputs: {sum: \"${{ outputs.each | map(attribute='n') | sum }}\"}\n";
    let mut fleet = Fleet::of(source);
    for item in 0..2 {
        let outputs = json!({"n": item + 1}).as_object().cloned().unwrap();
        let result = fleet.result(fleet.item("each", item), Outcome::Succeeded);
        fleet.apply(Event::Result(millrace_domain::task::TaskResult { outputs, ..result })).unwrap();
    }
    fleet.fire();
    assert_eq!(outputs(&fleet), Some(json!({"sum": 3})));
}

#[test]
fn past_64_kib_or_too_deep_they_fail_the_run() {
    let source = "name: w\nparams: [{name: n, type: int, default: 0}]\nsteps: [{name: a, run: x}]\n\
        outputs: {text: \"${{ outputs.a.text }}\", deep: \"${{ outputs.a.deep }}\"}\n";
    let nested = |levels: usize| (0..levels).fold(json!(1), |value, _| json!([value]));
    for (text, deep, told) in [
        ("x".repeat(65_000), nested(64), None),
        ("x".repeat(65_520), json!(1), Some("its outputs take 65540 bytes: expected at most 65536")),
        ("x".to_owned(), nested(63), None),
    ] {
        let mut fleet = Fleet::start(&Order::of(source));
        fleet.give("a", &json!({"text": text, "deep": deep}));
        while !fleet.run.head.state.is_terminal() {
            fleet.fire();
        }
        let reason = fleet.run.head.reason.clone().unwrap_or_default();
        assert!(reason.starts_with(told.unwrap_or_default()), "{reason}");
        assert_eq!(fleet.run.head.outputs.is_some(), told.is_none(), "{reason}");
    }
}
