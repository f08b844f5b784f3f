//! Runs: started, listed, looked at, stopped, and what their tasks said.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use millrace_domain::message::Reply;
use millrace_domain::run::RunState;
use millrace_domain::{Code, IdError, RunId, TaskId, Timestamp, Unit};
use millrace_store::{LogChunk, RunQuery};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::acts;
use super::error::{ApiError, ApiResult, created, refused};
use super::newer;
use super::state::Api;
use super::submit::{Submissions, start, start_many, submissions};
use super::{view, waits};

/// Runs in one page of a list, at most.
const PAGE: usize = 500;

/// Starts one run, or many from an array.
pub(super) async fn create(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> ApiResult<Response> {
    match submissions(&headers, &body)? {
        Submissions::One(submission) => {
            let (run, duplicate) = start(&api, *submission).await?;
            let status = if duplicate { StatusCode::OK } else { StatusCode::CREATED };
            Ok((status, Json(json!({"run_id": run, "duplicate": duplicate}))).into_response())
        }
        Submissions::Many(many) => Ok(created(start_many(&api, many).await?)),
    }
}

/// The filters of a list of runs.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    workflow: Option<String>,
    state: Option<String>,
    /// Whether runs that are steps of others are listed, too.
    children: Option<bool>,
    /// The run of which, and of whose continuations, only these are listed.
    origin: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// A page of runs, the newest first.
pub(super) async fn list(
    State(api): State<Api>,
    query: Result<Query<ListQuery>, axum::extract::rejection::QueryRejection>,
) -> ApiResult<Json<Value>> {
    let Query(query) = query?;
    let limit = query.limit.unwrap_or(50).clamp(1, PAGE);
    let workflow = query.workflow.map(|name| name.parse()).transpose();
    let workflow = workflow.map_err(|e: IdError| ApiError::bad_request(Code::InvalidName, e.0))?;
    if let Some(state) =
        query.state.as_deref().filter(|state| !RunState::ALL.iter().any(|known| known.as_str() == *state))
    {
        let known = RunState::ALL.map(RunState::as_str).join(", ");
        return Err(ApiError::bad_request(
            Code::InvalidState,
            format!("unknown state {state:?}: expected one of {known}"),
        ));
    }
    let origin = query.origin.as_deref().map(view::parse_id).transpose()?;
    let mut after = query.cursor.as_deref().map(parse_cursor).transpose()?;
    let mut runs = Vec::new();
    // Neither states, nor parents, nor origins are indexed: read on until the page is full, within a bound.
    let is_filtered = query.state.is_some() || query.children == Some(false) || origin.is_some();
    let read = if is_filtered { PAGE } else { limit };
    for _ in 0..20 {
        let wanted =
            RunQuery { partitions: api.context.partitions, limit: read, workflow: workflow.clone(), after };
        let page = api.context.store.list_runs(&wanted).await?;
        let is_last = page.len() < read;
        for found in page {
            after = Some((found.created_at, found.run));
            let run = newer::listed(found);
            let is_of = origin.is_none() || run.origin == origin || Some(run.run) == origin;
            let is_wanted = is_of && (query.children.unwrap_or(true) || run.parent_run_id.is_none());
            if is_wanted && query.state.as_deref().is_none_or(|state| run.state == state) {
                runs.push(run);
            }
            if runs.len() == limit {
                break;
            }
        }
        if is_last && runs.len() < limit {
            after = None;
        }
        if is_last || runs.len() == limit {
            break;
        }
    }
    let next = after.map(|(at, run)| format!("{}.{run}", at.as_millis()));
    waits::say_what_waits(&api.context, &mut runs).await?;
    Ok(Json(json!({"runs": runs, "next_cursor": next})))
}

fn parse_cursor(text: &str) -> ApiResult<(Timestamp, RunId)> {
    let wrong = || ApiError::bad_request(Code::InvalidCursor, "expected a next_cursor of an earlier answer");
    let (at, run) = text.split_once('.').ok_or_else(wrong)?;
    Ok((Timestamp::from_millis(at.parse().map_err(|_| wrong())?), run.parse().map_err(|_| wrong())?))
}

/// Answers one run with its steps.
pub(super) async fn get(State(api): State<Api>, Path(id): Path<String>) -> ApiResult<Json<view::RunView>> {
    let id = view::parse_id(&id)?;
    let stored = view::load(&api.context, id).await?;
    newer::run(&api.context, id, &stored).await.map(Json).map_err(view::unreadable)
}

/// Who stops a run, and why.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CancelBody {
    by: String,
    why: String,
}

