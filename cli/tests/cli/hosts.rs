//! The names by which a server is reached.

use crate::binary::millrace;
use crate::dev::Dev;
use crate::http::send;

#[test]
fn a_name_with_dots_is_refused_until_it_is_allowed_whatever_the_token() {
    let dev = Dev::start(&["--token", "s3cret", "--allowed-hosts", "millrace.example.com,other.example"]);
    let get = |host: &str, origin: &str| {
        let token = ("Authorization", "Bearer s3cret");
        let headers = [token, ("Host", host), ("Origin", origin)];
        let headers = if origin.is_empty() { &headers[..2] } else { &headers[..] };
        send(&dev.address, "GET", "/api/v1/runs", headers, b"")
    };
    assert_eq!(get("millrace.example.com", "").status, 200);
    assert_eq!(get("Other.Example:8443", "").status, 200);
    assert_eq!(get("millrace.example.com", "https://millrace.example.com").status, 200);
    get("millrace.example.com", "https://evil.example").refusal(403, "foreign-origin");
    let message = get("evil.example", "").refusal(403, "foreign-host");
    assert!(message.contains("evil.example") && message.contains("MILLRACE_ALLOWED_HOSTS"), "{message}");
    assert_eq!(dev.get("/readyz").status, 200, "addresses need no word");
}

#[test]
fn an_allowed_host_that_is_no_name_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    for role in ["dev", "producer"] {
        let wrong = [role, "--listen", "127.0.0.1:0", "--allowed-hosts", "https://millrace.example.com"];
        millrace(folder.path(), &wrong).with(2).says(&["MILLRACE_ALLOWED_HOSTS", "host name"]);
    }
}
