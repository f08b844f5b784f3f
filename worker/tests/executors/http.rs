//! Requests to a real server.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Redirect};
use axum::routing::any;
use millrace_domain::Outcome;
use millrace_store::LogStream;
use millrace_worker::stop::StopReason;
use serde_json::{Value, json};

use super::{Bench, task, until};

/// A server on a free port, gone when the test's runtime goes.
async fn server() -> SocketAddr {
    // The program's own `main` does this; here it may have been done by another test.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let routes = Router::new()
        .route("/echo", any(echo))
        .route(
            "/status/{code}",
            any(|Path(code): Path<u16>| async move {
                (StatusCode::from_u16(code).unwrap(), "words ".repeat(100))
            }),
        )
        .route("/big", any(|| async { "x".repeat(100_000) }))
        .route("/slow", any(|| async { tokio::time::sleep(Duration::from_secs(60)).await }))
        .route(
            "/hop/{left}",
            any(|Path(left): Path<u32>| async move {
                if left == 0 {
                    "there".into_response()
                } else {
                    Redirect::temporary(&format!("/hop/{}", left - 1)).into_response()
                }
            }),
        )
        .route("/moved/{code}", any(|Path(code): Path<u16>| async move { moved(code, "/echo") }))
        .route(
            "/trap/{code}",
            any(|Path(code): Path<u16>| async move { moved(code, "http://169.254.169.254/") }),
        )
        .route("/gzip", any(|| async { packed("gzip", gzip(br#"{"packed": true}"#)) }))
        .route("/deflate", any(|| async { packed("deflate", zlib(br#"{"packed": true}"#)) }))
        .route("/bomb", any(|| async { packed("gzip", gzip(&vec![b'x'; 64 << 20])) }))
        .route("/broken", any(|| async { packed("gzip", b"no gzip".to_vec()) }))
        .route("/strange", any(|| async { packed("br", b"\x0b\x02\x80hello\x03".to_vec()) }))
        .route(
            "/gbk",
            any(|| async {
                ([("content-type", "application/json; charset=gbk")], b"\"\xb1\xa8\xb1\xed\"".to_vec())
            }),
        )
        .route(
            "/long",
            any(|| async {
                ([("content-type", "application/json")], r#"{"id": 12345678901234567890123, "n": 1.5}"#)
            }),
        )
        .route("/metadata", any(|| async { Redirect::temporary("http://169.254.169.254/latest/meta-data/") }))
        .route("/mapped", any(|| async { Redirect::temporary("http://[::ffff:169.254.169.254]/") }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    address
}

fn moved(code: u16, to: &str) -> impl IntoResponse + use<> {
    (StatusCode::from_u16(code).unwrap(), [("location", to.to_owned())])
}

fn packed(encoding: &'static str, body: Vec<u8>) -> impl IntoResponse {
    ([("content-type", "application/json"), ("content-encoding", encoding)], body)
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

async fn echo(method: Method, headers: HeaderMap, body: Bytes) -> axum::Json<Value> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    axum::Json(json!({
        "method": method.as_str(),
        "type": header("content-type"),
        "key": header("idempotency-key"),
        "trace": header("traceparent"),
        "custom": header("x-custom"),
        "authorization": header("authorization"),
        "body": String::from_utf8_lossy(&body),
    }))
}

#[tokio::test]
async fn a_request_goes_out_as_written_with_the_key_and_the_trace() {
    let address = server().await;
    let bench = Bench::new();
    let mut task = task(
        "http",
        json!({
            "url": format!("http://{address}/echo?token=hush"), "method": "put", "headers": {"X-Custom": 7},
            "body": {"a": [1]}, "expect": [200],
        }),
    );
    task.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    let ran = bench.run(&task).await;
    assert_eq!((ran.ended.outcome, ran.ended.code), (Outcome::Succeeded, Some(200)), "{}", ran.reason());
    assert_eq!(ran.ended.outputs["status"], 200);
    assert_eq!(ran.ended.outputs["truncated"], false);
    let expected = json!({
        "method": "PUT", "type": "application/json", "key": task.idempotency_key(), "trace": task.traceparent,
        "custom": "7", "authorization": null, "body": "{\"a\":[1]}",
    });
    assert_eq!(ran.ended.outputs["body"], expected);
    let log = ran.text(LogStream::Worker);
    assert!(log.starts_with(&format!("PUT http://{address}/echo: status 200 after ")), "{log}");
}

#[tokio::test]
async fn a_text_is_sent_as_it_is_and_the_method_follows_the_body() {
    let address = server().await;
    let bench = Bench::new();
    let url = format!("http://{address}/echo");
    let ran = bench.run(&task("http", json!({"url": url, "body": "plain"}))).await;
    let body = &ran.ended.outputs["body"];
    assert_eq!(
        (&body["method"], &body["body"], &body["type"]),
        (&json!("POST"), &json!("plain"), &json!(null))
    );
    let ran = bench.run(&task("http", json!({"url": url}))).await;
    assert_eq!(ran.ended.outputs["body"]["method"], "GET");
}

#[tokio::test]
async fn an_unexpected_status_fails_the_task_with_the_beginning_of_the_answer() {
    let address = server().await;
    let bench = Bench::new();
    let ran = bench.run(&task("http", json!({"url": format!("http://{address}/status/503")}))).await;
    assert_eq!((ran.ended.outcome, ran.ended.code), (Outcome::Failed, Some(503)));
    assert!(ran.reason().starts_with("status 503, expected 2xx: words words"), "{}", ran.reason());
    assert!(ran.reason().len() < 250);
    assert_eq!(ran.ended.outputs["status"], 503);
    let with = json!({"url": format!("http://{address}/status/404"), "expect": [200, "4xx"]});
    assert_eq!(bench.run(&task("http", with)).await.ended.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn a_big_answer_is_cut_and_says_so() {
    let address = server().await;
    let ran = Bench::new().run(&task("http", json!({"url": format!("http://{address}/big")}))).await;
    assert_eq!(ran.ended.outcome, Outcome::Succeeded);
    assert_eq!(ran.ended.outputs["truncated"], true);
    assert_eq!(ran.ended.outputs["body"].as_str().unwrap().len(), 64 * 1024);
}

#[tokio::test]
async fn a_packed_answer_is_unpacked_within_the_bound_of_its_output() {
    let address = server().await;
    let bench = Bench::new();
    for path in ["gzip", "deflate"] {
        let ran = bench.run(&task("http", json!({"url": format!("http://{address}/{path}")}))).await;
        assert_eq!(ran.ended.outputs["body"], json!({"packed": true}), "{path}: {}", ran.reason());
    }
    let ran = bench.run(&task("http", json!({"url": format!("http://{address}/bomb")}))).await;
    assert_eq!(ran.ended.outputs["truncated"], true, "{}", ran.reason());
    assert_eq!(ran.ended.outputs["body"], "x".repeat(64 * 1024));
    let head = json!({"url": format!("http://{address}/gzip"), "method": "HEAD"});
    assert_eq!(bench.run(&task("http", head)).await.ended.outcome, Outcome::Succeeded);
    let ran = bench.run(&task("http", json!({"url": format!("http://{address}/broken")}))).await;
    assert_eq!(ran.ended.outcome, Outcome::Failed, "what cannot be unpacked is no answer");
    let ran = bench.run(&task("http", json!({"url": format!("http://{address}/strange")}))).await;
    assert_eq!((ran.ended.outcome, &ran.ended.outputs["body"]), (Outcome::Succeeded, &Value::Null));
    assert!(ran.text(LogStream::Worker).contains("encoded as \"br\""), "{}", ran.text(LogStream::Worker));
}

#[tokio::test]
async fn a_number_of_an_answer_that_is_too_long_is_a_text_with_all_its_digits() {
    let address = server().await;
    let ran = Bench::new().run(&task("http", json!({"url": format!("http://{address}/long")}))).await;
    assert_eq!(ran.ended.outputs["body"], json!({"id": "12345678901234567890123", "n": 1.5}));
}

#[tokio::test]
async fn an_answer_is_read_in_its_charset() {
    let address = server().await;
    let ran = Bench::new().run(&task("http", json!({"url": format!("http://{address}/gbk")}))).await;
    assert_eq!(ran.ended.outputs["body"], "报表", "{}", ran.reason());
}

#[tokio::test]
async fn a_redirect_that_would_drop_the_body_is_refused_unless_it_is_asked_for() {
    let address = server().await;
    let bench = Bench::new();
    let with = |method: &str, code: u16, redirects: Value| json!({"url": format!("http://{address}/moved/{code}"), "method": method, "body": "data", "redirects": redirects});
    for (method, code) in [("POST", 301), ("POST", 302), ("POST", 303), ("PUT", 303), ("DELETE", 303)] {
        let ran = bench.run(&task("http", with(method, code, Value::Null))).await;
        assert_eq!(ran.ended.outcome, Outcome::Failed, "{method} {code}");
        assert!(
            ran.reason().contains(&format!("the answer {code} would turn it into a GET")),
            "{}",
            ran.reason()
        );
        assert!(ran.reason().contains("write `redirects: follow`"), "{}", ran.reason());
        let ran = bench.run(&task("http", with(method, code, json!("follow")))).await;
        let body = &ran.ended.outputs["body"];
        assert_eq!((&body["method"], &body["body"]), (&json!("GET"), &json!("")), "{method} {code}");
    }
    for (method, code) in [("POST", 307), ("POST", 308), ("PUT", 307), ("PUT", 302)] {
        let ran = bench.run(&task("http", with(method, code, Value::Null))).await;
        let body = &ran.ended.outputs["body"];
        assert_eq!((&body["method"], &body["body"]), (&json!(method), &json!("data")), "{method} {code}");
    }
    let mut stop = with("POST", 302, json!("none"));
    stop["expect"] = json!(302);
    assert_eq!(bench.run(&task("http", stop)).await.ended.outputs["status"], 302);
    let get = json!({"url": format!("http://{address}/moved/302")});
    assert_eq!(bench.run(&task("http", get)).await.ended.outputs["body"]["method"], "GET");
    for redirects in [json!("follow"), Value::Null] {
        let trap =
            json!({"url": format!("http://{address}/trap/307"), "method": "POST", "redirects": redirects});
        let ran = bench.run(&task("http", trap)).await;
        assert!(ran.reason().contains("is refused: it is a link-local address"), "{}", ran.reason());
    }
}

#[tokio::test]
async fn redirects_are_followed_up_to_five() {
    let address = server().await;
    let bench = Bench::new();
    let ran = bench.run(&task("http", json!({"url": format!("http://{address}/hop/5")}))).await;
    assert_eq!(ran.ended.outputs["body"], "there");
    let ran = bench.run(&task("http", json!({"url": format!("http://{address}/hop/6")}))).await;
    assert!(ran.reason().contains("more than 5 redirects"), "{}", ran.reason());
}

#[tokio::test]
async fn link_local_and_metadata_addresses_are_refused_directly_and_by_redirect() {
    let address = server().await;
    let bench = Bench::new();
    for url in [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[::ffff:169.254.169.254]/".to_owned(),
        "http://[fd00:ec2::254]/".to_owned(),
        "http://metadata.google.internal/".to_owned(),
        format!("http://{address}/metadata"),
        format!("http://{address}/mapped"),
    ] {
        let ran = bench.run(&task("http", json!({"url": url}))).await;
        assert_eq!(ran.ended.outcome, Outcome::Failed, "{url}");
        assert!(ran.reason().contains("is refused: it is a"), "{url}: {}", ran.reason());
        assert!(ran.took < Duration::from_secs(5), "{url}: nothing was connected to");
    }
}

#[tokio::test]
async fn private_addresses_can_be_refused_also_behind_a_name() {
    let address = server().await;
    let bench = Bench::with(|settings| settings.http.allow_private = false);
    for host in ["127.0.0.1", "localhost"] {
        let ran =
            bench.run(&task("http", json!({"url": format!("http://{host}:{}/echo", address.port())}))).await;
        assert!(ran.reason().contains("does not allow private addresses"), "{}", ran.reason());
    }
}

#[tokio::test]
async fn reasons_and_logs_never_hold_a_password_or_a_query() {
    let address = server().await;
    let bench = Bench::new();
    let ran = bench.run(&task("http", json!({"url": format!("http://u:hush@{address}/echo?k=hush")}))).await;
    assert_eq!(ran.ended.outputs["body"]["authorization"], "Basic dTpodXNo");
    assert!(!ran.text(LogStream::Worker).contains("hush"));
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let ran = bench.run(&task("http", json!({"url": format!("http://u:hush@{closed}/?k=hush")}))).await;
    assert_eq!((ran.ended.outcome, ran.ended.code), (Outcome::Failed, None));
    assert!(ran.reason().contains("refused") && !ran.reason().contains("hush"), "{}", ran.reason());
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_before_it_is_sent() {
    server().await;
    let bench = Bench::new();
    for (with, words) in [
        (json!({}), "needs `url`"),
        (json!({"url": "example.com"}), "`url` must be complete"),
        (json!({"url": "http://x/", "method": "A B"}), "`method`"),
        (json!({"url": "http://x/", "headers": {"a b": "c"}}), "no name for a header"),
        (json!({"url": "http://x/", "headers": {"a": "b\nc: d"}}), "line breaks"),
        (json!({"url": "http://x/", "expect": "fine"}), "is no status"),
        (json!({"url": "http://x/", "redirects": "all"}), "expected follow or none"),
    ] {
        let ran = bench.run(&task("http", with)).await;
        assert!(ran.reason().contains(words), "{words}: {}", ran.reason());
    }
}

#[tokio::test]
async fn a_request_that_is_stopped_ends_at_once() {
    let address = server().await;
    let bench = Bench::new();
    let started = bench.start(&task("http", json!({"url": format!("http://{address}/slow")})));
    let handle = started.handle.clone();
    let asked = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stop = async {
        until("the stop", Duration::from_secs(1), || handle.stop(StopReason::TimedOut)).await;
        asked.store(true, std::sync::atomic::Ordering::SeqCst);
    };
    let (ran, ()) = tokio::join!(started.run(), stop);
    assert_eq!(ran.ended.outcome, Outcome::TimedOut);
    assert!(ran.took < Duration::from_secs(5), "{:?}", ran.took);
}