impl CancelBody {
    /// The reason that the run and its history keep.
    fn reason(&self) -> String {
        let mut reason = match (self.by.as_str(), self.why.as_str()) {
            ("", "") => return "cancelled through the API".to_owned(),
            ("", _) => "cancelled".to_owned(),
            (by, _) => format!("cancelled by {by}"),
        };
        if !self.why.is_empty() {
            reason.push_str(&format!(": {}", self.why));
        }
        reason
    }
}

/// Stops a run.
pub(super) async fn cancel(
    State(api): State<Api>,
    Path(id): Path<String>,
    body: Bytes,
) -> ApiResult<Response> {
    let asked: CancelBody = acts::read(&body)?;
    acts::check_words(&asked.by, &asked.why)?;
    let id = view::parse_id(&id)?;
    view::load(&api.context, id).await?;
    stop(&api, id, &asked.reason()).await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"run_id": id}))).into_response())
}

/// Who wants a run to go on from where it failed, and why.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RetryBody {
    by: String,
    why: String,
    idempotency_key: Option<String>,
}

/// Has a run that has ended go on from where it failed, as another run.
pub(super) async fn retry(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<Response> {
    let RetryBody { by, why, idempotency_key } = acts::read(&body)?;
    let by = by.trim().to_owned();
    acts::check_words(&by, &why)?;
    let request = acts::request_id(&api, idempotency_key, &headers)?;
    let id = view::parse_id(&id)?;
    view::load(&api.context, id).await?;
    match api.gateway.retry(id, request, by, why).await? {
        Reply::Run { run_id, duplicate } => {
            metrics::counter!("millrace_acts_total", "act" => "retry_run").increment(u64::from(!duplicate));
            let status = if duplicate { StatusCode::OK } else { StatusCode::CREATED };
            let answer = json!({"run_id": run_id, "retry_of": id, "duplicate": duplicate});
            Ok((status, Json(answer)).into_response())
        }
        other => Err(refused(other)),
    }
}

/// Stops a run; one that has ended stays as it is.
pub(super) async fn stop(api: &Api, id: RunId, reason: &str) -> ApiResult<()> {
    match api.gateway.cancel(id, reason).await? {
        Reply::Error { error } => Err(error.into()),
        _ => Ok(()),
    }
}

/// The part of a log that is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogQuery {
    step: String,
    item: Option<u32>,
    attempt: Option<u32>,
    from: Option<u64>,
}

/// A part of a log.
#[derive(Debug, Serialize)]
pub(super) struct LogPage {
    step: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<u32>,
    attempt: u32,
    chunks: Vec<LogChunk>,
    next: u64,
}

/// Answers what an attempt of a step wrote, from a chunk on.
pub(super) async fn logs(
    State(api): State<Api>,
    Path(id): Path<String>,
    query: Result<Query<LogQuery>, axum::extract::rejection::QueryRejection>,
) -> ApiResult<Json<LogPage>> {
    let Query(query) = query?;
    let id = view::parse_id(&id)?;
    let stored = view::load(&api.context, id).await?;
    let run = newer::run(&api.context, id, &stored).await.map_err(view::unreadable)?;
    let (step, last) = view::step_of(&run, &query.step)
        .ok_or_else(|| ApiError::not_found(format!("step {:?} in run {id}", query.step)))?;
    let unit = Unit { step, item: query.item };
    let attempt = query.attempt.unwrap_or(last.max(1));
    let from = query.from.unwrap_or(0);
    // What a step wrote that was carried over is with the run in which it ended.
    let of = run.steps[step.at()].carried_from.unwrap_or(id);
    let chunks = api.context.store.read_log(TaskId { run: of, unit, attempt }, from, 1_000).await?;
    let next = from + chunks.len() as u64;
    Ok(Json(LogPage { step: query.step, item: query.item, attempt, chunks, next }))
}
