//! HTTP by hand: every header is what the test says, and nothing else.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The status line and the headers, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// Panics unless the status is `status`; returns the body as JSON.
    #[track_caller]
    pub(crate) fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("not JSON: {e}\n{}", self.body))
    }

    /// Panics unless the answer is a refusal with this status and code; returns its message.
    #[track_caller]
    pub(crate) fn refusal(&self, status: u16, code: &str) -> String {
        let error = &self.json(status)["error"];
        assert_eq!(error["code"], code, "{}", self.body);
        let message = error["message"].as_str().unwrap_or_default().to_owned();
        assert!(!message.is_empty(), "a refusal without a message: {}", self.body);
        message
    }
}

/// Sends a request with exactly these headers beside Host (unless given) and Content-Length.
pub(crate) fn send(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str(&format!("Host: {address}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    // A server may refuse a body before it has read all of it.
    let _ = stream.write_all(body);
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) =
        text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer ({read:?}): {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "a body of unknown length: {head}");
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

/// Sends a GET.
pub(crate) fn get(address: &str, path: &str) -> Answer {
    send(address, "GET", path, &[], b"")
}

/// Sends a POST of a JSON text.
pub(crate) fn post(address: &str, path: &str, body: &str) -> Answer {
    send(address, "POST", path, &[("Content-Type", "application/json")], body.as_bytes())
}

/// Sends a POST of a JSON text under an idempotency key.
pub(crate) fn post_keyed(address: &str, path: &str, key: &str, body: &str) -> Answer {
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key)];
    send(address, "POST", path, &headers, body.as_bytes())
}
