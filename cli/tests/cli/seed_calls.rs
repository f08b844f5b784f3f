//! The four calls of a simple task API, as they stand: one id serves all of them.

use serde_json::{Value, json};

use crate::binary::{file, until};
use crate::dev::Dev;
use crate::http::post_keyed;

/// Waits until the status of a task is `wanted`, and returns it.
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
    for missing in
        [r#"{"name":"a"}"#, r#"{"name":"x","schedule":"0 3 * * *"}"#, r#"{"name":"a","run":"true"}"#]
    {
        let message = post(missing).refusal(400, "bad-field");
        assert!(message.contains("`command` is missing"), "{message}");
    }
    for schedule in ["", r#","schedule":"@daily""#] {
        let body = format!(r#"{{"name":"a","command":"true","timezone":"Mars/Base"{schedule}}}"#);
        let message = post(&body).refusal(400, "bad-field");
        assert!(message.contains("timezone") && message.contains("Mars/Base"), "{message}");
    }
    for path in ["absent/status", "01a1fc6a-3d32-77f1-9b10-bdeea9b20000/status"] {
        dev.get(&format!("/api/v1/tasks/{path}")).refusal(404, "not-found");
    }
    for path in ["absent/execute", "absent/stop", "01a1fc6a-3d32-77f1-9b10-bdeea9b20000/stop"] {
        dev.post(&format!("/api/v1/tasks/{path}"), "{}").refusal(404, "not-found");
    }
}

#[test]
fn a_stop_ends_all_runs_of_a_task_however_many_and_says_what_is_still_stopping() {
    let dev = Dev::start(&["--concurrency", "4"]);
    let command = "trap '' TERM; touch started; sleep 600";
    let task = json!({"name": "many", "schedule": "0 2 1 1 *", "command": command}).to_string();
    dev.post("/api/v1/tasks", &task).json(201);
    let many = json!(vec![json!({"workflow": "many"}); 130]).to_string();
    dev.post("/api/v1/runs", &many).json(201);
    until("a task has started", || dev.path("started").exists().then_some(()));
    let stop = || dev.post("/api/v1/tasks/many/stop", "{}").json(202);
    let first = stop();
    assert_eq!((&first["status"], &first["stopped_runs"]), (&json!("stopping"), &json!(130)));
    // What nobody has claimed is taken back at once; the tasks that run do not end so soon.
    let left = until("only tasks that run are left", || {
        let again = stop();
        assert_eq!((&again["status"], &again["stopped_runs"]), (&json!("stopping"), &json!(0)), "{again}");
        again["still_stopping"].as_u64().filter(|left| *left <= 4)
    });
    assert!(left > 0);
    until("all are stopped", || (stop()["status"] == "stopped").then_some(()));
    let running = dev.get("/api/v1/runs?state=running").json(200);
    assert_eq!(running["runs"], json!([]));
}

#[test]
fn a_name_that_reads_as_the_id_of_a_run_is_refused_where_it_would_be_stored() {
    let dev = Dev::start(&[]);
    for name in ["d41d8cd98f00b204e9800998ecf8427e", "01a1fc6a-3d32-77f1-9b10-bdeea9b20000"] {
        for schedule in ["", r#","schedule":"@daily""#] {
            let body = format!(r#"{{"name":"{name}","command":"true"{schedule}}}"#);
            let message = dev.post("/api/v1/tasks", &body).refusal(400, "invalid-name");
            assert!(message.contains(name) && message.contains("id of a run"), "{message}");
        }
        let path =
            file(dev.folder(), "w.yaml", &format!("name: {name}\nsteps: [{{name: one, run: 'true'}}]\n"));
        dev.cli(&["apply", &path]).with(1).says(&[name, "id of a run"]);
    }
    let body = r#"{"name":"d41d8cd98f00b204e9800998ecf8427","command":"true","schedule":"@daily"}"#;
    assert_eq!(dev.post("/api/v1/tasks", body).json(201)["status"], "scheduled", "31 digits are a name");
}

#[test]
fn a_task_does_not_replace_a_workflow_that_was_made_otherwise() {
    let dev = Dev::start(&[]);
    let two = "name: etl\nsteps: [{name: one, run: 'true'}, {name: two, run: 'true'}]\n";
    let path = file(dev.folder(), "etl.yaml", two);
    dev.cli(&["apply", &path]).with(0);
    let task = |command: &str| json!({"name": "etl", "schedule": "@daily", "command": command}).to_string();
    let message = dev.post("/api/v1/tasks", &task("true")).refusal(409, "name-conflict");
    assert!(message.contains("etl"), "{message}");
    assert_eq!(dev.get("/api/v1/workflows/etl").json(200)["steps"], 2, "it stands");
    dev.cli(&["workflows", "delete", "etl"]).with(0);
    dev.post("/api/v1/tasks", &task("true")).json(201);
    dev.post("/api/v1/tasks", &task("false")).json(201);
    assert_eq!(dev.get("/api/v1/workflows/etl").json(200)["version"], 3, "its own may be replaced");
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
