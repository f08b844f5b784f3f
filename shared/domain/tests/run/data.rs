//! What a task gets: params, environment, the outputs of the steps before it; and what happens when it cannot be
//! had.

use millrace_domain::{Outcome, Priority};
use serde_json::json;

use crate::fleet::{CREATED, Fleet, Order};

const FLOW: &str = r#"
name: flow
priority: P1
params: [{name: region, default: eu}, {name: filter, type: json, default: {}}]
env: {SHARED: one, REGION: "${{ params.region }}"}
steps:
  - {name: extract, run: x, working_dir: jobs}
  - name: load
    run: x
    depends_on: [extract]
    env: {SHARED: two, ROWS: "${{ outputs.extract.rows }}", NOTE: "n=${{ outputs.extract.rows }}, ${{ outputs.extract.file }}"}
  - name: tell
    uses: http
    depends_on: [load]
    pool: outside
    with:
      method: POST
      url: "https://example.com/${{ params.region }}"
      body: {rows: "${{ outputs.extract.rows }}", all: "${{ outputs.extract }}", run: "${{ run.id }}"}
"#;

fn order(params: serde_json::Value) -> Order {
    Order { params, ..Order::of(FLOW) }
}

fn env<'f>(fleet: &'f Fleet, step: &str, name: &str) -> &'f str {
    fleet.task(step).env.get(name).map_or("absent", String::as_str)
}

#[test]
fn outputs_flow_into_the_environment_and_keep_their_types_in_the_input() {
    let mut fleet = Fleet::start(&order(json!({"region": "us"})));
    fleet.give("extract", &json!({"rows": 3, "file": "a b.csv"}));
    assert_eq!((env(&fleet, "load", "ROWS"), env(&fleet, "load", "NOTE")), ("3", "n=3, a b.csv"));
    fleet.end("load", Outcome::Succeeded);
    let with = &fleet.task("tell").with;
    assert_eq!(with["url"], "https://example.com/us");
    let whole = json!({"rows": 3, "all": {"rows": 3, "file": "a b.csv"}, "run": fleet.run.id.to_string()});
    assert_eq!(with["body"], whole);
}

#[test]
fn a_step_wins_over_its_workflow_and_params_win_over_both() {
    let mut fleet = Fleet::start(&order(json!({"region": "us", "filter": {"a": [1]}})));
    assert_eq!((env(&fleet, "extract", "SHARED"), env(&fleet, "extract", "REGION")), ("one", "us"));
    assert_eq!((env(&fleet, "extract", "region"), env(&fleet, "extract", "filter")), ("us", r#"{"a":[1]}"#));
    fleet.give("extract", &json!({"rows": 1, "file": "f"}));
    assert_eq!(env(&fleet, "load", "SHARED"), "two");

    let source = "{name: w, params: [{name: a, default: x}], env: {a: theirs}, steps: [{name: s, run: x, env: {a: own}}]}";
    let fleet = Fleet::start(&Order { params: json!({"a": "given"}), ..Order::of(source) });
    assert_eq!(env(&fleet, "s", "a"), "given");
}

#[test]
fn a_task_says_all_that_its_worker_needs() {
    let mut fleet =
        Fleet::start(&Order { base_dir: Some("/srv/flow".to_owned()), ..order(json!({"region": "eu"})) });
    let task = fleet.task("extract");
    assert_eq!((task.v, task.run, task.workflow.as_str(), task.attempt), (1, fleet.run.id, "flow", 1));
    assert_eq!((task.priority, task.pool.as_str(), task.uses.as_str()), (Priority::P1, "default", "shell"));
    assert_eq!((task.scheduled_at, task.dispatched_at), (CREATED, CREATED));
    assert_eq!((task.working_dir.as_deref(), task.with["run"].as_str()), (Some("/srv/flow/jobs"), Some("x")));
    assert!(task.traceparent.as_deref().is_some_and(|trace| trace.starts_with("00-")));
    fleet.give("extract", &json!({"rows": 1, "file": "f"}));
    assert_eq!(fleet.task("load").working_dir.as_deref(), Some("/srv/flow"));
    fleet.end("load", Outcome::Succeeded);
    assert_eq!((fleet.task("tell").pool.as_str(), fleet.task("tell").uses.as_str()), ("outside", "http"));
}

#[test]
fn a_step_whose_input_cannot_be_rendered_fails_with_the_reason_and_without_an_attempt() {
    let mut fleet = Fleet::start(&order(json!({"region": "eu"})));
    fleet.give("extract", &json!({"file": "f"}));
    let load = fleet.ended("load");
    assert_eq!((load.outcome, load.attempts.attempt), (Outcome::Failed, 0));
    let why = "`env.ROWS` cannot be rendered: `outputs.extract.rows` is not defined; outputs of step `extract`: file";
    assert_eq!(load.reason.as_deref(), Some(why));
    assert_eq!((fleet.stands("tell"), fleet.sent()), ("skipped", vec!["extract 1".to_owned()]));
    assert_eq!((fleet.state(), fleet.reason()), ("failed", format!("step load: {why}").as_str()));
}

#[test]
fn other_branches_go_on_beside_a_step_that_cannot_be_rendered() {
    let mut fleet = Fleet::of(
        "
name: w
steps:
  - {name: a, run: x}
  - {name: bad, run: x, depends_on: [a], env: {V: '${{ outputs.a.v }}'}}
  - {name: good, run: x, depends_on: [a]}
  - {name: join, run: x, depends_on: [good, bad]}
",
    );
    fleet.end("a", Outcome::Succeeded);
    assert_eq!(["bad", "good", "join"].map(|step| fleet.stands(step)), ["failed", "dispatched", "skipped"]);
    fleet.end("good", Outcome::Succeeded);
    assert_eq!(fleet.state(), "failed");
}

#[test]
fn a_run_whose_first_step_cannot_be_rendered_ends_at_once_and_leaves_no_timer() {
    let source = "{name: w, timeout: 1h, params: [{name: p, type: json}], steps: [{name: a, run: x, env: {V: '${{ params.p.q }}'}}]}";
    let fleet = Fleet::start(&Order { params: json!({"p": {}}), ..Order::of(source) });
    assert_eq!((fleet.state(), fleet.tasks.len(), fleet.timers.len(), fleet.ends), ("failed", 0, 0, 1));
    assert!(fleet.reason().starts_with("step a: `env.V` cannot be rendered: "), "{}", fleet.reason());
}

#[test]
fn a_value_that_no_environment_can_hold_fails_its_step() {
    let mut fleet = Fleet::start(&order(json!({"region": "eu"})));
    fleet.give("extract", &json!({"rows": "x".repeat(200_000), "file": "f"}));
    fleet.fire();
    assert!(fleet.reason().contains("the value of ROWS is 200000 bytes long"), "{}", fleet.reason());
    let mut fleet = Fleet::start(&order(json!({"region": "eu"})));
    fleet.give("extract", &json!({"rows": "a\u{0}b", "file": "f"}));
    assert!(fleet.reason().contains("ROWS has a NUL byte"), "{}", fleet.reason());
}

#[test]
fn a_retry_gets_what_the_first_attempt_got() {
    let mut fleet = Fleet::of(
        "{name: w, steps: [{name: a, run: x}, {name: b, run: x, depends_on: [a], env: {V: '${{ outputs.a.v }}'}}]}",
    );
    fleet.give("a", &json!({"v": "one"}));
    fleet.lose("b");
    let [first, second] = &fleet.tasks[1..] else { panic!("two attempts of b") };
    assert_eq!((&first.env, &first.with, first.attempt), (&second.env, &second.with, second.attempt - 1));
}
