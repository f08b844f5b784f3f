//! Steps that ask people, and what people answer.

use serde_json::{Value, json};

use crate::binary::{millrace, until};
use crate::dev::Dev;

const ASKING: &str = "
name: asking
params: [{name: version, default: '1.2'}]
steps:
  - name: sign_off
    uses: approval
    with: {message: 'Release ${{ params.version }}?', who: [ann, bob, zed], of: 2, timeout: 24h}
  - name: how_much
    uses: input
    with:
      who: [ann]
      timeout: 2h
      fields: [{name: amount, type: int, min: 1}, {name: text, default: none}, {name: day, type: date, default: 2026-03-02}]
  - name: each
    uses: approval
    foreach: [eu, us]
    with: {message: 'Deploy to ${{ item }}?', who: ['${{ item }}_lead']}
  - {name: ship, depends_on: [sign_off, how_much, each], run: 'test \"$N$BY\" = 5zed+ann', env: {N: '${{ outputs.how_much.amount }}', BY: \"${{ outputs.sign_off.by | join('+') }}\"}}
";

fn started(dev: &Dev, name: &str, source: &str) -> String {
    std::fs::write(dev.path("w.yaml"), source).unwrap();
    dev.cli(&["apply", "w.yaml"]).with(0);
    dev.cli(&["workflows", "trigger", name]).with(0).stdout.trim().to_owned()
}

fn until_asking(dev: &Dev, id: &str) {
    until("it asks", || (dev.run(id)["steps"][0]["state"] == "asking").then_some(()));
}

#[test]
fn people_approve_and_give_values_and_the_run_goes_on_with_what_they_said() {
    let dev = Dev::start(&[]);
    let id = started(&dev, "asking", ASKING);
    until_asking(&dev, &id);
    let why = dev.cli(&["runs", "why", &id, "sign_off"]).with(0).stdout;
    assert!(why.contains("sign_off is asking"), "{why}");
    assert!(
        why.contains("waits for approval of 2 people: \"Release 1.2?\"; ann, bob and zed may; at "),
        "{why}"
    );
    assert!(why.contains(&format!("(millrace runs approve {id} sign_off, or reject)")), "{why}");
    let shown = dev.cli(&["runs", "get", &id]).with(0).stdout;
    assert!(shown.contains("Release 1.2?") && shown.contains("amount (int)"), "{shown}");
    let acts = |dev: &Dev, more: &[&str]| dev.cli(&[&["runs"], more].concat());
    let items = acts(&dev, &["items", &id, "--step", "each", "--state", "asking"]).with(0).stdout;
    assert!(items.contains("Deploy to eu?") && items.contains("Deploy to us?"), "{items}");

    let first = acts(&dev, &["approve", &id, "sign_off", "--by", "zed", "--why", "green"]).with(0).stdout;
    assert_eq!(first, "sign_off was approved by zed: green\n");
    acts(&dev, &["approve", &id, "sign_off", "--by", "zed"])
        .with(1)
        .says(&["step sign_off cannot be approved: zed has approved already; 1 of 2"]);
    // What was said outlives the process.
    let folder = dev.shared_folder();
    dev.crash();
    let dev = Dev::start_in(folder, &[]);
    let why = dev.get(&format!("/api/v1/runs/{id}/why?step=sign_off")).json(200);
    let blocker = &why["steps"][0]["blockers"][0];
    assert_eq!(
        (&blocker["kind"], &blocker["of"], &blocker["by"]),
        (&json!("approval"), &json!(2), &json!(["zed"]))
    );
    acts(&dev, &["approve", &id, "sign_off", "--by", "eve"])
        .with(1)
        .says(&["eve may not: ann, bob and zed may"]);
    acts(&dev, &["supply", &id, "sign_off", "--by", "ann"])
        .with(1)
        .says(&["it asks for approval, and not for values"]);
    acts(&dev, &["approve", &id, "how_much", "--by", "ann"])
        .with(1)
        .says(&["it asks for values, and not for approval"]);
    acts(&dev, &["retry", &id, "sign_off"]).with(1).says(&["it had no attempt that could be tried again"]);
    acts(&dev, &["approve", &id, "ship"]).with(1).says(&["it is no approval: it uses shell"]);
    acts(&dev, &["approve", &id, "sign_off", "--by", "ann"]).with(0);

    let supply =
        |dev: &Dev, more: &[&str]| acts(dev, &[&["supply", &id, "how_much", "--by", "ann"], more].concat());
    supply(&dev, &[]).with(1).says(&["field `amount`: no value and no default"]);
    supply(&dev, &["-p", "amount=many"]).with(1).says(&["field `amount`: expected a whole number"]);
    supply(&dev, &["-p", "amount=0"]).with(1).says(&["field `amount`: expected at least 1, found 0"]);
    supply(&dev, &["-p", "amuont=5"])
        .with(1)
        .says(&["field `amuont` is not declared", "did you mean `amount`?"]);
    supply(&dev, &["--values", "[1]"]).with(2).says(&["expected a JSON object"]);
    supply(&dev, &["--values", "{\"amount\": 5}", "-p", "amount=5"]).with(2).says(&["given twice"]);
    supply(&dev, &["-p", "amount=5", "-p", "text=7", "--why", "rent"]).with(0);
    acts(&dev, &["approve", &id, "each", "--by", "eu_lead"]).with(1).says(&["it has items: say which"]);
    acts(&dev, &["approve", &id, "each", "--item", "0", "--by", "us_lead"])
        .with(1)
        .says(&["us_lead may not"]);
    acts(&dev, &["approve", &id, "each", "--item", "0", "--by", "eu_lead"]).with(0);
    acts(&dev, &["approve", &id, "each", "--item", "1", "--by", "us_lead"]).with(0);

    let run = dev.ended(&id);
    assert_eq!(run["state"], "succeeded", "{run}");
    let of = |step: usize| &run["steps"][step];
    assert_eq!(of(0)["outputs"], json!({"approved": true, "by": ["zed", "ann"], "comment": ""}));
    assert_eq!(of(0)["reason"], "approved by zed and ann");
    assert_eq!(of(1)["outputs"], json!({"amount": 5, "text": "7", "day": "2026-03-02"}));
    acts(&dev, &["approve", &id, "sign_off", "--by", "bob"])
        .with(1)
        .says(&["cannot be approved: its run has ended: succeeded"]);
    let history = acts(&dev, &["history", &id]).with(0).stdout;
    for line in [
        "sign_off was approved by zed: green; others have to, too",
        "sign_off was approved by ann",
        "how_much was given values by ann: rent",
        "item 1 of each was approved by us_lead",
    ] {
        assert!(history.contains(line), "{line}: {history}");
    }
}

#[test]
fn one_who_rejects_fails_the_step_and_what_nobody_answers_ends_in_time() {
    let dev = Dev::start(&[]);
    let source = "name: two\nsteps:
  - {name: gate, uses: approval, with: {who: [ann]}, on_failure: [{name: tell, run: 'test \"$MILLRACE_HOOK_REASON\" = \"rejected by ann: too risky\"'}]}
  - {name: late, uses: approval, with: {timeout: 300ms}, continue_on_error: true}
  - {name: form, uses: input, with: {timeout: 300ms, fields: [{name: n, type: int}], default: {n: 7}}}\n";
    let id = started(&dev, "two", source);
    until_asking(&dev, &id);
    dev.cli(&["runs", "reject", &id, "gate", "--by", "ann", "--why", "too risky"]).with(0);
    let run = dev.ended(&id);
    assert_eq!(
        (&run["state"], &run["reason"]),
        (&json!("failed"), &json!("step gate: rejected by ann: too risky"))
    );
    let of = |name: &str| run["steps"].as_array().unwrap().iter().find(|step| step["name"] == name).unwrap();
    assert_eq!((&of("gate")["by"], &of("tell")["state"]), (&json!("ann"), &json!("succeeded")));
    assert_eq!(of("gate")["outputs"], json!({"approved": false, "by": ["ann"], "comment": "too risky"}));
    let late = (&of("late")["state"], &of("late")["reason"]);
    assert_eq!(late, (&json!("timed_out"), &json!("nobody approved within 300ms")));
    assert_eq!(of("form")["outputs"], json!({"n": 7}));
    let history = dev.cli(&["runs", "history", &id]).with(0).stdout;
    assert!(history.contains("the time to answer late is over"), "{history}");
    assert!(history.contains("late timed out: nobody approved within 300ms"), "{history}");
}

#[test]
fn an_answer_over_rest_counts_once_under_its_key_and_is_checked_as_it_stands() {
    let dev = Dev::start(&[]);
    let id = started(&dev, "asking", ASKING);
    until_asking(&dev, &id);
    let path = |step: &str, deed: &str| format!("/api/v1/runs/{id}/steps/{step}/{deed}");
    let refused = |step: &str, deed: &str, body: &Value, status: u16, code: &str| {
        let answer = dev.post(&path(step, deed), &body.to_string()).json(status);
        assert_eq!(answer["error"]["code"], code, "{answer}");
    };
    let keyed = |by: &str| json!({"by": by, "idempotency_key": "k1"});
    for _ in 0..2 {
        let answer = dev.post(&path("sign_off", "approve"), &keyed("ann").to_string()).json(200);
        assert_eq!(answer["done"], "sign_off was approved by ann");
    }
    refused("sign_off", "approve", &keyed("bob"), 409, "key-conflict");
    refused("sign_off", "approve", &json!({}), 409, "wrong-state");
    let again = json!({"by": " ann ", "idempotency_key": "k1"});
    dev.post(&path("sign_off", "approve"), &again.to_string()).json(200);
    refused("sign_off", "approve", &json!({"by": "bob\u{1b}[31m"}), 422, "bad-field");
    refused("sign_off", "approve", &json!({"by": "bob", "why": "\u{0}"}), 422, "bad-field");
    refused("sign_off", "approve", &json!({"values": {}}), 422, "bad-field");
    refused("how_much", "supply", &json!({"by": "ann", "values": {"Amount": 1}}), 422, "bad-field");
    refused("how_much", "supply", &json!({"by": "ann", "values": {"amount": "5"}}), 409, "wrong-state");
    refused(
        "how_much",
        "supply",
        &json!({"by": "ann", "values": {"amount": 5, "text": "x".repeat(70_000)}}),
        409,
        "wrong-state",
    );
    refused("nobody", "supply", &json!({"texts": {"a": "b"}}), 404, "not-found");
    dev.post(&path("how_much", "supply"), &json!({"by": "ann", "values": {"amount": 5}}).to_string())
        .json(200);
    // Whoever runs the fleet needs no right.
    dev.cli(&["runs", "mark", &id, "sign_off", "--succeeded", "--by", "root"]).with(0);
    let gave = dev.get(&format!("/api/v1/runs/{id}/steps/sign_off/outputs")).json(200);
    assert_eq!(gave["outputs"]["by"], json!(["root"]));
    dev.cli(&["runs", "cancel", &id]).with(0);
    assert_eq!(dev.ended(&id)["state"], "cancelled");
}

#[test]
fn a_plan_says_what_would_be_asked_and_goes_on_as_if_it_were_answered() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("w.yaml"), ASKING).unwrap();
    let plan = millrace(folder.path(), &["run", "w.yaml", "--dry-run", "-p", "version=3"]).with(0).stdout;
    for line in [
        "4 steps in 2 waves",
        "message: Release 3?",
        "who: [\"ann\",\"bob\",\"zed\"]",
        "2 have to approve within 1d; default: reject",
        "amount, text, day within 2h; default: none",
    ] {
        assert!(plan.contains(line), "{line}: {plan}");
    }
    assert!(!plan.contains("not started"), "{plan}");
}

