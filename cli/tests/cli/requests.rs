//! Who may come in, and what a request must look like. Refusals are JSON, always.

use crate::dev::Dev;
use crate::http::send;

const JSON: (&str, &str) = ("Content-Type", "application/json");

#[test]
fn an_unknown_route_and_a_wrong_method_are_refused_as_json() {
    let dev = Dev::start(&[]);
    for path in ["/api/v1/nonsense", "/api/v1/", "/api/v2/runs"] {
        let message = dev.get(path).refusal(404, "not-found");
        assert!(message.contains(path), "{message}");
    }
    let message = send(&dev.address, "DELETE", "/api/v1/runs", &[], b"").refusal(405, "wrong-method");
    assert!(["DELETE", "GET", "HEAD", "POST"].iter().all(|method| message.contains(method)), "{message}");
    for (path, method) in [("/healthz", "GET, HEAD"), ("/api/v1/queues", "GET, HEAD"), ("/", "GET, HEAD")] {
        let message = dev.post(path, "{}").refusal(405, "wrong-method");
        assert!(message.ends_with(method), "{message}");
    }
    let message = dev.get("/api/v1/workflows/w/trigger").refusal(405, "wrong-method");
    assert!(message.ends_with("POST"), "{message}");
}

#[test]
fn a_browser_finds_a_page_that_says_what_is_here() {
    let dev = Dev::start(&[]);
    let page = dev.get("/");
    assert_eq!(page.status, 200);
    for part in [env!("CARGO_PKG_VERSION"), "href=\"/api/v1/runs\"", "href=\"/readyz\">ready<", "docs/api.md"]
    {
        assert!(page.body.contains(part), "{part} is missing in:\n{}", page.body);
    }
    for line in page.body.lines().filter_map(|line| line.split_once("<li><a href=\"")) {
        let path = line.1.split('"').next().unwrap();
        assert_eq!(dev.get(path).status, 200, "{path}");
    }
}

#[test]
fn with_a_token_everything_needs_it_but_health_and_metrics() {
    let dev = Dev::start(&["--token", "s3cret"]);
    let get = |path: &str, token: &[(&str, &str)]| send(&dev.address, "GET", path, token, b"");
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_ne!(get(path, &[]).status, 401, "{path}");
    }
    assert_eq!(get("/healthz", &[]).status, 200);
    for path in ["/", "/api/v1/runs", "/api/v1/nonsense", "/healthz/x"] {
        let missing = get(path, &[]).refusal(401, "unauthorized");
        assert!(missing.contains("Authorization: Bearer"), "{missing}");
        for wrong in ["Bearer wrong", "Bearer ", "Basic s3cret", "s3cret", "Bearer s3cret2"] {
            get(path, &[("Authorization", wrong)]).refusal(401, "unauthorized");
        }
    }
    assert_eq!(get("/api/v1/runs", &[("Authorization", "Bearer s3cret")]).status, 200);
    assert_eq!(
        get("/api/v1/runs", &[("authorization", "bearer s3cret")]).status,
        200,
        "the scheme has no case"
    );
}

#[test]
fn pages_of_other_sites_are_kept_out() {
    let dev = Dev::start(&[]);
    let body = br#"{"run":"true"}"#;
    let post = |headers: &[(&str, &str)]| send(&dev.address, "POST", "/api/v1/runs", headers, body);
    for host in ["evil.example", "evil.example:7070", "127.0.0.1.evil.example"] {
        post(&[JSON, ("Host", host)]).refusal(403, "foreign-host");
        send(&dev.address, "GET", "/api/v1/runs", &[("Host", host)], b"").refusal(403, "foreign-host");
    }
    let port = dev.address.rsplit_once(':').unwrap().1;
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1", &format!("http://localhost:{port}")] {
        post(&[JSON, ("Origin", origin)]).refusal(403, "foreign-origin");
    }
    assert_eq!(post(&[JSON, ("Origin", &format!("http://{}", dev.address))]).status, 201);
    assert_eq!(post(&[JSON, ("Host", &format!("localhost:{port}"))]).status, 201);
    for plain in
        [&[][..], &[("Content-Type", "text/plain")], &[("Content-Type", "application/x-www-form-urlencoded")]]
    {
        post(plain).refusal(415, "not-json");
    }
    assert_eq!(post(&[("Content-Type", "application/json; charset=utf-8")]).status, 201);
    let runs = dev.get("/api/v1/runs").json(200);
    assert_eq!(runs["runs"].as_array().unwrap().len(), 3, "what was refused did not run");
}

#[test]
fn a_body_that_is_no_json_or_over_its_bound_is_refused() {
    let dev = Dev::start(&[]);
    for body in ["", "{", "nonsense", "{\"run\":\"true\"} trailing"] {
        dev.post("/api/v1/runs", body).refusal(400, "invalid-json");
    }
    dev.post("/api/v1/runs", "[]").refusal(422, "empty");
    dev.post("/api/v1/workflows", "{").refusal(400, "invalid-json");
    let large = format!("{{\"run\":\"true\",\"params\":{{\"x\":\"{}\"}}}}", "a".repeat(1024 * 1024));
    dev.post("/api/v1/runs", &large).refusal(413, "too-large");
    for path in ["/api/v1/runs", "/api/v1/tasks", "/api/v1/workflows", "/api/v1/workflows/w/trigger"] {
        let message = dev.post(path, &"[".repeat(16 * 1024 * 1024 + 1)).refusal(413, "too-large");
        assert!(message.contains("16777216"), "{path}: {message}");
    }
    assert_eq!(dev.get("/readyz").status, 200);
}

#[test]
fn health_is_plain_and_metrics_are_prometheus_text() {
    let dev = Dev::start(&[]);
    assert_eq!(dev.get("/healthz").body, "ok\n");
    assert_eq!(dev.get("/readyz").body, "ready\n");
    let id = dev.submit("true");
    dev.ended(&id);
    let metrics = dev.get("/metrics");
    assert_eq!(metrics.status, 200);
    for name in [
        "millrace_tasks_dispatched_total",
        "millrace_task_runs_total",
        "millrace_commit_seconds",
        "millrace_partitions_owned",
    ] {
        assert!(metrics.body.contains(name), "{name} is missing in:\n{}", metrics.body);
    }
    assert!(!metrics.body.contains(&id), "a run's id is no label");
}
