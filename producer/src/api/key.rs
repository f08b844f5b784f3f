//! The `Idempotency-Key` header: of any POST it can be read, or the request is refused.

use axum::extract::Request;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use millrace_domain::Code;
use millrace_domain::submission::IdempotencyKey;

use super::error::{ApiError, ApiResult};

const HEADER: &str = "idempotency-key";

/// The key of a request. An empty one is none.
pub(super) fn of(headers: &HeaderMap) -> ApiResult<Option<IdempotencyKey>> {
    let mut given = headers.get_all(HEADER).iter();
    let Some(key) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(ApiError::bad_request(Code::BadField, "Idempotency-Key: expected one, not several"));
    }
    IdempotencyKey::given(key.as_bytes())
        .map_err(|error| ApiError::bad_request(error.code, format!("Idempotency-Key: {}", error.message)))
}

/// Refuses a POST whose key cannot be read. A key that is passed over would promise what nobody keeps.
pub(super) async fn check(request: Request, next: Next) -> Response {
    if request.method() == Method::POST
        && let Err(error) = of(request.headers())
    {
        return error.into_response();
    }
    next.run(request).await
}
