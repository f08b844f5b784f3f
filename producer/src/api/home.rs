//! What a browser finds at `/`: a plain page that says what is here.

use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};

use super::health;
use super::state::Api;

/// Lists that a browser can show as they are.
const LISTS: [(&str, &str); 6] = [
    ("/api/v1/runs", "runs, the newest first"),
    ("/api/v1/workflows", "stored workflows"),
    ("/api/v1/workers", "workers"),
    ("/api/v1/locks", "locks that somebody holds, or waits for"),
    ("/api/v1/queues", "what waits in each pool"),
    ("/metrics", "metrics, Prometheus text"),
];

/// Documents of the source tree.
const DOCUMENTS: [&str; 5] =
    ["docs/api.md", "docs/cli.md", "docs/definitions.md", "docs/configuration.md", "docs/operations.md"];

/// Nothing but what is in the page itself.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

/// The page.
pub(super) async fn page(state: State<Api>) -> Response {
    let is_ready = health::ready(state).await.status().is_success();
    let readiness = if is_ready { "ready" } else { "not ready" };
    let version = env!("CARGO_PKG_VERSION");
    let lists: String =
        LISTS.iter().map(|(path, what)| format!("<li><a href=\"{path}\">{path}</a>: {what}\n")).collect();
    let page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Millrace</title>\n\
         <style>body{{font:16px/1.5 sans-serif;max-width:40em;margin:2em auto;padding:0 1em}}</style>\n\
         <h1>Millrace {version}</h1>\n<p>This producer is <a href=\"/readyz\">{readiness}</a>.\n\
         <ul>\n{lists}</ul>\n\
         <p>On the command line: <code>millrace runs list</code>, <code>millrace submit --follow -- echo hello</code>.\n\
         <p>Documentation, in the source tree: {documents}.\n</html>\n",
        documents = DOCUMENTS.join(", "),
    );
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(page)).into_response()
}