#[test]
fn ten_thousand_open_questions_are_borne_and_each_is_answered() {
    let dev = Dev::start(&[]);
    let list: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
    let source = format!(
        "name: many\nsteps:\n  - name: each\n    uses: approval\n    foreach: {{items: [{}], max_parallel: 10000}}\n    with: {{message: 'Is ${{{{ item }}}} right?', who: ['${{{{ item }}}}', ann, bob], of: 2, timeout: 7d}}\n",
        list.join(", ")
    );
    std::fs::write(dev.path("w.yaml"), source).unwrap();
    dev.cli(&["apply", "w.yaml"]).with(0);
    let before = dev.memory();
    let id = dev.cli(&["workflows", "trigger", "many"]).with(0).stdout.trim().to_owned();
    until("all ask", || {
        let reason = dev.run(&id)["steps"][0]["reason"].as_str().unwrap_or_default().to_owned();
        reason.contains("10000 of which ask somebody").then_some(())
    });
    let more = dev.memory().saturating_sub(before);
    assert!(more < 50 << 20, "10,000 questions take {} MiB", more >> 20);
    for item in ["0", "7777", "9999"] {
        dev.cli(&["runs", "approve", &id, "each", "--item", item, "--by", "bob"]).with(0);
        dev.cli(&["runs", "approve", &id, "each", "--item", item, "--by", item]).with(0);
    }
    assert_eq!(dev.run(&id)["steps"][0]["items"]["succeeded"], 3);
    dev.cli(&["runs", "cancel", &id]).with(0);
    assert_eq!(dev.ended(&id)["state"], "cancelled");
}
