//! The four calls of a simple task API, as they stand: one id serves all of them.

use serde_json::{Value, json};

use crate::binary::until;
use crate::dev::Dev;
use crate::http::post_keyed;

/// The status of a task, once it is `wanted`.
#[track_caller]
fn status(dev: &Dev, id: &str, wanted: &str) -> Value {
    until(&format!("task {id} is {wanted}"), || {
        Some(dev.get(&format!("/api/v1/tasks/{id}/status")).json(200))
            .filter(|status| status["status"] == wanted)
    })
}

#[test]
fn a_task_without_a_schedule_starts_at_once_and_its_id_serves_all_four_calls() {
    let dev = Dev::start(&[]);
    let body = r#"{"name":"hello","command":"echo hello","timeout":300}"#;
    let task = dev.post("/api/v1/tasks", body).json(201);
    let id = task["id"].as_str().unwrap();
    assert!(task["status"].is_string());
    let status = status(&dev, id, "succeeded");
    assert_eq!(status["id"], id);
    assert_eq!(dev.cli(&["runs", "logs", id]).with(0).stdout, "hello\n");

    let again = dev.post(&format!("/api/v1/tasks/{id}/execute"), "{}").json(201);
    let again = again["id"].as_str().unwrap();
    assert_ne!(again, id, "a second execution is a run of its own");
    assert_eq!(dev.ended(again)["state"], "succeeded");

    let stopped = dev.post(&format!("/api/v1/tasks/{id}/stop"), "{}").json(202);
    assert_eq!(stopped["status"], "succeeded", "what has ended stays as it is");
}

#[test]
fn a_task_with_a_schedule_is_stored_and_its_id_serves_all_four_calls() {
    let dev = Dev::start(&[]);
    let body =
        r#"{"name":"nightly","schedule":"0 2 * * *","command":"touch started; sleep 600","timeout":3600}"#;
    let task = dev.post("/api/v1/tasks", body).json(201);
    assert_eq!(task, json!({"id": "nightly", "status": "scheduled"}));
    assert_eq!(
        dev.get("/api/v1/tasks/nightly/status").json(200),
        json!({"id": "nightly", "status": "scheduled"})
    );
    let started = dev.post("/api/v1/tasks/nightly/execute", "{}").json(201);
    assert_eq!(started["id"], "nightly");
    status(&dev, "nightly", "running");
    until("the task has started", || dev.path("started").exists().then_some(()));
    let stopping = dev.post("/api/v1/tasks/nightly/stop", "{}").json(202);
    assert_eq!((&stopping["id"], &stopping["stopped_runs"]), (&json!("nightly"), &json!(1)));
    status(&dev, "nightly", "cancelled");
    let workflow = dev.get("/api/v1/workflows/nightly").json(200);
    assert_eq!(workflow["schedules"][0], "0 2 * * *");
    assert_eq!(dev.post("/api/v1/tasks", body).json(201)["id"], "nightly", "the same again is no conflict");
}

#[test]
fn a_bare_number_is_seconds_here_and_a_task_past_its_timeout_is_ended() {
    let dev = Dev::start(&[]);
    let task = dev.post("/api/v1/tasks", r#"{"name":"slow","command":"sleep 600","timeout":1}"#).json(201);
    let run = dev.ended(task["id"].as_str().unwrap());
    assert_eq!(run["steps"][0]["state"], "timed_out");
    let text = dev.post("/api/v1/tasks", r#"{"name":"slow","command":"true","timeout":"1h"}"#).json(201);
    assert!(text["id"].is_string());
    for timeout in ["0", "-1", "1.5", "true", "[]"] {
        let body = format!(r#"{{"name":"slow","command":"true","timeout":{timeout}}}"#);
        let message = dev.post("/api/v1/tasks", &body).refusal(400, "bad-field");
        assert!(message.contains("timeout") && message.contains("seconds"), "{message}");
    }
}

#[test]
fn what_is_wrong_with_a_task_is_said_by_field() {
    let dev = Dev::start(&[]);
    let post = |body: &str| dev.post("/api/v1/tasks", body);
    let message = post(r#"{"command":"true"}"#).refusal(400, "bad-field");
    assert!(message.contains("name"), "{message}");
    let message = post(r#"{"name":"a","command":"true","shedule":"@daily"}"#).refusal(400, "bad-field");
    assert!(message.contains("shedule") && message.contains("schedule"), "{message}");
    let message = post(r#"{"name":"Not A Name","command":"true"}"#).refusal(400, "invalid-name");
    assert!(message.contains("Not A Name"), "{message}");
    let message =
        post(r#"{"name":"a","command":"true","schedule":"61 * * * *"}"#).refusal(422, "invalid-definition");
    assert!(message.contains("61"), "{message}");
    post(r#"{"name":"a"}"#).refusal(422, "unknown-field");
    for path in ["absent/status", "01a1fc6a-3d32-77f1-9b10-bdeea9b20000/status"] {
        dev.get(&format!("/api/v1/tasks/{path}")).refusal(404, "not-found");
    }
    for path in ["absent/execute", "absent/stop", "01a1fc6a-3d32-77f1-9b10-bdeea9b20000/stop"] {
        dev.post(&format!("/api/v1/tasks/{path}"), "{}").refusal(404, "not-found");
    }
}

#[test]
fn an_idempotency_key_makes_a_repeated_task_the_same_one() {
    let dev = Dev::start(&[]);
    let create = |command: &str| {
        let body = json!({"name": "hello", "command": command}).to_string();
        post_keyed(&dev.address, "/api/v1/tasks", "k1", &body)
    };
    let first = create("echo hi").json(201)["id"].clone();
    assert_eq!(create("echo hi").json(200)["id"], first);
    create("echo ho").refusal(409, "key-conflict");
    let execute = |key: &str| {
        let path = format!("/api/v1/tasks/{}/execute", first.as_str().unwrap());
        post_keyed(&dev.address, &path, key, "{}").json(if key == "k2" { 201 } else { 200 })["id"].clone()
    };
    let second = execute("k2");
    assert_ne!(second, first);
    let again =
        post_keyed(&dev.address, &format!("/api/v1/tasks/{}/execute", first.as_str().unwrap()), "k2", "{}");
    assert_eq!(again.json(200)["id"], second, "a repeated execute is the same run");
}
