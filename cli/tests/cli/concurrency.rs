//! Workflows that allow only so many runs at a time, as they are started, looked at and waited for.

use serde_json::{Value, json};

use crate::binary::until;
use crate::dev::Dev;

const LIMITED: &str = r#"
name: queued
params: [{name: region, default: eu}, {name: seconds, default: "600"}]
concurrency: {key: "${{ params.region }}", max_queued: 2}
steps: [{name: work, run: 'sleep "$seconds"'}]
---
name: replaced
concurrency: {policy: replace}
steps: [{name: work, run: 'sleep 600'}]
---
name: skipped
concurrency: {limit: 2, policy: skip}
steps: [{name: work, run: 'sleep 600'}]
---
name: dropped
concurrency: {max_queued: 1, on_full: drop_oldest}
steps: [{name: work, run: 'sleep 600'}]
---
name: merged
concurrency: {max_queued: 1, on_full: merge}
steps: [{name: work, run: 'sleep 600'}]
---
name: itself
recursive: {max: 3}
concurrency: 1
steps: [{name: again, uses: workflow, with: {name: itself}}]
---
name: caller
steps: [{name: call, uses: workflow, with: {name: skipped}}, {name: after, run: 'true', depends_on: [call]}]
"#;

fn applied() -> Dev {
    let dev = Dev::start(&[]);
    std::fs::write(dev.path("limited.yaml"), LIMITED).unwrap();
    dev.cli(&["apply", "limited.yaml"]).with(0);
    dev
}

fn trigger(dev: &Dev, arguments: &[&str]) -> String {
    let all = [&["workflows", "trigger"], arguments].concat();
    dev.cli(&all).with(0).stdout.trim().to_owned()
}

/// Waits until a run stands so, and answers how it stands then.
fn is(dev: &Dev, run: &str, state: &str) -> Value {
    until(&format!("{run} is {state}"), || Some(dev.run(run)).filter(|run| run["state"] == state))
}

