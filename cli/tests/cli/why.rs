//! Why a step is not running has an answer, whatever keeps it.

use serde_json::{Value, json};

use crate::binary::until;
use crate::dev::Dev;

const WAITING: &str = "
name: waiting
steps:
  - {name: busy, run: sleep 600}
  - {name: nowhere, run: 'true', pool: gpu}
  - {name: pause, uses: wait, with: {for: 1h}}
  - {name: again, run: 'false', retry: {limit: 1, delay: 1h}}
  - {name: join, run: 'true', depends_on: [busy, {step: pause, status: finished}], trigger_rule: all_finished, if: run.id != ''}
  - {name: fails, run: 'false'}
  - {name: never, run: 'true', depends_on: [fails, busy]}
";

#[test]
fn each_step_that_does_not_run_says_what_keeps_it() {
    let dev = Dev::start(&[]);
    std::fs::write(dev.path("waiting.yaml"), WAITING).unwrap();
    dev.cli(&["apply", "waiting.yaml"]).with(0);
    let id = dev.cli(&["workflows", "trigger", "waiting"]).with(0).stdout.trim().to_owned();
    let why = || dev.get(&format!("/api/v1/runs/{id}/why")).json(200);
    let step = |answer: &Value, name: &str| {
        let steps = answer["steps"].as_array().unwrap();
        steps.iter().find(|step| step["name"] == name).cloned()
    };
    let answer = until("its first attempts are over", || {
        let answer = why();
        let is_over = step(&answer, "fails").is_none() && step(&answer, "again")?["state"] == "waiting";
        (is_over && step(&answer, "busy")?["state"] == "running").then_some(answer)
    });
    let kinds = |name: &str| {
        let step = step(&answer, name).unwrap();
        let blockers = step["blockers"].as_array().unwrap().clone();
        let texts = blockers.iter().all(|blocker| !blocker["text"].as_str().unwrap_or_default().is_empty());
        assert!(texts, "{step}");
        blockers.iter().map(|blocker| blocker["kind"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kinds("busy"), [""; 0]);
    assert_eq!(kinds("nowhere"), ["pool"]);
    assert_eq!(kinds("pause"), ["time"]);
    assert_eq!(kinds("again"), ["retry"]);
    assert_eq!(kinds("join"), ["dependency", "dependency", "rule", "condition"]);
    assert_eq!(kinds("never"), ["dependency", "rule"]);
    assert_eq!(step(&answer, "never").unwrap()["blockers"][1]["never"], true);

    let told = dev.cli(&["runs", "why", &id]).with(0).stdout;
    for line in [
        "nowhere is queued",
        "  - no worker serves pool `gpu`; served are default",
        "  - step pause has not ended; it is to be finished",
        "  - then this must be true: run.id != ''",
    ] {
        assert!(told.contains(line), "{line} in:\n{told}");
    }
    let ended = dev.get(&format!("/api/v1/runs/{id}/why?step=fails")).json(200)["steps"][0].clone();
    assert_eq!((&ended["state"], &ended["text"]), (&json!("failed"), &json!("exit code 1")));
    dev.cli(&["runs", "why", &id, "nowher"]).with(5).says(&["did you mean \"nowhere\"?"]);
}

#[test]
fn a_step_whose_pool_is_busy_says_how_much_waits_there() {
    let dev = Dev::start(&["--concurrency", "1"]);
    let busy = dev.submit("sleep 600");
    until("its task runs", || (dev.run(&busy)["steps"][0]["state"] == "running").then_some(()));
    let id = dev.submit("true");
    let step = dev.get(&format!("/api/v1/runs/{id}/why")).json(200)["steps"][0].clone();
    assert_eq!((&step["state"], &step["blockers"][0]["kind"]), (&json!("queued"), &json!("queue")), "{step}");
    assert_eq!(
        (&step["blockers"][0]["slots"], &step["blockers"][0]["position"]),
        (&json!(1), &json!(1)),
        "{step}"
    );
    std::thread::sleep(std::time::Duration::from_millis(5));
    let second = dev.submit("true");
    let step = dev.get(&format!("/api/v1/runs/{second}/why")).json(200)["steps"][0].clone();
    assert_eq!(step["blockers"][0]["position"], 2, "{step}");
    assert!(step["text"].as_str().unwrap().contains("and this is number 2 of its priority"), "{step}");
}

#[test]
fn a_condition_is_told_with_what_is_known_of_its_names() {
    let dev = Dev::start(&[]);
    let text = "name: w\nparams: [{name: n, default: 7, type: int}]\nsteps:\n  - {name: a, run: sleep 600}\n  - {name: b, depends_on: [a], if: params.n > outputs.a.x, run: x}\n";
    std::fs::write(dev.path("w.yaml"), text).unwrap();
    dev.cli(&["apply", "w.yaml"]).with(0);
    let id = dev.cli(&["workflows", "trigger", "w"]).with(0).stdout.trim().to_owned();
    let told = dev.cli(&["runs", "why", &id, "b"]).with(0).stdout;
    assert!(told.contains("then this must be true: params.n > outputs.a.x (params.n is 7)"), "{told}");
}

#[test]
fn a_step_that_is_queued_is_told_its_place_behind_what_was_dispatched_with_it() {
    let dev = Dev::start(&["--concurrency", "1"]);
    let source = "name: line\nsteps: [{name: f, shards: 5, run: sleep 600}, {name: g, run: 'true'}]\n";
    std::fs::write(dev.path("line.yaml"), source).unwrap();
    dev.cli(&["apply", "line.yaml"]).with(0);
    dev.cli(&["workflows", "trigger", "line"]).with(0);
    until("one of five runs, and four are before it", || {
        let told = dev.cli(&["runs", "why", "--last", "g"]).with(0).stdout;
        told.contains("and this is number 5 of its priority").then_some(())
    });
}
