//! What people do to a pool: they pause it, so that its workers take nothing new, and let it go on.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use millrace_domain::{Code, PoolName};
use millrace_store::PausedPool;
use serde::Deserialize;
use serde_json::{Value, json};

use super::acts::{check_words, read};
use super::error::{ApiError, ApiResult};
use super::state::Api;
use super::summary::PausedView;

/// Who acts, and why.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PoolBody {
    by: String,
    why: String,
}

impl PoolBody {
    /// Who, and why, as the end of a sentence.
    fn words(&self) -> String {
        let by = if self.by.is_empty() { String::new() } else { format!(" by {}", self.by) };
        let why = if self.why.is_empty() { String::new() } else { format!(": {}", self.why) };
        by + &why
    }
}

/// Pauses a pool.
pub(super) async fn pause(
    State(api): State<Api>,
    Path(pool): Path<String>,
    body: Bytes,
) -> ApiResult<Json<Value>> {
    let (pool, body) = asked(&pool, &body)?;
    metrics::counter!("millrace_acts_total", "act" => "pause_pool").increment(1);
    let words = body.words();
    let paused = PausedPool { pool: pool.clone(), by: body.by, why: body.why, at: api.context.now() };
    if !api.context.store.pause_pool(&paused).await? {
        let known = api.context.store.paused_pools().await?.into_iter().find(|known| known.pool == pool);
        let stands = known.map_or_else(|| format!("pool {pool} is paused"), |known| known.to_string());
        return Err(ApiError::new(Code::WrongState, format!("the pool cannot be paused: {stands} already")));
    }
    let (done, paused) = (format!("pool {pool} was paused{words}"), PausedView::of_pool(&paused));
    Ok(Json(json!({"pool": pool, "paused": paused, "done": done})))
}

/// Lets a paused pool go on.
pub(super) async fn resume(
    State(api): State<Api>,
    Path(pool): Path<String>,
    body: Bytes,
) -> ApiResult<Json<Value>> {
    let (pool, body) = asked(&pool, &body)?;
    metrics::counter!("millrace_acts_total", "act" => "resume_pool").increment(1);
    if !api.context.store.resume_pool(&pool).await? {
        let why = format!("the pool cannot be resumed: pool {pool} is not paused");
        return Err(ApiError::new(Code::WrongState, why));
    }
    tracing::info!(%pool, by = body.by, why = body.why, "the pool is resumed");
    Ok(Json(
        json!({"pool": pool, "paused": null, "done": format!("pool {pool} was resumed{}", body.words())}),
    ))
}

/// The pool that is meant, and who acts, and why.
fn asked(pool: &str, body: &Bytes) -> ApiResult<(PoolName, PoolBody)> {
    let pool = pool
        .parse()
        .map_err(|error: millrace_domain::IdError| ApiError::new(Code::BadField, format!("pool: {error}")))?;
    let body: PoolBody = read(body)?;
    let body = PoolBody { by: body.by.trim().to_owned(), ..body };
    check_words(&body.by, &body.why)?;
    Ok((pool, body))
}
