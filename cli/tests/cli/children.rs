//! Steps that are runs of other workflows, as they are looked at and stopped.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::binary::{command, millrace, step, until};
use crate::dev::Dev;

const NESTED: &str = "
name: outer
params: [{name: what, default: inner}]
steps:
  - {name: first, uses: workflow, with: {name: '${{ params.what }}', params: {n: 4}}}
  - {name: each, uses: workflow, foreach: [1, 2, 3], with: {name: inner, params: {n: '${{ item }}'}}}
  - {name: away, uses: workflow, with: {name: inner, wait: false}}
  - {name: gone, uses: workflow, with: {name: nowhere}, continue_on_error: true}
  - {name: bad, uses: workflow, with: {name: inner, params: {m: 1}}, continue_on_error: true}
  - {name: round, uses: workflow, with: {name: there}, continue_on_error: true}
outputs: {first: '${{ outputs.first.n }}', each: \"${{ outputs.each | map(attribute='n') | list }}\"}
---
name: inner
labels: {team: inner}
params: [{name: n, type: int, default: 0}]
steps: [{name: only, run: 'echo \"$n\"'}]
outputs: {n: '${{ params.n * 10 }}'}
---
name: there
steps: [{name: x, uses: workflow, with: {name: back}}]
---
name: back
steps: [{name: x, uses: workflow, with: {name: there}}]
---
name: stuck
steps:
  - {name: a, uses: workflow, with: {name: sleeps}}
  - {name: b, uses: workflow, foreach: [1, 2], with: {name: sleeps}}
---
name: sleeps
priority: P1
steps: [{name: only, run: sleep 600}]
";

fn applied() -> Dev {
    let dev = Dev::start(&[]);
    std::fs::write(dev.path("nested.yaml"), NESTED).unwrap();
    dev.cli(&["apply", "nested.yaml"]).with(0);
    dev
}

fn trigger(dev: &Dev, workflow: &str) -> String {
    dev.cli(&["workflows", "trigger", workflow]).with(0).stdout.trim().to_owned()
}

/// The run that the first step of a run is, once its own first step runs.
fn running_child(dev: &Dev, id: &str) -> String {
    let child = until("its child begins", || dev.run(id)["steps"][0]["child"].as_str().map(str::to_owned));
    until("the child runs", || {
        let run = dev.get(&format!("/api/v1/runs/{child}"));
        (run.status == 200 && run.json(200)["steps"][0]["state"] == "running").then_some(())
    });
    child
}

fn ended(dev: &Dev, id: &str) -> Value {
    until("the run has ended", || Some(dev.run(id)).filter(|run| run["ended_at"].is_string()))
}

#[test]
fn a_run_hands_on_what_its_children_hand_on_and_each_is_found_from_the_other() {
    let dev = applied();
    let id = trigger(&dev, "outer");
    let run = ended(&dev, &id);
    assert_eq!(
        (&run["state"], &run["outputs"]),
        (&json!("succeeded"), &json!({"first": 40, "each": [10, 20, 30]}))
    );
    for (name, told) in [
        ("gone", "there is no workflow nowhere"),
        ("bad", "workflow inner: param `m` is not declared"),
        (
            "round",
            "workflow there failed: step x: workflow back failed: step x: workflow there would run within",
        ),
    ] {
        let reason = step(&run, name)["reason"].as_str().unwrap();
        assert!(reason.starts_with(told), "{reason}");
    }
    let child = step(&run, "first")["child"].as_str().unwrap();
    let child = dev.run(child);
    assert_eq!(
        (&child["trigger"], &child["params"], &child["outputs"]),
        (&json!("workflow"), &json!({"n": 4}), &json!({"n": 40}))
    );
    assert_eq!((&child["labels"], &child["scheduled_at"]), (&json!({"team": "inner"}), &run["scheduled_at"]));
    let parent = json!({"run_id": id, "workflow": "outer", "step": "first", "attempt": 1, "waits": true,
        "ancestors": [{"run_id": id, "workflow": "outer"}]});
    assert_eq!(child["parent"], parent);
    let away = step(&run, "away");
    assert_eq!(away["outputs"]["run_id"], away["child"]);
    assert_eq!(dev.run(away["child"].as_str().unwrap())["parent"]["waits"], false);

    let told = dev.cli(&["runs", "get", child["id"].as_str().unwrap()]).with(0).stdout;
    assert!(told.contains(&format!("step first of run {id} (outer)")), "{told}");
    let told = dev.cli(&["runs", "history", child["id"].as_str().unwrap()]).with(0).stdout;
    assert!(told.contains(&format!("created as attempt 1 of first in run {id}")), "{told}");
    let told = dev.cli(&["runs", "history", &id]).with(0).stdout;
    for line in [
        "the run of attempt 1 of first succeeded",
        "the run of attempt 1 of away was started",
        "the run of attempt 1 of gone failed: there is no workflow nowhere",
    ] {
        assert!(told.contains(line), "{told}");
    }
    let all = dev.cli(&["runs", "list", "-o", "json"]).with(0).json();
    let own = dev.cli(&["runs", "list", "--no-children", "-o", "json"]).with(0).json();
    assert!(all.as_array().unwrap().len() > 5);
    assert_eq!(
        own.as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap()).collect::<Vec<_>>(),
        [id]
    );
}

