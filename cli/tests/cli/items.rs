//! Steps with many items, as they are looked at.

use serde_json::{Value, json};

use crate::binary::until;
use crate::dev::Dev;

const FAN: &str = "
name: fan
steps:
  - name: each
    foreach: {items: [4, 0, 2], tolerate: 1}
    env: {n: \"${{ item }}\"}
    run: |
      echo \"ten by $n\"
      test \"$n\" != 0
      echo \"{\\\"by\\\": $n}\" > \"$MILLRACE_OUTPUT\"
  - {name: slow, foreach: [1, 2, 3], run: sleep 600, env: {N: \"${{ item }}\"}, pool: nowhere}
  - {name: asks, run: exit 3, retry: {then: ask}}
";

#[test]
fn the_items_of_a_step_are_listed_filtered_and_each_has_a_log() {
    let dev = Dev::start(&[]);
    std::fs::write(dev.path("fan.yaml"), FAN).unwrap();
    dev.cli(&["apply", "fan.yaml"]).with(0);
    let id = dev.cli(&["workflows", "trigger", "fan"]).with(0).stdout.trim().to_owned();
    let step = |run: &Value, name: &str| {
        run["steps"].as_array().unwrap().iter().find(|step| step["name"] == name).cloned().unwrap()
    };
    let run = until("each has ended and one asks", || {
        let run = dev.run(&id);
        let stand = (step(&run, "each")["state"].clone(), step(&run, "asks")["state"].clone());
        (stand == (json!("succeeded"), json!("asking"))).then_some(run)
    });
    assert_eq!(
        step(&run, "each")["items"],
        json!({"total": 3, "waiting": 0, "open": 0, "succeeded": 2, "failed": 1, "cancelled": 0, "skipped": 0})
    );
    assert_eq!(step(&run, "slow")["reason"], "0 of 3 items have ended, 3 are under way");
    let asks = step(&run, "asks")["reason"].as_str().unwrap().to_owned();
    assert!(asks.starts_with("attempt 1: exit code 3; there is no retry left, and it fails at"), "{asks}");

    let items = |query: &str| dev.get(&format!("/api/v1/runs/{id}/steps/each/items{query}")).json(200);
    let all = items("");
    let seen: Vec<_> =
        all["items"].as_array().unwrap().iter().map(|one| (&one["item"], &one["state"])).collect();
    let (yes, no) = (json!("succeeded"), json!("failed"));
    assert_eq!(seen, [(&json!(4), &yes), (&json!(0), &no), (&json!(2), &yes)]);
    assert_eq!((&all["items"][2]["outputs"], &all["next"]), (&json!({"by": 2}), &Value::Null));
    let (failed, page) = (items("?state=failed"), items("?from=1&limit=1"));
    assert_eq!((&failed["items"][0]["index"], &failed["items"][1]), (&json!(1), &Value::Null));
    assert_eq!((&page["items"][0]["index"], &page["next"]), (&json!(1), &json!(2)));
    let get = |path: &str| dev.get(&format!("/api/v1/runs/{id}/steps/{path}"));
    get("each/items?state=odd").json(400);
    assert!(get("eac/items").json(404).to_string().contains("did you mean"));
    assert!(get("asks/items").json(404).to_string().contains("has not fanned out"));

    let listed = dev.cli(&["runs", "items", &id, "--step", "each", "--state", "succeeded"]).with(0).stdout;
    assert!(listed.contains("{\"by\":4}") && !listed.contains("failed"), "{listed}");
    let log = dev.cli(&["runs", "logs", &id, "--step", "each", "--item", "2"]).with(0).stdout;
    assert_eq!(log, "ten by 2\n");
    let logs = dev.cli(&["runs", "logs", &id, "--step", "each"]).with(0).stdout;
    assert_eq!(logs, "each.0 | ten by 4\neach.1 | ten by 0\neach.2 | ten by 2\n");
    dev.cli(&["runs", "logs", &id, "--step", "each", "--item", "3"]).with(5).says(&["there is no item 3"]);

    let why = dev.cli(&["runs", "why", &id]).with(0).stdout;
    for line in
        ["slow is running", "0 of 3 items have ended, 3 are under way", "asks is asking", "no retry left"]
    {
        assert!(why.contains(line), "{line} in:\n{why}");
    }
    dev.cli(&["runs", "cancel", &id]).with(0);
    let run = until("the run has ended", || Some(dev.run(&id)).filter(|run| run["state"] == "cancelled"));
    assert_eq!(step(&run, "slow")["items"]["cancelled"], 3);
}

#[test]
fn what_items_print_is_shown_as_they_end() {
    let dev = Dev::start(&[]);
    std::fs::write(dev.path("fan.yaml"), FAN.split("  - {name: slow").next().unwrap()).unwrap();
    let shown = dev.cli(&["run", "fan.yaml", "--follow"]).with(0);
    for line in ["each.0 | ten by 4", "each.1 | ten by 0", "each.2 | ten by 2", "each succeeded"] {
        assert!(shown.stderr.contains(line), "{line} in:\n{}", shown.stderr);
    }
}

#[test]
fn large_outputs_are_counted_in_a_run_and_printed_in_full_when_asked_for() {
    let dev = Dev::start(&[]);
    let large =
        "{ printf 'rows=7\\ntext='; head -c 100000 /dev/zero | tr '\\0' x; echo; } > \"$MILLRACE_OUTPUT\"";
    let flow = json!({"name": "large", "steps": [
        {"name": "give", "run": large},
        {"name": "use", "depends_on": ["give"], "run": "test \"$N\" = 100000", "env": {"N": "${{ outputs.give.text | length }}"}},
        {"name": "each", "run": "true", "foreach": [1]},
        {"name": "later", "depends_on": ["use", "each"], "run": "sleep 600"},
    ]});
    std::fs::write(dev.path("large.json"), flow.to_string()).unwrap();
    dev.cli(&["apply", "large.json"]).with(0);
    let id = dev.cli(&["workflows", "trigger", "large"]).with(0).stdout.trim().to_owned();
    let run = until("later runs", || {
        let run = dev.run(&id);
        (run["steps"][3]["state"] == "running").then_some(run)
    });
    assert_eq!(run["steps"][1]["state"], "succeeded");
    assert!(
        run["steps"][0]["outputs"].is_null() && run["steps"][0]["outputs_bytes"].as_u64() > Some(100_000),
        "{run}"
    );
    let shown = dev.cli(&["runs", "get", &id]).with(0).stdout;
    assert!(shown.contains("bytes of outputs: see millrace runs outputs"), "{shown}");

    let outputs = |more: &[&str]| dev.cli(&[&["runs", "outputs", &id, "--step"], more].concat());
    assert_eq!(outputs(&["give", "--key", "rows"]).with(0).stdout, "7\n");
    assert_eq!(outputs(&["give", "--key", "text"]).with(0).stdout.len(), 100_001);
    let all: Value = serde_json::from_str(&outputs(&["give", "-o", "json"]).with(0).stdout).unwrap();
    assert_eq!(all["text"].as_str().map(str::len), Some(100_000));
    outputs(&["give", "--key", "tex"]).with(5).says(&["has no output \"tex\"", "its outputs: rows, text"]);
    outputs(&["later"]).with(5).says(&["which has not ended"]);
    outputs(&["each"]).with(5).says(&["has items: ask for those"]);
    outputs(&["giv"]).with(5).says(&["did you mean"]);
}

/// Outputs may be far longer than a line.
#[test]
fn long_outputs_of_an_item_are_cut_in_a_table_and_whole_as_json() {
    let dev = Dev::start(&[]);
    let long = "
name: long
steps:
  - {name: each, foreach: [1, 2], run: 'printf \"a=%070000d\" 1 > \"$MILLRACE_OUTPUT\"'}
";
    std::fs::write(dev.path("long.yaml"), long).unwrap();
    dev.cli(&["apply", "long.yaml"]).with(0);
    let id = dev.cli(&["workflows", "trigger", "long"]).with(0).stdout.trim().to_owned();
    dev.ended(&id);
    let table = dev.cli(&["runs", "items", "--last", "--step", "each"]).with(0).stdout;
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.lines().all(|line| line.len() < 200), "{table}");
    let whole = dev.cli(&["runs", "items", "--last", "--step", "each", "-o", "json"]).with(0).stdout;
    assert!(whole.len() > 140_000);
}

/// A run may look busy while all that is under way waits for somebody.
#[test]
fn a_step_says_how_many_of_its_items_ask() {
    let dev = Dev::start(&[]);
    let asks = "
name: asks
steps:
  - {name: each, foreach: [1, 2, 3], retry: {then: ask}, run: 'test \"$MILLRACE_ITEM\" = 2'}
";
    std::fs::write(dev.path("asks.yaml"), asks).unwrap();
    dev.cli(&["apply", "asks.yaml"]).with(0);
    dev.cli(&["workflows", "trigger", "asks"]).with(0);
    let told = "1 of 3 items have ended, 2 are under way, 2 of which ask somebody";
    until("two items ask", || {
        dev.cli(&["runs", "why", "--last", "each"]).with(0).stdout.contains(told).then_some(())
    });
}
