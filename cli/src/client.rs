//! Talks to a producer: over HTTP, or to the one in this process. Both answer the same.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use millrace_domain::Code;
use millrace_runtime::config::Settings;
use serde_json::Value;
use tower::ServiceExt;

use crate::error::CliError;
use crate::options::{Common, Servers};
use crate::token;

/// The producer that a command talks to when none is named.
pub(crate) const DEFAULT_SERVER: &str = "http://127.0.0.1:7070";

/// A client of one producer.
#[derive(Clone)]
pub(crate) enum Client {
    /// The producer is reached over HTTP.
    Remote { http: reqwest::Client, base: String, token: Option<String> },
    /// The producer is in this process.
    Local { router: Router, token: Option<String> },
}

/// The most bytes of an answer that are read.
const ANSWER_BYTES: usize = 256 * 1024 * 1024;

impl Client {
    /// A client of the producer that is named, or else of the one on this machine.
    pub(crate) fn of(common: &Common) -> Result<Self, CliError> {
        let settings = common.settings(&Servers::default())?;
        match Self::named(&settings)? {
            Some(client) => Ok(client),
            None => Self::remote(DEFAULT_SERVER, token::find(&settings)),
        }
    }

    /// A client of the producer that the settings name, if they name one.
    pub(crate) fn named(settings: &Settings) -> Result<Option<Self>, CliError> {
        let Some(server) = &settings.server else { return Ok(None) };
        Self::remote(server, token::find(settings)).map(Some)
    }

    /// A client of the producer at `server`.
    fn remote(server: &str, token: Option<String>) -> Result<Self, CliError> {
        let base = server.trim_end_matches('/').to_owned();
        if !base.starts_with("http://") && !base.starts_with("https://") {
            return Err(CliError::Usage(format!(
                "MILLRACE_SERVER: {base:?} is not a URL such as http://127.0.0.1:7070"
            )));
        }
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(std::time::Duration::from_secs(5))
            .timeout(std::time::Duration::from_secs(60))
            .build()
            .map_err(CliError::failed)?;
        Ok(Self::Remote { http, base, token })
    }

    /// The address of the server, when it is another process.
    pub(crate) fn address(&self) -> Option<&str> {
        match self {
            Self::Local { .. } => None,
            Self::Remote { base, .. } => Some(base),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value, CliError> {
        self.call(Method::GET, path, None, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        self.call(Method::POST, path, Some(body), None).await
    }

    pub(crate) async fn post_keyed(
        &self,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Result<Value, CliError> {
        self.call(Method::POST, path, Some(body), key).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Value, CliError> {
        self.call(Method::DELETE, path, None, None).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<Value, CliError> {
        let (status, bytes) = match self {
            Self::Local { router, token } => {
                let mut request =
                    Request::builder().method(method).uri(path).header(header::HOST, "localhost");
                if body.is_some() {
                    request = request.header(header::CONTENT_TYPE, "application/json");
                }
                if let Some(token) = token {
                    request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
                }
                if let Some(key) = key {
                    request = request.header("idempotency-key", key);
                }
                let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
                let request = request.body(body).map_err(CliError::failed)?;
                let response = router.clone().oneshot(request).await.map_err(CliError::failed)?;
                let status = response.status();
                let bytes = axum::body::to_bytes(response.into_body(), ANSWER_BYTES).await;
                (status, bytes.map_err(CliError::failed)?)
            }
            Self::Remote { http, base, token } => {
                let mut request = http.request(method, format!("{base}{path}"));
                if let Some(token) = token {
                    request = request.bearer_auth(token);
                }
                if let Some(key) = key {
                    request = request.header("idempotency-key", key);
                }
                if let Some(body) = body {
                    request = request.json(body);
                }
                let response = request.send().await.map_err(|error| unreachable(base, &error))?;
                let status = response.status();
                (status, response.bytes().await.map_err(|error| unreachable(base, &error))?)
            }
        };
        if status.is_success() {
            return serde_json::from_slice(&bytes)
                .map_err(|e| CliError::Failed(format!("the producer's answer is not JSON: {e}")));
        }
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let message = answer["error"]["message"].as_str().map_or_else(
            || {
                format!(
                    "the producer answered {status}: {}",
                    String::from_utf8_lossy(&bytes[..bytes.len().min(200)])
                )
            },
            str::to_owned,
        );
        let code = answer["error"]["code"].as_str().and_then(|code| code.parse().ok());
        Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => CliError::Unauthorized(message),
            StatusCode::NOT_FOUND => CliError::NotFound(message),
            // A name in a file is part of the definition, not of the command.
            _ if code == Some(Code::InvalidName) => CliError::Failed(message),
            StatusCode::BAD_REQUEST => CliError::Usage(message),
            _ if matches!(code, Some(Code::BadField | Code::InvalidParams)) => CliError::Usage(message),
            _ => CliError::Failed(message),
        })
    }
}

fn unreachable(base: &str, error: &reqwest::Error) -> CliError {
    let mut why: &dyn std::error::Error = error;
    while let Some(source) = why.source() {
        why = source;
    }
    CliError::Failed(format!(
        "no producer answers at {base} ({why}); start one with `millrace dev`, or name it with --server or MILLRACE_SERVER"
    ))
}

/// Writes a text as one part of a path.
pub(crate) fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

/// The path of a run.
pub(crate) fn run_path(id: &str) -> String {
    format!("/api/v1/runs/{}", segment(id))
}
