//! How the API says no: `{"error":{"code","message","details"}}`.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use millrace_domain::message::{Reply, ReplyError};
use millrace_store::StoreError;
use serde::Serialize;
use serde_json::{Value, json};

use super::state::BODY_BYTES;
use crate::intake::gateway::Unavailable;
use crate::partition::answer::{NEWER_VERSION, STORE_FULL};

/// When to try again what could not be done now, in seconds.
const RETRY_AFTER_S: &str = "5";

/// A refusal.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) details: Option<Value>,
}

/// What a handler gives.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), details: None }
    }

    pub(crate) fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", format!("there is no {what}"))
    }

    pub(crate) fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(details) = self.details {
            error["details"] = details;
        }
        let mut response = (self.status, Json(json!({ "error": error }))).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        response
    }
}

impl From<ReplyError> for ApiError {
    fn from(error: ReplyError) -> Self {
        let status = match error.code.as_str() {
            "unknown-workflow" => StatusCode::NOT_FOUND,
            "too-large" => StatusCode::PAYLOAD_TOO_LARGE,
            "invalid-json" => StatusCode::BAD_REQUEST,
            STORE_FULL | NEWER_VERSION => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, &error.code, error.message)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "a request could not be answered");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "store-unavailable", error.to_string())
    }
}

impl From<Unavailable> for ApiError {
    fn from(error: Unavailable) -> Self {
        let code = match error {
            Unavailable::Late => "unavailable",
            Unavailable::Blocked(_) => "broker-blocked",
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, error.to_string())
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            status => Self::new(status, "invalid-json", rejection.body_text()),
        }
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request("invalid-query", rejection.body_text())
    }
}

/// A JSON body whose refusal looks like every other.
#[derive(FromRequest)]
#[from_request(via(Json), rejection(ApiError))]
pub(crate) struct Body<T>(pub(crate) T);

fn too_large() -> ApiError {
    let message = format!("expected a body of at most {BODY_BYTES} bytes; submit in chunks");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", message)
}

/// Says what the framework refuses by itself (a method, a body over its bound, a path that is no text) as
/// everything else is refused.
pub(super) async fn in_our_words(request: Request, next: Next) -> Response {
    let asked = format!("{} {}", request.method(), request.uri().path());
    let response = next.run(request).await;
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let is_ours = content_type.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    match response.status() {
        status if !status.is_client_error() || is_ours => response,
        StatusCode::METHOD_NOT_ALLOWED => {
            let allowed = response.headers().get(header::ALLOW).and_then(|allowed| allowed.to_str().ok());
            let allowed = allowed.unwrap_or_default().replace(',', ", ");
            let message = format!("{asked}: expected one of the methods {allowed}");
            let mut refusal =
                ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", message).into_response();
            if let Some(allowed) = response.headers().get(header::ALLOW) {
                refusal.headers_mut().insert(header::ALLOW, allowed.clone());
            }
            refusal
        }
        StatusCode::PAYLOAD_TOO_LARGE => too_large().into_response(),
        status => ApiError::new(status, "bad-request", format!("{asked}: the request cannot be read"))
            .into_response(),
    }
}

/// A reply of the loop that must be about a run.
pub(crate) fn refused(reply: Reply) -> ApiError {
    match reply {
        Reply::Error { error } => error.into(),
        other => {
            tracing::error!(?other, "an answer of the wrong kind");
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "an answer of the wrong kind")
        }
    }
}

/// A created resource.
pub(crate) fn created(body: impl Serialize) -> Response {
    (StatusCode::CREATED, Json(body)).into_response()
}
