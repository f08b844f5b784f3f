//! Idempotency keys: one rule, wherever a key is given.

use serde_json::json;

use crate::binary::file;
use crate::dev::Dev;
use crate::http::{post_keyed, send};

const WORKFLOW: &str = "name: w\nsteps: [{name: one, run: 'true'}]\n";

/// The POST routes of a server that holds workflow `w` and run `id`, each with a body.
fn posts(id: &str) -> Vec<(String, String)> {
    let workflow = json!({"definition": WORKFLOW}).to_string();
    let task = r#"{"name":"t","command":"true"}"#.to_owned();
    let mut posts = vec![
        ("/api/v1/tasks".to_owned(), task),
        ("/api/v1/runs".to_owned(), r#"{"run":"true"}"#.to_owned()),
        ("/api/v1/runs".to_owned(), r#"[{"run":"true"}]"#.to_owned()),
        ("/api/v1/workflows".to_owned(), workflow),
    ];
    let tails = ["tasks/{}/execute", "tasks/{}/stop", "runs/{}/cancel"];
    posts.extend(tails.map(|tail| (format!("/api/v1/{}", tail.replace("{}", id)), "{}".to_owned())));
    let tails = ["trigger", "pause", "resume"];
    posts.extend(tails.map(|tail| (format!("/api/v1/workflows/w/{tail}"), "{}".to_owned())));
    posts
}

#[test]
fn a_key_that_cannot_be_used_is_refused_by_every_post() {
    let dev = Dev::start(&[]);
    dev.cli(&["apply", &file(dev.folder(), "w.yaml", WORKFLOW)]).with(0);
    let id = dev.submit("true");
    dev.ended(&id);
    for (path, body) in posts(&id) {
        for (key, why) in
            [(&"k".repeat(257)[..], "at most 256"), ("order-\u{e9}", "printable ASCII"), ("a\tb", "ASCII")]
        {
            let message = post_keyed(&dev.address, &path, key, &body).refusal(400, "bad-field");
            assert!(message.contains("Idempotency-Key") && message.contains(why), "{path}: {message}");
        }
        let headers =
            [("Content-Type", "application/json"), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")];
        send(&dev.address, "POST", &path, &headers, body.as_bytes()).refusal(400, "bad-field");
    }
    let longest = "k".repeat(256);
    let bounds = |key: &str| json!({"run": "true", "idempotency_key": key}).to_string();
    assert_eq!(post_keyed(&dev.address, "/api/v1/runs", &longest, r#"{"run":"true"}"#).status, 201);
    assert_eq!(
        dev.post("/api/v1/runs", &bounds(&longest)).json(200)["duplicate"],
        true,
        "it is the same key"
    );
    for (key, why) in [(&"k".repeat(257)[..], "at most 256"), ("order-\u{e9}", "printable ASCII")] {
        let message = dev.post("/api/v1/runs", &bounds(key)).refusal(422, "bad-field");
        assert!(message.contains("idempotency_key") && message.contains(why), "{message}");
    }
}

#[test]
fn an_empty_key_is_none() {
    let dev = Dev::start(&[]);
    dev.cli(&["apply", &file(dev.folder(), "w.yaml", WORKFLOW)]).with(0);
    for (path, field) in
        [("/api/v1/runs", "run_id"), ("/api/v1/tasks", "id"), ("/api/v1/workflows/w/trigger", "run_id")]
    {
        let body = if path.ends_with("trigger") { "{}" } else { r#"{"run":"true"}"# };
        let post = || post_keyed(&dev.address, path, "", body).json(201)[field].clone();
        assert_ne!(post(), post(), "{path}");
    }
    let body = r#"{"run":"true","idempotency_key":""}"#;
    let post = || dev.post("/api/v1/runs", body).json(201)["run_id"].clone();
    assert_ne!(post(), post());
    let headed = post_keyed(&dev.address, "/api/v1/runs", "k", body).json(201)["run_id"].clone();
    assert_eq!(post_keyed(&dev.address, "/api/v1/runs", "k", body).json(200)["run_id"], headed);
}

#[test]
fn a_trigger_without_a_body_and_one_with_an_empty_object_are_the_same_under_one_key() {
    let dev = Dev::start(&[]);
    dev.cli(&["apply", &file(dev.folder(), "w.yaml", WORKFLOW)]).with(0);
    let trigger = |body: &[u8], kind: &str| {
        let headers = [("Idempotency-Key", "k"), ("Content-Type", kind)];
        let headers = if kind.is_empty() { &headers[..1] } else { &headers[..] };
        send(&dev.address, "POST", "/api/v1/workflows/w/trigger", headers, body)
    };
    let first = trigger(b"", "").json(201);
    let again = trigger(b"", "").json(200);
    assert_eq!((&again["run_id"], &again["duplicate"]), (&first["run_id"], &json!(true)));
    assert_eq!(trigger(b"{}", "application/json").json(200)["run_id"], first["run_id"]);
}
