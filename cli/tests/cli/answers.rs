//! What the resources of the API answer: runs, workflows, logs, lists.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::binary::until;
use crate::dev::Dev;
use crate::http::{Answer, post_keyed, send};

#[test]
fn after_a_201_a_get_answers_at_once() {
    let dev = Dev::start(&[]);
    for _ in 0..20 {
        let id = dev.post("/api/v1/runs", r#"{"run":"true"}"#).json(201)["run_id"].clone();
        let run = dev.get(&format!("/api/v1/runs/{}", id.as_str().unwrap())).json(200);
        assert_eq!((&run["id"], &run["workflow"]), (&id, &json!("adhoc")));
        assert!(run["created_at"].is_string() && run["steps"][0]["name"] == "task", "{run:#}");
    }
}

#[test]
fn an_idempotency_key_gives_the_same_run_and_another_body_a_409() {
    let dev = Dev::start(&[]);
    let post = |body: &str| post_keyed(&dev.address, "/api/v1/runs", "key-1", body);
    let first = post(r#"{"run":"echo a"}"#).json(201);
    assert_eq!(first["duplicate"], false);
    let again = post(r#"{"run":"echo a"}"#).json(200);
    assert_eq!((&again["run_id"], &again["duplicate"]), (&first["run_id"], &json!(true)));
    assert_eq!(post(r#"{ "v": 1, "run" : "echo a" }"#).status, 409, "v is part of the body");
    let message = post(r#"{"run":"echo b"}"#).refusal(409, "key-conflict");
    assert!(message.contains(first["run_id"].as_str().unwrap()), "{message}");
    let headers =
        |trace| [("Content-Type", "application/json"), ("Idempotency-Key", "key-1"), ("traceparent", trace)];
    for trace in [
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ] {
        let traced = send(&dev.address, "POST", "/api/v1/runs", &headers(trace), br#"{"run":"echo a"}"#);
        assert_eq!(traced.json(200)["run_id"], first["run_id"], "a trace is no part of what is asked for");
    }
    assert_eq!(dev.get("/api/v1/runs").json(200)["runs"].as_array().unwrap().len(), 1);
    let long = "k".repeat(257);
    post_keyed(&dev.address, "/api/v1/runs", &long, r#"{"run":"true"}"#).refusal(400, "bad-field");
}

#[test]
fn an_array_is_answered_item_by_item() {
    let dev = Dev::start(&[]);
    let body = json!([
        {"run": "true"}, {"rnu": "true"}, {"workflow": "absent"}, {"uses": "noop", "priority": 11}, 7,
        {"run": "true", "idempotency_key": "a"}, {"run": "true", "idempotency_key": "a"},
    ]);
    let answers = dev.post("/api/v1/runs", &body.to_string()).json(201);
    let codes: Vec<Option<&str>> =
        answers.as_array().unwrap().iter().map(|answer| answer["error"]["code"].as_str()).collect();
    let bad = Some("bad-field");
    assert_eq!(codes, [None, Some("unknown-field"), Some("unknown-workflow"), bad, bad, None, None]);
    assert_eq!(answers[5]["run_id"], answers[6]["run_id"]);
    assert_eq!(dev.ended(answers[0]["run_id"].as_str().unwrap())["state"], "succeeded");

    let keyed = |body: &str| post_keyed(&dev.address, "/api/v1/runs", "batch", body).json(201);
    let first = keyed(r#"[{"run":"true"},{"run":"exit 0"}]"#);
    let again = keyed(r#"[{"run":"true"},{"run":"exit 1"}]"#);
    assert_eq!(first[0]["run_id"], again[0]["run_id"]);
    assert_eq!(again[1]["error"]["code"], "key-conflict", "{again:#}");
}

#[test]
fn pages_of_runs_hold_every_run_once_and_end() {
    let dev = Dev::start(&[]);
    let many: Vec<Value> = (0..25).map(|n| json!({"uses": "noop", "labels": {"n": n.to_string()}})).collect();
    let answers = dev.post("/api/v1/runs", &Value::Array(many).to_string()).json(201);
    let submitted: BTreeSet<String> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| answer["run_id"].as_str().unwrap().to_owned())
        .collect();
    submitted.iter().for_each(|id| drop(dev.ended(id)));
    for filter in ["", "&state=succeeded", "&workflow=adhoc"] {
        let mut seen = BTreeSet::new();
        let mut cursor = String::new();
        let mut pages = 0;
        loop {
            let page = dev.get(&format!("/api/v1/runs?limit=10{filter}{cursor}")).json(200);
            let runs = page["runs"].as_array().unwrap();
            assert!(runs.len() <= 10);
            for run in runs {
                assert!(seen.insert(run["id"].as_str().unwrap().to_owned()), "twice: {run}");
            }
            pages += 1;
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
            assert!(pages < 10, "pages without end");
        }
        assert_eq!(seen, submitted, "{filter}");
    }
    assert_eq!(dev.get("/api/v1/runs?limit=25").json(200)["runs"].as_array().unwrap().len(), 25);
    dev.get("/api/v1/runs?cursor=nonsense").refusal(400, "invalid-cursor");
    dev.get("/api/v1/runs?limit=many").refusal(400, "invalid-query");
    dev.get("/api/v1/runs?stat=failed").refusal(400, "invalid-query");
    let message = dev.get("/api/v1/runs?state=bogus").refusal(400, "invalid-state");
    assert!(
        message.contains("waiting, running, succeeded, failed, timed_out, cancelled, skipped"),
        "{message}"
    );
    dev.get("/api/v1/runs?workflow=Not%20A%20Name").refusal(400, "invalid-name");
}

#[test]
fn a_log_is_read_on_from_where_it_ended() {
    let dev = Dev::start(&[]);
    let id =
        dev.submit("echo one; echo two >&2; touch started; until [ -e go ]; do sleep 0.05; done; echo three");
    let page = |from: &str| dev.get(&format!("/api/v1/runs/{id}/logs?step=task{from}")).json(200);
    let text = |page: &Value, stream: &str| -> String {
        let chunks = page["chunks"].as_array().unwrap().iter();
        chunks
            .filter(|chunk| chunk["stream"] == stream)
            .map(|chunk| chunk["text"].as_str().unwrap())
            .collect()
    };
    let first = until("both streams are there", || {
        Some(page("")).filter(|page| !text(page, "stdout").is_empty() && !text(page, "stderr").is_empty())
    });
    assert_eq!((text(&first, "stdout"), text(&first, "stderr")), ("one\n".to_owned(), "two\n".to_owned()));
    std::fs::write(dev.path("go"), "").unwrap();
    dev.ended(&id);
    let rest = page(&format!("&from={}", first["next"]));
    assert_eq!(text(&rest, "stdout"), "three\n");
    assert_eq!(page(&format!("&from={}", rest["next"]))["chunks"], json!([]));
    assert_eq!(page("&attempt=7")["chunks"], json!([]));
    dev.get(&format!("/api/v1/runs/{id}/logs")).refusal(400, "invalid-query");
    dev.get(&format!("/api/v1/runs/{id}/logs?step=absent")).refusal(404, "not-found");
}

#[test]
fn a_cancelled_run_ends_and_cancelling_again_changes_nothing() {
    let dev = Dev::start(&[]);
    let id = dev.submit("touch started; sleep 600");
    until("the task has started", || dev.path("started").exists().then_some(()));
    let cancel = || dev.post(&format!("/api/v1/runs/{id}/cancel"), "{}").json(202);
    assert_eq!(cancel()["run_id"], id.as_str());
    let run = dev.ended(&id);
    assert_eq!(run["state"], "cancelled");
    cancel();
    assert_eq!(dev.run(&id), run);
    let waiting = dev.post("/api/v1/runs", r#"{"run":"true","delay":"1h"}"#).json(201)["run_id"].clone();
    let waiting = waiting.as_str().unwrap();
    dev.post(&format!("/api/v1/runs/{waiting}/cancel"), "{}").json(202);
    assert_eq!(dev.ended(waiting)["state"], "cancelled", "one that has not begun, too");
    dev.post("/api/v1/runs/nonsense/cancel", "{}").refusal(404, "not-found");
}

#[test]
fn workflows_are_stored_shown_triggered_and_forgotten() {
    let dev = Dev::start(&[]);
    let apply = |definition: &str| -> Answer {
        dev.post("/api/v1/workflows", &json!({"definition": definition}).to_string())
    };
    let one =
        "name: w\nparams: [{name: n, type: int, default: 1}]\nsteps: [{name: one, run: 'echo \"n=$n\"'}]\n";
    assert_eq!(apply(one).json(200)["workflows"], json!([{"name": "w", "version": 1, "unchanged": false}]));
    assert_eq!(apply(one).json(200)["workflows"][0]["unchanged"], true);
    let two = format!("{one}---\nname: v\nsteps: [{{name: one, rnu: x}}]\n");
    let refused = apply(&two);
    let message = refused.refusal(422, "invalid-definition");
    assert!(message.contains("rnu"), "{message}");
    let problem = &refused.json(422)["error"]["details"][0];
    assert_eq!((&problem["line"], problem["code"].is_string()), (&json!(6), true), "{problem}");
    dev.get("/api/v1/workflows/v").refusal(404, "not-found");

    let run = dev.post("/api/v1/workflows/w/trigger", r#"{"params":{"n":5}}"#).json(201)["run_id"].clone();
    let run = dev.ended(run.as_str().unwrap());
    assert_eq!((&run["version"], &run["params"]), (&json!(1), &json!({"n": 5})));
    assert_eq!(dev.post("/api/v1/workflows/w/trigger", "{}").status, 201);
    assert_eq!(dev.post("/api/v1/workflows/w/trigger", "").status, 201, "no body is no params");
    dev.post("/api/v1/workflows/w/trigger", r#"{"params":{"n":"5"}}"#).refusal(422, "invalid-params");
    dev.post("/api/v1/workflows/w/trigger", r#"{"workflow":"v"}"#).refusal(400, "ambiguous");
    dev.post("/api/v1/workflows/w/trigger", "[]").refusal(400, "invalid-json");
    dev.post("/api/v1/workflows/absent/trigger", "{}").refusal(404, "unknown-workflow");
    dev.post("/api/v1/runs", r#"{"workflow":"absent"}"#).refusal(404, "unknown-workflow");
    let message = dev.get("/api/v1/workflows/w?version=9").refusal(404, "not-found");
    assert!(message.contains("no version 9"), "{message}");
    assert_eq!(dev.get("/api/v1/workflows/w?version=1").json(200)["definition"], one);

    assert_eq!(send(&dev.address, "DELETE", "/api/v1/workflows/w", &[], b"").json(200)["deleted"], true);
    send(&dev.address, "DELETE", "/api/v1/workflows/w", &[], b"").refusal(404, "unknown-workflow");
    assert_eq!(dev.get("/api/v1/workflows").json(200)["workflows"], json!([]));
    assert_eq!(
        dev.get(&format!("/api/v1/runs/{}", run["id"].as_str().unwrap())).json(200)["state"],
        "succeeded"
    );
    assert_eq!(apply(one).json(200)["workflows"][0]["version"], 2, "a version is never used twice");
}

#[test]
fn the_next_fire_of_a_workflow_is_told_in_its_zone() {
    let dev = Dev::start(&[]);
    let schedules =
        "schedule: ['0 2 1 1 *', {cron: '0 3 1 1 *', timezone: Europe/Paris}]\ntimezone: Asia/Shanghai";
    let text = format!("name: w\n{schedules}\nsteps: [{{name: one, run: 'true'}}]\n");
    let path = crate::binary::file(dev.folder(), "w.yaml", &text);
    dev.cli(&["apply", &path]).with(0);
    // 2 o'clock in Shanghai comes 8 hours before 3 o'clock in Paris.
    let workflow = dev.get("/api/v1/workflows").json(200)["workflows"][0].clone();
    assert_eq!(workflow["timezone"], "Asia/Shanghai");
    let shown = workflow["next_fire_local"].as_str().unwrap();
    assert!(shown.ends_with("-01-01T02:00:00+08:00[Asia/Shanghai]"), "{shown}");
    assert!(workflow["next_fire"].as_str().unwrap().ends_with("-12-31T18:00:00.000Z"), "{workflow}");
    let list = dev.cli(&["workflows", "list"]).with(0).stdout;
    assert!(list.contains(shown), "{list}");
}