#[test]
fn a_tree_shows_the_runs_of_a_run_at_any_depth_and_why_one_never_was() {
    let dev = applied();
    let id = trigger(&dev, "outer");
    ended(&dev, &id);
    let tree = dev.cli(&["runs", "tree", &id]).with(0).stdout;
    let lines: Vec<&str> = tree.lines().collect();
    let begins = [
        "✔ outer succeeded",
        "├─ ✔ first: inner",
        "├─ ✔ each.0: inner",
        "├─ ✔ each.1: inner",
        "├─ ✔ each.2: inner",
        "├─ ✔ away: inner",
        "├─ ✖ gone: no run, failed  there is no workflow nowhere",
        "├─ ✖ bad: no run, failed",
        "└─ ✖ round: there failed",
        "   └─ ✖ x: back failed",
        "      └─ ✖ x: no run, failed",
    ];
    // The run that nobody waits for may go on.
    let is_away = |line: &str| line.contains(" away: inner");
    assert_eq!(lines.len(), begins.len(), "{tree}");
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(begin) || is_away(line), "{line:?} and {begin:?}");
    }
    let cut = dev.cli(&["runs", "tree", &id, "--depth", "1", "--limit", "9"]).with(0).stdout;
    assert!(cut.ends_with("└─ ✖ round: there failed 0ms") || cut.contains("   └─ and more"), "{cut}");
    let few = dev.cli(&["runs", "tree", &id, "--limit", "2"]).with(0).stdout;
    assert_eq!(few.lines().count(), 4, "{few}");
    assert!(few.ends_with("└─ and more\n"), "{few}");

    let page = |query: &str| dev.get(&format!("/api/v1/runs/{id}/children{query}")).json(200);
    let first = page("?limit=3");
    assert_eq!((&first["children"][2]["item"], &first["next"]), (&json!(1), &json!("1.2")));
    let second = page("?limit=3&from=1.2");
    assert_eq!((&second["children"][0]["item"], &second["children"][1]["step"]), (&json!(2), &json!("away")));
    dev.get(&format!("/api/v1/runs/{id}/children?from=x")).json(400);
    let items = dev.cli(&["runs", "items", &id, "--step", "each"]).with(0).stdout;
    assert!(items.lines().next().unwrap().contains("RUN"), "{items}");
}

