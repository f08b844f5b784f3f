//! What people do to steps: they have them tried again, skip them, or say how they ended.

use serde_json::json;

use crate::binary::until;
use crate::dev::Dev;

const ASKS: &str = "
name: asks
steps:
  - {name: load, run: 'test -e fixed', retry: {then: ask}, outputs: {rows: int}}
  - {name: report, depends_on: [load], run: 'test \"$ROWS\" = 5', env: {ROWS: '${{ outputs.load.rows }}'}}
  - {name: each, foreach: [1, 2], run: 'test $MILLRACE_ITEM = 1', retry: {then: ask}}
  - {name: pause, uses: wait, with: {for: 1h}}
";

#[test]
fn a_step_that_asks_is_tried_again_skipped_or_marked_and_the_history_says_who_and_why() {
    let dev = Dev::start(&[]);
    std::fs::write(dev.path("asks.yaml"), ASKS).unwrap();
    dev.cli(&["apply", "asks.yaml"]).with(0);
    let id = dev.cli(&["workflows", "trigger", "asks"]).with(0).stdout.trim().to_owned();
    let asking = |run: &serde_json::Value| {
        run["steps"][0]["state"] == "asking" && run["steps"][2]["items"]["succeeded"] == 1
    };
    until("two ask", || Some(dev.run(&id)).filter(asking).map(drop));
    let why = dev.cli(&["runs", "why", &id, "load"]).with(0).stdout;
    assert!(why.contains("millrace runs retry, skip, mark"), "{why}");

    // It fails again, and asks again.
    let acts = |more: &[&str]| dev.cli(&[&["runs"], more].concat());
    assert_eq!(acts(&["retry", &id, "load", "--by", "ann"]).with(0).stdout, "load was tried again by ann\n");
    until("it asks again", || {
        let run = dev.run(&id);
        (run["steps"][0]["state"] == "asking" && run["steps"][0]["attempt"] == 2).then_some(())
    });
    let mark =
        |outputs: &str| acts(&["mark", &id, "load", "--succeeded", "--outputs", outputs, "--by", "ann"]);
    mark("{\"rows\": \"many\"}").with(1).says(&["step load cannot be marked as succeeded", "output `rows`"]);
    mark("[1]").with(2).says(&["expected a JSON object"]);
    mark("{\"rows\": 123456789012345678901234567890}").with(2).says(&["would lose digits"]);
    mark("{\"rows\": 5}").with(0);
    acts(&["skip", &id, "each", "--item", "1", "--why", "known", "--by", "bob"]).with(0);
    acts(&["mark", &id, "pause", "--succeeded", "--by", "bob"]).with(0);

    let run = dev.ended(&id);
    let of = |step: usize| (&run["steps"][step]["state"], &run["steps"][step]["by"]);
    assert_eq!(run["state"], "succeeded", "{run}");
    assert_eq!(of(0), (&json!("succeeded"), &json!("ann")));
    assert_eq!(of(3), (&json!("succeeded"), &json!("bob")));
    assert_eq!(
        (&run["steps"][2]["items"]["skipped"], &run["steps"][2]["items"]["failed"]),
        (&json!(1), &json!(0))
    );
    let items = dev.get(&format!("/api/v1/runs/{id}/steps/each/items")).json(200);
    assert_eq!((&items["items"][1]["state"], &items["items"][1]["by"]), (&json!("skipped"), &json!("bob")));
    let history = acts(&["history", &id]).with(0).stdout;
    for line in [
        "load was tried again by ann",
        "load was marked as succeeded by ann",
        "item 1 of each was skipped by bob: known",
        "pause was marked as succeeded by bob",
    ] {
        assert!(history.contains(line), "{line}: {history}");
    }
}

