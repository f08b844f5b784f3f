//! Any producer of a fleet answers any call, whoever owns the run: what one has accepted, the others know at once.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeSet;
use std::time::Duration;

use millrace_tests::{Api, Fleet, wait_until};
use reqwest::Method;
use serde_json::{Value, json};

const BOUND: Duration = Duration::from_secs(60);

/// Sends a POST under an idempotency key, and returns the status and the body of its answer.
async fn post_keyed(api: &Api, path: &str, key: &str, body: &Value) -> (u16, Value) {
    let request = api.request(Method::POST, path).header("Idempotency-Key", key).json(body);
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

/// Waits until the status of a task is `wanted`, and returns it.
async fn status_is(api: &Api, id: &str, wanted: &str) -> Value {
    wait_until(BOUND, &format!("task {id} is {wanted}"), async || {
        let status = api.try_get(&format!("/api/v1/tasks/{id}/status")).await?;
        if status["status"] == wanted { Ok(status) } else { Err(status.to_string()) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_serves_the_four_calls_on_whichever_producer() {
    let fleet = Fleet::new();
    let (first, second) = (fleet.producer().await, fleet.producer().await);
    let _worker = fleet.worker(&[]).await;
    let (one, two) = (first.api(), second.api());
    for _ in 0..8 {
        let task =
            one.post("/api/v1/tasks", &json!({"name": "quick", "command": "true", "timeout": 300})).await;
        let id = task["id"].as_str().unwrap();
        two.get(&format!("/api/v1/tasks/{id}/status")).await;
        status_is(two, id, "succeeded").await;
    }
    let body = json!({"name": "nightly", "schedule": "0 2 * * *", "command": "sleep 600", "timeout": 3600});
    assert_eq!(one.post("/api/v1/tasks", &body).await["id"], "nightly");
    assert_eq!(two.get("/api/v1/tasks/nightly/status").await["status"], "scheduled");
    two.post("/api/v1/tasks/nightly/execute", &json!({})).await;
    status_is(one, "nightly", "running").await;
    let stopping = one.post("/api/v1/tasks/nightly/stop", &json!({})).await;
    assert_eq!((&stopping["id"], &stopping["stopped_runs"]), (&json!("nightly"), &json!(1)));
    status_is(two, "nightly", "cancelled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_one_run_whichever_producer_is_asked() {
    let fleet = Fleet::new();
    let (first, second) = (fleet.producer().await, fleet.producer().await);
    let _worker = fleet.worker(&[]).await;
    for number in 0..8 {
        let key = format!("key-{number}");
        let asked = json!({"run": format!("echo {number}")});
        let (status, accepted) = post_keyed(first.api(), "/api/v1/runs", &key, &asked).await;
        assert_eq!((status, &accepted["duplicate"]), (201, &json!(false)));
        let (status, again) = post_keyed(second.api(), "/api/v1/runs", &key, &asked).await;
        assert_eq!((status, &again["run_id"]), (200, &accepted["run_id"]));
        let (status, other) =
            post_keyed(second.api(), "/api/v1/runs", &key, &json!({"run": "echo other"})).await;
        assert_eq!((status, &other["error"]["code"]), (409, &json!("key-conflict")));
    }
    first.api().all_ended(8, BOUND).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_many_workflows_is_stored_whole_and_answered_in_its_order() {
    let fleet = Fleet::new();
    let (first, second) = (fleet.producer().await, fleet.producer().await);
    let names: Vec<String> = (0..300).map(|number| format!("w{}", number * 7 % 300)).collect();
    let file: String =
        names.iter().map(|name| format!("---\nname: {name}\nsteps: [{{name: s, run: 'true'}}]\n")).collect();
    for unchanged in [false, true] {
        let answer = first.api().post("/api/v1/workflows", &json!({"definition": file})).await;
        let expected: Vec<Value> =
            names.iter().map(|name| json!({"name": name, "version": 1, "unchanged": unchanged})).collect();
        assert_eq!(answer["workflows"], json!(expected));
    }
    let listed = second.api().get("/api/v1/workflows").await;
    assert_eq!(listed["workflows"].as_array().map(Vec::len), Some(names.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_is_answered_item_by_item_and_its_runs_are_listed_once_over_all_pages() {
    let fleet = Fleet::new();
    let (first, second) = (fleet.producer().await, fleet.producer().await);
    let _worker = fleet.worker(&[]).await;
    let mut items: Vec<Value> = (0..120).map(|_| json!({"uses": "noop"})).collect();
    items.extend([
        json!({"rnu": "true"}),
        json!({"workflow": "absent"}),
        json!({"run": "true", "idempotency_key": "k"}),
    ]);
    let answers = first.api().post("/api/v1/runs", &Value::Array(items)).await;
    let answers = answers.as_array().unwrap();
    assert_eq!(answers[120]["error"]["code"], "unknown-field");
    assert_eq!(answers[121]["error"]["code"], "unknown-workflow");
    let accepted: BTreeSet<String> =
        answers.iter().filter_map(|answer| answer["run_id"].as_str().map(str::to_owned)).collect();
    assert_eq!(accepted.len(), 121);
    second.api().all_ended(121, BOUND).await;
    let mut seen = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let page = second.api().get(&format!("/api/v1/runs?limit=25&state=succeeded{cursor}")).await;
        for run in page["runs"].as_array().unwrap() {
            assert!(seen.insert(run["id"].as_str().unwrap().to_owned()), "twice: {run}");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, accepted);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_folder_of_a_file_does_not_count_where_workers_have_folders_of_their_own() {
    let fleet = Fleet::new();
    let producer = fleet.producer().await;
    let _worker = fleet.worker(&[]).await;
    let definition =
        "name: here\nsteps: [{name: one, run: 'echo \"at=$(pwd -P)\" >> \"$MILLRACE_OUTPUT\"'}]\n";
    let apply = json!({"definition": definition, "base_dir": "/nowhere"});
    producer.api().post("/api/v1/workflows", &apply).await;
    let stored = producer.api().trigger("here").await;
    let inline = producer.api().submit(&json!({"definition": definition, "base_dir": "/nowhere"})).await;
    for id in [stored, inline] {
        let run = producer.api().ended(&id, BOUND).await;
        let here = fleet.folder().join("work").canonicalize().unwrap();
        assert_eq!(run["steps"][0]["outputs"]["at"], here.to_str().unwrap(), "{run}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_look_the_same_as_on_one_machine() {
    let fleet = Fleet::new();
    let producer = fleet.producer_with(&[], &[("MILLRACE_TOKEN", "s3cret")]).await;
    let open = producer.api();
    assert_eq!(open.send(Method::GET, "/api/v1/runs", None).await.unwrap().0, 401);
    assert_eq!(open.send(Method::GET, "/metrics", None).await.unwrap().0, 200);
    let api = open.clone().with_token("s3cret");
    let code = |(status, body): (u16, Value)| {
        (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    let asked = [
        (Method::GET, "/api/v1/nonsense", None, 404, "not-found"),
        (Method::DELETE, "/api/v1/runs", None, 405, "wrong-method"),
        (Method::GET, "/api/v1/runs/nonsense", None, 404, "not-found"),
        (Method::GET, "/api/v1/runs?state=bogus", None, 400, "invalid-state"),
        (Method::POST, "/api/v1/runs", Some(json!({"rnu": "x"})), 422, "unknown-field"),
        (Method::POST, "/api/v1/workflows/absent/trigger", Some(json!({})), 404, "unknown-workflow"),
    ];
    for (method, path, body, status, word) in asked {
        assert_eq!(
            code(api.send(method, path, body.as_ref()).await.unwrap()),
            (status, word.to_owned()),
            "{path}"
        );
    }
    let foreign =
        api.request(Method::GET, "/api/v1/runs").header("Host", "evil.example").send().await.unwrap();
    assert_eq!(foreign.status().as_u16(), 403);
    let plain = api.request(Method::POST, "/api/v1/runs").body("{\"run\":\"true\"}").send().await.unwrap();
    assert_eq!(plain.status().as_u16(), 415);
    assert!(!producer.log().contains("s3cret"));
}
