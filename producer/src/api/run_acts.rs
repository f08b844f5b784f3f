//! What people do to a run as a whole: they pause it, let it go on, or change its priority.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use millrace_domain::message::Reply;
use millrace_domain::run::{RunAct, RunDeed};
use millrace_domain::{Code, Priority, RunId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::acts::{check_words, read, request_id};
use super::error::{ApiError, ApiResult, refused};
use super::state::Api;
use super::view;

/// Who acts, and why.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RunActBody {
    by: String,
    why: String,
    idempotency_key: Option<String>,
}

/// The same, with the priority that the run gets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PriorityBody {
    priority: Value,
    #[serde(default)]
    by: String,
    #[serde(default)]
    why: String,
    idempotency_key: Option<String>,
}

/// Pauses a run.
pub(super) async fn pause(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<Json<Value>> {
    act(&api, &id, &headers, read(&body)?, RunDeed::Pause).await
}

/// Lets a paused run go on.
pub(super) async fn resume(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<Json<Value>> {
    act(&api, &id, &headers, read(&body)?, RunDeed::Resume).await
}

/// Gives a run another priority.
pub(super) async fn priority(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<Json<Value>> {
    let PriorityBody { priority, by, why, idempotency_key } = read(&body)?;
    let priority: Priority = serde_json::from_value(priority)
        .map_err(|error| ApiError::new(Code::BadField, format!("priority: {error}")))?;
    let deed = RunDeed::Priority { priority };
    act(&api, &id, &headers, RunActBody { by, why, idempotency_key }, deed).await
}

async fn act(
    api: &Api,
    id: &str,
    headers: &HeaderMap,
    body: RunActBody,
    deed: RunDeed,
) -> ApiResult<Json<Value>> {
    let RunActBody { by, why, idempotency_key } = body;
    let by = by.trim().to_owned();
    check_words(&by, &why)?;
    let id = view::parse_id(id)?;
    view::load(&api.context, id).await?;
    let act = RunAct { id: request_id(api, idempotency_key, headers)?, deed, by, why };
    metrics::counter!("millrace_acts_total", "act" => deed.as_str()).increment(1);
    let told = format!("{id} was {act}");
    match api.gateway.run_act(id, act).await? {
        Reply::Run { .. } => {
            let children = if deed == RunDeed::Pause { children(api, id).await? } else { Vec::new() };
            Ok(Json(json!({"run_id": id, "done": told, "children": children})))
        }
        other => Err(refused(other)),
    }
}

/// The runs that are steps of a run and have not ended, as far as it knows: they are runs of their own, and go on.
async fn children(api: &Api, id: RunId) -> ApiResult<Vec<RunId>> {
    let stored = view::load(&api.context, id).await?;
    let run = view::restored(&api.context, id, &stored).await.map_err(view::unreadable)?;
    let partitions = api.context.partitions;
    let task = |(unit, attempt)| millrace_domain::TaskId { run: id, unit, attempt };
    let open = run.children().map(|(unit, attempts, _)| (unit, attempts.attempt));
    Ok(open.map(|attempt| task(attempt).child(partitions)).collect())
}