/// A run that was started, and stands so, with its reason.
fn started(dev: &Dev, workflow: &str, state: &str) -> (String, String) {
    let id = trigger(dev, &[workflow]);
    let run = is(dev, &id, state);
    (id, run["reason"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn one_run_of_a_key_is_under_way_and_who_it_is_and_who_waits_is_told() {
    let dev = applied();
    let (first, _) = started(&dev, "queued", "running");
    let (second, reason) = started(&dev, "queued", "waiting");
    assert_eq!(reason, "waits for its turn: 1 run of queued with key eu may be under way at a time");
    let other = trigger(&dev, &["queued", "-p", "region=us west/1", "-p", "seconds=0"]);
    is(&dev, &other, "succeeded");
    let (third, _) = started(&dev, "queued", "waiting");
    let (_, reason) = started(&dev, "queued", "failed");
    assert_eq!(reason, "2 runs wait already (key eu), and no more may (max_queued: 2)");

    let why = dev.cli(&["runs", "why", &third]).with(0).stdout;
    let told = "1 run of queued with key eu may be under way at a time: it is number 2 of 2 that wait; the oldest is under way since ";
    assert!(why.contains(told) && why.contains(&format!("(run {first})")), "{why}");
    let blocker = dev.get(&format!("/api/v1/runs/{third}/why")).json(200)["steps"][0]["blockers"][0].clone();
    assert_eq!((&blocker["kind"], &blocker["slots"]), (&json!("slot"), &json!("@queued:eu")));
    assert_eq!((&blocker["limit"], &blocker["locks"][0]["place"]), (&json!(1), &json!(2)));
    let shown = dev.cli(&["locks", "get", "@queued:eu"]).with(0).stdout;
    assert!(shown.contains(&format!("held by run {first} of queued, since ")), "{shown}");
    assert!(shown.contains(&format!("1. waits: run {second} of queued, P2, since ")), "{shown}");

    dev.cli(&["runs", "cancel", &second]).with(0);
    is(&dev, &second, "cancelled");
    dev.cli(&["runs", "cancel", &first]).with(0);
    is(&dev, &third, "running");
    let history = dev.cli(&["runs", "history", &third]).with(0).stdout;
    assert!(history.contains("slot_granted") && history.contains("the run has its turn"), "{history}");
    dev.cli(&["runs", "cancel", &third]).with(0);
    until("nobody has a slot", || (dev.get("/api/v1/locks").json(200)["locks"] == json!([])).then_some(()));
}

#[test]
fn the_newest_run_takes_the_place_of_the_oldest_or_is_skipped_or_merged_as_the_policy_says() {
    let dev = applied();
    let (first, _) = started(&dev, "replaced", "running");
    let (second, _) = started(&dev, "replaced", "running");
    assert_eq!(is(&dev, &first, "cancelled")["reason"], format!("replaced by run {second}"));

    let (busy, _) = started(&dev, "skipped", "running");
    started(&dev, "skipped", "running");
    let (skipped, reason) = started(&dev, "skipped", "skipped");
    assert_eq!(reason, format!("run {busy} and 1 more are under way, and 2 may be at a time"));
    assert_eq!(dev.run(&skipped)["steps"][0]["state"], "skipped");
    // The step that is such a run is skipped, and so is what depends on it.
    let caller = trigger(&dev, &["caller"]);
    let steps = is(&dev, &caller, "succeeded")["steps"].clone();
    assert_eq!((&steps[0]["state"], &steps[1]["state"]), (&json!("skipped"), &json!("skipped")));

    started(&dev, "dropped", "running");
    let (dropped, _) = started(&dev, "dropped", "waiting");
    let (newer, _) = started(&dev, "dropped", "waiting");
    let reason = is(&dev, &dropped, "cancelled")["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with(&format!("dropped for run {newer}: 1 run waits already")), "{reason}");

    started(&dev, "merged", "running");
    let (waits, _) = started(&dev, "merged", "waiting");
    let (_, reason) = started(&dev, "merged", "skipped");
    assert!(reason.starts_with(&format!("merged into run {waits}: ")), "{reason}");
}

#[test]
fn a_run_within_the_run_whose_slot_it_wants_is_refused_and_both_are_named() {
    let dev = applied();
    let (run, reason) = started(&dev, "itself", "failed");
    assert!(reason.contains("a run of itself would wait for ever for a slot of itself"), "{reason}");
    assert!(reason.contains(&format!("holds it (run {run})")), "{reason}");
}

#[test]
fn a_slot_is_taken_away_by_somebody_and_the_next_run_begins_beside_the_one_that_had_it() {
    let dev = applied();
    let (first, _) = started(&dev, "queued", "running");
    let (second, _) = started(&dev, "queued", "waiting");
    let done =
        dev.cli(&["locks", "release", "@queued:eu", "--by", "ann", "--why", "both may"]).with(0).stdout;
    assert_eq!(done.trim(), format!("a slot of queued (key eu) was taken away from run {first}"));
    is(&dev, &second, "running");
    assert_eq!(dev.run(&first)["state"], "running");
    let history = dev.cli(&["runs", "history", &first]).with(0).stdout;
    let told = "a slot of queued (key eu), which the run had, was released by ann: both may";
    assert!(history.contains("slot_taken") && history.contains(told), "{history}");
    let names = |answer: Value| answer["locks"].as_array().unwrap().len();
    assert_eq!(names(dev.get("/api/v1/locks").json(200)), 1);
    assert_eq!(dev.get("/api/v1/locks/@queued:eu").json(200)["holders"][0]["run_id"], json!(second));
    dev.post("/api/v1/locks/@queued:eu", "{}").json(404);
}

#[test]
fn a_dry_run_tells_how_many_runs_there_may_be_and_of_which_key_this_one_is() {
    let dev = applied();
    let told = dev.cli(&["run", "limited.yaml", "--workflow", "queued", "--dry-run"]).with(0).stdout;
    let line = "concurrency: 1 run with key eu at a time; one more waits, or fails when 2 wait already";
    assert!(told.contains(line), "{told}");
    let plan = dev
        .cli(&["run", "limited.yaml", "--workflow", "skipped", "--dry-run", "--output", "json"])
        .with(0)
        .json();
    let expected = json!({"limit": 2, "key": null, "policy": "skip", "max_queued": null, "on_full": null});
    assert_eq!(plan["concurrency"], expected);
    let key = "x".repeat(129);
    let arguments =
        ["run", "limited.yaml", "--workflow", "queued", "--dry-run", "-p", &format!("region={key}")];
    let told = dev.cli(&arguments).with(0).stdout;
    assert!(
        told.contains("(this run would fail, for its key: a key of 129 bytes: expected at most 128)"),
        "{told}"
    );
}
