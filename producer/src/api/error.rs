//! How the API says no: `{"error":{"code","message","details"}}`.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use millrace_domain::message::{Reply, ReplyError};
use millrace_domain::{Code, WireCode};
use millrace_store::StoreError;
use serde::Serialize;
use serde_json::{Value, json};

use super::state::BODY_BYTES;
use crate::intake::gateway::Unavailable;

/// When to try again what could not be done now, in seconds.
const RETRY_AFTER_S: &str = "5";

/// A refusal of the API.
#[derive(Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: WireCode,
    pub(crate) message: String,
    pub(crate) details: Option<Value>,
}

/// The result of a handler.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    /// A refusal with the status of its code.
    pub(crate) fn new(code: impl Into<WireCode>, message: impl Into<String>) -> Self {
        let code = code.into();
        let status = StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
        Self { status, code, message: message.into(), details: None }
    }

    pub(crate) fn not_found(what: impl std::fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("there is no {what}"))
    }

    /// A refusal of the request's form, with 400 in place of the status of its code.
    pub(crate) fn bad_request(code: Code, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, ..Self::new(code, message) }
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
        Self::new(error.code, error.message)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "a request could not be answered");
        Self::new(Code::StoreUnavailable, error.to_string())
    }
}

impl From<Unavailable> for ApiError {
    fn from(error: Unavailable) -> Self {
        let code = match error {
            Unavailable::Late => Code::Unavailable,
            Unavailable::Blocked(_) => Code::BrokerBlocked,
        };
        Self::new(code, error.to_string())
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            status => Self { status, ..Self::new(Code::InvalidJson, rejection.body_text()) },
        }
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(Code::InvalidQuery, rejection.body_text())
    }
}

/// A JSON body whose refusal looks like every other.
#[derive(FromRequest)]
#[from_request(via(Json), rejection(ApiError))]
pub(crate) struct Body<T>(pub(crate) T);

fn too_large() -> ApiError {
    let message = format!("expected a body of at most {BODY_BYTES} bytes; submit in chunks");
    ApiError::new(Code::TooLarge, message)
}

/// Says what the framework refuses by itself (a method, a body over its bound, a path that is no text) as
/// everything else is refused.
pub(super) async fn as_api_errors(request: Request, next: Next) -> Response {
    let asked = format!("{} {}", request.method(), request.uri().path());
    let response = next.run(request).await;
    let content_type = response.headers().get(header::CONTENT_TYPE);
    // The framework answers with plain text.
    let is_one =
        |kind: &[u8]| [&b"application/json"[..], b"text/html"].iter().any(|ours| kind.starts_with(ours));
    let is_ours = content_type.is_some_and(|kind| is_one(kind.as_bytes()));
    match response.status() {
        status if !status.is_client_error() || is_ours => response,
        StatusCode::METHOD_NOT_ALLOWED => {
            let allowed = response.headers().get(header::ALLOW).and_then(|allowed| allowed.to_str().ok());
            let allowed = allowed.unwrap_or_default().replace(',', ", ");
            let message = format!("{asked}: expected one of the methods {allowed}");
            let mut refusal = ApiError::new(Code::WrongMethod, message).into_response();
            if let Some(allowed) = response.headers().get(header::ALLOW) {
                refusal.headers_mut().insert(header::ALLOW, allowed.clone());
            }
            refusal
        }
        StatusCode::PAYLOAD_TOO_LARGE => too_large().into_response(),
        status => {
            let refusal = ApiError::new(Code::BadRequest, format!("{asked}: the request cannot be read"));
            ApiError { status, ..refusal }.into_response()
        }
    }
}

/// A reply of the loop that must be about a run.
pub(crate) fn refused(reply: Reply) -> ApiError {
    match reply {
        Reply::Error { error } => error.into(),
        other => {
            tracing::error!(?other, "an answer of the wrong kind");
            ApiError::new(Code::Internal, "an answer of the wrong kind")
        }
    }
}

/// A created resource.
pub(crate) fn created(body: impl Serialize) -> Response {
    (StatusCode::CREATED, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_a_status_of_http_that_refuses() {
        for code in Code::ALL {
            let error = ApiError::new(*code, "");
            assert_eq!(error.status.as_u16(), code.http_status(), "{code}");
            assert!(error.status.is_client_error() || error.status.is_server_error(), "{code}");
        }
    }

    #[test]
    fn the_server_refuses_a_slow_body_with_a_code_of_the_api() {
        let answer: Value = serde_json::from_str(millrace_runtime::http::SLOW_BODY).unwrap();
        assert_eq!(answer["error"]["code"].as_str().unwrap().parse(), Ok(Code::SlowBody));
        assert_eq!(Code::SlowBody.http_status(), StatusCode::REQUEST_TIMEOUT.as_u16());
    }

    #[test]
    fn a_refusal_by_a_newer_version_keeps_its_code() {
        let error = json!({"code": "of-tomorrow", "message": "expected more"});
        let error = ApiError::from(serde_json::from_value::<ReplyError>(error).unwrap());
        assert_eq!((error.status, error.code.as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "of-tomorrow"));
    }
}