#[test]
fn a_cancel_goes_down_to_all_children_and_why_names_them() {
    let dev = applied();
    let id = trigger(&dev, "stuck");
    let child = until("its children run", || {
        let page = dev.get(&format!("/api/v1/runs/{id}/children")).json(200);
        let children = page["children"].as_array().unwrap();
        let run = |child: &Value| child["run"]["state"] == "running";
        (children.len() == 3 && children.iter().all(run))
            .then(|| children[0]["run_id"].as_str().unwrap().to_owned())
    });
    assert_eq!(dev.run(&child)["priority"], "P1");
    let why = dev.cli(&["runs", "why", &id, "a"]).with(0).stdout;
    assert!(why.contains(&format!("its run of workflow sleeps has not ended: {child} is running")), "{why}");
    // A step that is a run is not acted on: that run is.
    let refused = dev.cli(&["runs", "skip", &id, "a", "--by", "ann"]).with(1).stderr;
    assert!(refused.contains("its run is under way"), "{refused}");
    dev.cli(&["runs", "cancel", &id]).with(0);
    let run = ended(&dev, &id);
    assert_eq!((&run["state"], &step(&run, "a")["state"]), (&json!("cancelled"), &json!("cancelled")));
    let page = dev.get(&format!("/api/v1/runs/{id}/children")).json(200);
    for child in page["children"].as_array().unwrap() {
        assert_eq!(child["run"]["state"], "cancelled", "{child}");
        assert_eq!(child["run"]["reason"], "cancelled through the API");
    }
}

#[test]
fn a_second_cancel_ends_the_hooks_of_children_too() {
    let dev = Dev::start(&[]);
    let source = "
name: outer
steps: [{name: in, uses: workflow, with: {name: inner}}]
---
name: inner
steps: [{name: only, run: sleep 600}]
on_finish: [{name: tidy, run: sleep 600}]
";
    std::fs::write(dev.path("both.yaml"), source).unwrap();
    dev.cli(&["apply", "both.yaml"]).with(0);
    let id = trigger(&dev, "outer");
    let child = running_child(&dev, &id);
    let stands = |name: &str| step(&dev.run(&child), name)["state"].clone();
    dev.cli(&["runs", "cancel", &id]).with(0);
    until("its hook runs", || (stands("tidy") == "running").then_some(()));
    dev.cli(&["runs", "cancel", &id]).with(0);
    assert_eq!(ended(&dev, &id)["state"], "cancelled");
    assert_eq!(stands("tidy"), "cancelled");
}