#[test]
fn what_cannot_be_done_to_a_step_is_refused_with_why() {
    let dev = Dev::start(&[]);
    let source = "name: w\nsteps:\n  - {name: runs, run: sleep 600}\n  - {name: waits, depends_on: [runs], run: 'true'}\n";
    std::fs::write(dev.path("w.yaml"), source).unwrap();
    dev.cli(&["apply", "w.yaml"]).with(0);
    let id = dev.cli(&["workflows", "trigger", "w"]).with(0).stdout.trim().to_owned();
    until("it runs", || (dev.run(&id)["steps"][0]["state"] == "running").then_some(()));
    let refused = |more: &[&str], code: i32, told: &str| {
        dev.cli(&[&["runs"], more].concat()).with(code).says(&[told]);
    };
    refused(
        &["skip", &id, "runs"],
        1,
        "an attempt of it is with the fleet: wait for that to end, or cancel the run",
    );
    refused(&["retry", &id, "waits"], 1, "its turn has not come: it waits for runs");
    refused(&["skip", &id, "wait"], 5, "did you mean \"waits\"?");
    refused(&["skip", &id], 2, "which step?");
    refused(&["mark", &id, "waits"], 2, "--succeeded");
    refused(&["mark", &id, "waits", "--failed", "--outputs", "{}"], 2, "cannot be used with");
    refused(&["skip", &id, "waits", "--item", "3"], 1, "item 3 of step waits cannot be skipped");

    let path = |step: &str, deed: &str| format!("/api/v1/runs/{id}/steps/{step}/{deed}");
    let body = json!({"outcome": "lost"}).to_string();
    let refused = |path: &str, body: &str, status: u16, code: &str| {
        assert_eq!(dev.post(path, body).json(status)["error"]["code"], code, "{path} {body}");
    };
    refused(&path("waits", "mark"), &body, 422, "bad-field");
    refused(&path("runs", "skip"), "{}", 409, "wrong-state");
    refused(&path("nobody", "skip"), "{}", 404, "not-found");
    refused(&path("waits", "skip"), "{\"who\": 1}", 422, "bad-field");
    refused(&path("waits", "skip"), "{", 400, "invalid-json");
    let long = json!({"why": "x".repeat(1_001)}).to_string();
    refused(&path("waits", "skip"), &long, 422, "bad-field");

    // What comes again under its key is answered as it was, and something else is not done.
    let source = "name: two\nsteps: [{name: a, uses: wait, with: {for: 1h}}, {name: b, uses: wait, with: {for: 1h}}]\n";
    std::fs::write(dev.path("two.yaml"), source).unwrap();
    dev.cli(&["apply", "two.yaml"]).with(0);
    let two = dev.cli(&["workflows", "trigger", "two"]).with(0).stdout.trim().to_owned();
    let of_two = |step: &str, deed: &str| format!("/api/v1/runs/{two}/steps/{step}/{deed}");
    let keyed = json!({"idempotency_key": "k1"}).to_string();
    for _ in 0..2 {
        assert_eq!(dev.post(&of_two("a", "skip"), &keyed).json(200)["done"], "a was skipped");
    }
    refused(&of_two("b", "skip"), &keyed, 409, "key-conflict");
    refused(&of_two("b", "skip"), "{\"attempt\": 1}", 409, "wrong-state");
    refused(&of_two("b", "skip"), "{\"idempotency_key\": \"\\u00e9\"}", 422, "bad-field");
    let digits = "{\"outcome\": \"succeeded\", \"outputs\": {\"n\": 123456789012345678901234567890}}";
    refused(&of_two("b", "mark"), digits, 422, "bad-field");
    assert_eq!(dev.post(&of_two("b", "skip"), "{}").json(200)["done"], "b was skipped");
    dev.ended(&two);
    assert_eq!(dev.post(&of_two("a", "skip"), &keyed).json(200)["done"], "a was skipped");

    // A run that has ended has nothing left to do.
    dev.cli(&["runs", "cancel", &id]).with(0);
    dev.ended(&id);
    refused(&path("waits", "skip"), "{}", 409, "wrong-state");
}
