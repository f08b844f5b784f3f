//! What a run hands on as a whole.

use serde_json::json;

use crate::binary::until;
use crate::dev::Dev;

const GIVES: &str = r#"
name: gives
params: [{name: wait, default: "no"}]
steps:
  - name: large
    run: printf '{"text":"%0100000d","rows":7}' 1 > "$MILLRACE_OUTPUT"
  - {name: each, foreach: [1, 2, 3], run: 'echo "{\"n\": $MILLRACE_ITEM}" > "$MILLRACE_OUTPUT"'}
  - {name: last, depends_on: [large, each], run: 'test "$wait" = no || sleep 600'}
outputs:
  rows: "${{ outputs.large.rows }}"
  length: "${{ outputs.large.text | length }}"
  sum: "${{ outputs.each | map(attribute='n') | sum }}"
  day: "${{ fire.date(0) | length }} characters"
"#;

#[test]
fn outputs_of_a_run_are_made_of_large_ones_and_of_items_too_and_told_once_it_has_succeeded() {
    let dev = Dev::start(&[]);
    std::fs::write(dev.path("gives.yaml"), GIVES).unwrap();
    dev.cli(&["apply", "gives.yaml"]).with(0);
    let id = dev.cli(&["workflows", "trigger", "gives"]).with(0).stdout.trim().to_owned();
    let run = dev.ended(&id);
    let expected = json!({"rows": 7, "length": 100_000, "sum": 6, "day": "10 characters"});
    assert_eq!((&run["state"], &run["outputs"]), (&json!("succeeded"), &expected), "{run}");

    let outputs = |id: &str, more: &[&str]| dev.cli(&[&["runs", "outputs", id], more].concat());
    assert_eq!(outputs(&id, &["-o", "json"]).with(0).json(), expected);
    assert_eq!(outputs(&id, &["--key", "sum"]).with(0).stdout, "6\n");
    outputs(&id, &["--key", "sun"])
        .with(5)
        .says(&["has no output \"sun\"", "its outputs: day, length, rows, sum"]);
    let shown = dev.cli(&["runs", "get", &id]).with(0).stdout;
    assert!(shown.contains("outputs day=10 characters length=100000 rows=7 sum=6"), "{shown}");
    let list = dev.get("/api/v1/runs").json(200);
    assert!(list["runs"][0]["outputs"].is_null(), "a list has none: {list}");

    let open = dev.cli(&["workflows", "trigger", "gives", "-p", "wait=yes"]).with(0).stdout.trim().to_owned();
    until("the last step runs", || (dev.run(&open)["steps"][2]["state"] == "running").then_some(()));
    outputs(&open, &[]).with(5).says(&["is running: only a run that has succeeded has outputs"]);
    dev.cli(&["runs", "cancel", &open]).with(0);
    dev.ended(&open);
    outputs(&open, &[]).with(5).says(&["is cancelled: only"]);
}

#[test]
fn a_run_whose_hooks_have_not_ended_hands_nothing_on_yet() {
    let dev = Dev::start(&[]);
    let source = "name: hooked\nsteps: [{name: one, run: 'true'}]\noutputs: {n: 1}\n\
        on_success: [{name: tell, run: 'until test -e told; do sleep 0.1; done'}]\n";
    std::fs::write(dev.path("hooked.yaml"), source).unwrap();
    dev.cli(&["apply", "hooked.yaml"]).with(0);
    let id = dev.cli(&["workflows", "trigger", "hooked"]).with(0).stdout.trim().to_owned();
    let run =
        until("its hook runs", || Some(dev.run(&id)).filter(|run| run["steps"][1]["state"] == "running"));
    assert!(run["outputs"].is_null(), "{run}");
    std::fs::write(dev.path("told"), "").unwrap();
    assert_eq!(dev.ended(&id)["outputs"], json!({"n": 1}));
}