#[test]
fn what_never_began_is_no_child_and_what_a_step_makes_of_a_run_is_told_beside_it() {
    let dev = Dev::start(&[]);
    let source = "
name: outer
steps:
  - {name: many, uses: workflow, shards: 150, with: {name: \"${{ 'inner' if item >= 140 else 'No' }}\"}, continue_on_error: true}
  - {name: more, uses: workflow, with: {name: inner}, outputs: {rows: int}, retry: {limit: 0}, continue_on_error: true}
---
name: inner
steps: [{name: only, run: 'true'}]
";
    std::fs::write(dev.path("both.yaml"), source).unwrap();
    dev.cli(&["apply", "both.yaml"]).with(0);
    let id = trigger(&dev, "outer");
    ended(&dev, &id);
    let page = dev.get(&format!("/api/v1/runs/{id}/children?limit=5")).json(200);
    assert_eq!((&page["children"][0]["item"], &page["next"]), (&json!(140), &json!("0.145")));
    let tree = dev.cli(&["runs", "tree", "--last"]).with(0).stdout;
    assert_eq!(tree.lines().count(), 12, "{tree}");
    let last = tree.lines().last().unwrap();
    assert!(last.starts_with("└─ ✖ more: inner succeeded"), "{last}");
    assert!(
        last.ends_with("the step failed: output `rows` is missing: expected a whole number of 64 bits"),
        "{last}"
    );
}

#[test]
fn a_file_is_run_until_what_it_has_started_has_ended_too() {
    let folder = tempfile::tempdir().unwrap();
    let source = "
name: outer
steps: [{name: away, uses: workflow, with: {name: inner, wait: false}}]
---
name: inner
steps: [{name: first, run: sleep 0.5}, {name: only, depends_on: [first], run: echo done > done}]
";
    std::fs::write(folder.path().join("both.yaml"), source).unwrap();
    let ended = millrace(folder.path(), &["run", "both.yaml", "--workflow", "outer"]).with(0);
    assert!(ended.stderr.contains("waiting for 1 more, which the run has started"), "{}", ended.stderr);
    let last = ended.stderr.lines().last().unwrap();
    assert!(last.starts_with("inner ") && last.ends_with(" succeeded"), "{last}");
    assert!(folder.path().join("done").exists());

    let source = source.replace("sleep 0.5", "sleep 600");
    std::fs::write(folder.path().join("both.yaml"), source).unwrap();
    let run = ["run", "both.yaml", "--workflow", "outer", "--wait-timeout", "1s"];
    millrace(folder.path(), &run).with(124).says(&["has not ended within 1.0s"]);
    let mut child = command(folder.path(), &run[..4]).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("waiting for 1 more") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it ended");
    }
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_child_that_is_stopped_has_its_on_finish_however_long_its_parent_asks() {
    let dev = Dev::start(&[]);
    let source = "
name: outer
steps: [{name: in, uses: workflow, with: {name: inner}}]
---
name: inner
steps: [{name: only, run: sleep 600}]
on_finish: [{name: tidy, run: 'sleep 6; echo tidy > tidied'}]
";
    std::fs::write(dev.path("both.yaml"), source).unwrap();
    dev.cli(&["apply", "both.yaml"]).with(0);
    let id = trigger(&dev, "outer");
    let child = running_child(&dev, &id);
    dev.cli(&["runs", "cancel", &id]).with(0);
    let run = ended(&dev, &id);
    assert_eq!(run["state"], "cancelled");
    let child = dev.run(&child);
    assert_eq!((&child["state"], &step(&child, "tidy")["state"]), (&json!("cancelled"), &json!("succeeded")));
    assert!(dev.path("tidied").exists());
}

#[test]
fn a_child_that_somebody_stops_stops_its_parent() {
    let dev = applied();
    let id = trigger(&dev, "stuck");
    let child =
        until("its first child runs", || dev.run(&id)["steps"][0]["child"].as_str().map(str::to_owned));
    until("the child is there", || (dev.get(&format!("/api/v1/runs/{child}")).status == 200).then_some(()));
    dev.cli(&["runs", "cancel", &child]).with(0);
    until("the step has ended", || (dev.run(&id)["steps"][0]["state"] == "cancelled").then_some(()));
    let reason = dev.run(&id)["steps"][0]["reason"].as_str().unwrap().to_owned();
    assert_eq!(reason, "workflow sleeps was cancelled: cancelled through the API");
    dev.cli(&["runs", "cancel", &id]).with(0);
    ended(&dev, &id);
}

#[test]
fn a_file_runs_with_what_its_steps_run_of_the_same_file_and_no_schedule_of_it_fires() {
    let folder = tempfile::tempdir().unwrap();
    let source = "
name: outer
steps: [{name: in, uses: workflow, with: {name: inner}}, {name: slow, run: sleep 1.2}]
outputs: {n: '${{ outputs.in.n }}'}
---
name: inner
schedule: {every: 200ms}
steps: [{name: only, run: 'echo once >> fired', pool: other}]
outputs: {n: '1'}
";
    let file = folder.path().join("both.yaml");
    std::fs::write(&file, source).unwrap();
    let run =
        millrace(folder.path(), &["run", "both.yaml", "--workflow", "outer", "-o", "json"]).with(0).json();
    assert_eq!(run["outputs"], json!({"n": "1"}));
    assert_eq!(std::fs::read_to_string(folder.path().join("fired")).unwrap(), "once\n");
}
