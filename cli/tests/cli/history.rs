//! What happened to a run, and when its steps ran.

use serde_json::{Value, json};

use crate::binary::until;
use crate::dev::Dev;

const UNLUCKY: &str = "
name: unlucky
steps:
  - {name: extract, run: 'test $MILLRACE_ATTEMPT -gt 1 || { echo no; exit 3; }', retry: {limit: 1, delay: 100ms}}
  - {name: each, run: 'true', foreach: {items: [1, 2, 3], max_parallel: 2}, depends_on: [extract]}
  - {name: fails, run: 'false', depends_on: [each]}
  - {name: never, run: 'true', depends_on: [fails]}
";

/// The lines of a history as `n kind text`, without the name of the host.
fn told(answer: &Value) -> Vec<String> {
    let events = answer["events"].as_array().unwrap();
    let line = |event: &Value| {
        assert!(event["at"].as_str().is_some(), "{event}");
        let text = event["text"].as_str().unwrap();
        let (before, after) = text.split_once(" on ").unwrap_or((text, ""));
        let after = after.split_once(": ").map(|(_, why)| format!(": {why}")).unwrap_or_default();
        format!("{} {} {before}{after}", event["n"], event["kind"].as_str().unwrap())
    };
    events.iter().map(line).collect()
}

#[test]
fn the_history_of_a_run_names_the_cause_of_all_that_happened_to_it() {
    let dev = Dev::start(&[]);
    std::fs::write(dev.path("unlucky.yaml"), UNLUCKY).unwrap();
    dev.cli(&["apply", "unlucky.yaml"]).with(0);
    let id = dev.cli(&["workflows", "trigger", "unlucky"]).with(0).stdout.trim().to_owned();
    dev.ended(&id);
    let path = format!("/api/v1/runs/{id}/events");
    let answer = dev.get(&path).json(200);
    let lines = told(&answer);
    let whole = lines.join("\n");
    assert_eq!(
        lines[..3],
        [
            "1 created created through the API or by a command",
            "2 result attempt 1 of extract failed: exit code 3; another attempt follows",
            "3 retry_due the retry of extract is due",
        ]
    );
    for expected in [
        "4 result attempt 2 of extract succeeded",
        "result attempt 1 of item 2 of each succeeded",
        "7 step_ended each succeeded",
        "8 result attempt 1 of fails failed: exit code 1",
        "8 step_ended never was skipped: step fails did not succeed",
        "8 run_ended the run failed: step fails: exit code 1",
    ] {
        assert!(lines.iter().any(|line| line.ends_with(expected)), "{expected} in:\n{whole}");
    }
    assert_eq!(answer["next"], Value::Null);
    let past_all = dev.get(&format!("{path}?after={}", u64::MAX)).json(200);
    assert_eq!(past_all["events"], json!([]));
    let due = &answer["events"][2];
    assert_eq!((&due["step"], &due["item"], &due["attempt"]), (&json!("extract"), &Value::Null, &json!(2)));

    // Page by page it is the same.
    let (mut pages, mut after) = (Vec::new(), Some(0));
    while let Some(n) = after {
        let page = dev.get(&format!("{path}?after={n}&limit=3")).json(200);
        after = page["next"].as_u64();
        pages.extend(told(&page));
    }
    assert_eq!(pages, lines);

    let shown = dev.cli(&["runs", "history", &id]).with(0).stdout;
    assert!(shown.lines().next().unwrap().starts_with("N  AT "), "{shown}");
    assert_eq!(shown.lines().count(), lines.len() + 1, "{shown}");
    let jsonl = dev.cli(&["runs", "history", &id, "--output", "jsonl"]).with(0).stdout;
    let first: Value = serde_json::from_str(jsonl.lines().next().unwrap()).unwrap();
    assert_eq!(first, answer["events"][0]);
    dev.cli(&["runs", "history", "00000000-0000-0000-0000-000000000000"]).with(5);
    dev.get(&format!("{path}?from=3")).json(400);
}

#[test]
fn who_has_stopped_a_run_is_in_its_history() {
    let dev = Dev::start(&[]);
    let id = dev.submit("sleep 600");
    until("its task runs", || (dev.run(&id)["steps"][0]["state"] == "running").then_some(()));
    dev.cli(&["runs", "cancel", &id]).with(0);
    dev.ended(&id);
    let lines = told(&dev.get(&format!("/api/v1/runs/{id}/events")).json(200));
    assert_eq!(lines[1], "2 cancel cancelled through the API");
    assert!(lines[2].starts_with("3 result attempt 1 of task was cancelled"), "{lines:?}");
    assert!(lines[3].starts_with("3 run_ended the run was cancelled"), "{lines:?}");

    let id = dev.submit("sleep 600");
    until("its task runs", || (dev.run(&id)["steps"][0]["state"] == "running").then_some(()));
    let path = format!("/api/v1/runs/{id}/cancel");
    let refused = dev.post(&path, r#"{"reason": "the wrong day"}"#).json(422).to_string();
    assert!(refused.contains("unknown field `reason`"), "{refused}");
    dev.post(&path, &json!({"why": "x".repeat(1_001)}).to_string()).json(422);
    dev.cli(&["runs", "cancel", &id, "--by", "ann", "--why", "the wrong day"]).with(0);
    assert_eq!(dev.ended(&id)["reason"], "cancelled by ann: the wrong day");
    let lines = told(&dev.get(&format!("/api/v1/runs/{id}/events")).json(200));
    assert_eq!(lines[1], "2 cancel cancelled by ann: the wrong day");
}

#[test]
fn a_run_that_is_shown_has_a_timeline_below_it() {
    let dev = Dev::start(&[]);
    std::fs::write(dev.path("unlucky.yaml"), UNLUCKY).unwrap();
    dev.cli(&["apply", "unlucky.yaml"]).with(0);
    let id = dev.cli(&["workflows", "trigger", "unlucky"]).with(0).stdout.trim().to_owned();
    dev.ended(&id);
    let shown = dev.cli(&["runs", "get", &id]).with(0).stdout;
    let (above, below) = shown.split_once("\n\ntimeline of ").unwrap();
    assert!(above.contains("never") && above.contains("skipped"), "{shown}");
    let bars: Vec<&str> = below.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(bars, ["extract", "each", "fails"], "{shown}");
    assert!(
        shown.lines().skip_while(|line| !line.is_empty()).all(|line| line.chars().count() <= 80),
        "{shown}"
    );
    let json = dev.cli(&["runs", "get", &id, "--output", "json"]).with(0).stdout;
    assert!(!json.contains("timeline"));
}
