//! Runs: started, listed, looked at, stopped, and what their tasks said.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use millrace_domain::message::Reply;
use millrace_domain::run::{Head, RunState, Trigger};
use millrace_domain::submission::Submission;
use millrace_domain::{RunId, TaskId, Timestamp};
use millrace_store::{LogChunk, RunQuery, StoredRun};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::{ApiError, ApiResult, created, refused};
use super::routes::Api;
use super::{key, view};
use crate::intake::gateway::digest_of;
use crate::partition::store_full::STORE_FULL;

/// Runs in one page of a list, at most.
const PAGE: usize = 500;

/// What a list may be narrowed to.
const STATES: [RunState; 6] = [
    RunState::Waiting,
    RunState::Running,
    RunState::Succeeded,
    RunState::Failed,
    RunState::TimedOut,
    RunState::Cancelled,
];

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

/// The submissions of a request: one, or an array.
pub(super) enum Submissions {
    One(Box<Submission>),
    Many(Vec<Result<Submission, ApiError>>),
}

/// Reads submissions, with the headers that complete them.
pub(super) fn submissions(headers: &HeaderMap, body: &[u8]) -> ApiResult<Submissions> {
    let error = |e: millrace_domain::submission::SubmissionError| {
        ApiError::from(millrace_domain::message::ReplyError::new(e.code, e.message))
    };
    let is_array = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let key = key::of(headers)?;
    let traceparent = headers.get("traceparent").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut many = Vec::new();
    for (index, parsed) in Submission::parse(body).map_err(error)?.into_iter().enumerate() {
        many.push(parsed.map_err(error).map(|mut submission| {
            if submission.idempotency_key.is_none() {
                submission.idempotency_key = match (&key, is_array) {
                    (Some(key), true) => Some(key.of_part(index)),
                    (key, _) => key.clone(),
                };
            }
            submission.traceparent = submission.traceparent.take().or_else(|| traceparent.clone());
            submission
        }));
    }
    if is_array {
        return Ok(Submissions::Many(many));
    }
    match many.pop() {
        Some(one) => Ok(Submissions::One(Box::new(one?))),
        None => Err(ApiError::bad_request("empty", "expected a submission, or an array of them")),
    }
}

/// Starts a run, and answers once it is committed. A known key with another body is a conflict.
pub(super) async fn start(api: &Api, submission: Submission) -> ApiResult<(RunId, bool)> {
    let submission = placed(api, submission);
    let digest = digest_of(&submission);
    let reply = api.gateway.submit(submission, Trigger::Api).await?;
    check_key(api, &reply, &digest).await?;
    match reply {
        Reply::Run { run_id, duplicate } => Ok((run_id, duplicate)),
        other => Err(refused(other)),
    }
}

/// A submission without the folder that its definition came from, where the workers do not have that folder.
fn placed(api: &Api, submission: Submission) -> Submission {
    let base_dir = submission.base_dir.filter(|_| api.context.options.local_files);
    Submission { base_dir, ..submission }
}

/// Starts many runs: an answer for each, in order.
pub(super) async fn start_many(api: &Api, many: Vec<Result<Submission, ApiError>>) -> ApiResult<Vec<Value>> {
    let mut answers: Vec<Value> = vec![Value::Null; many.len()];
    let mut good = Vec::new();
    let mut places = Vec::new();
    for (index, one) in many.into_iter().enumerate() {
        match one {
            Ok(submission) => {
                good.push(placed(api, submission));
                places.push(index);
            }
            Err(e) => answers[index] = json!({"error": {"code": e.code, "message": e.message}}),
        }
    }
    let digests: Vec<String> = good.iter().map(digest_of).collect();
    let replies = api.gateway.submit_many(good, Trigger::Api).await?;
    for ((place, reply), digest) in places.into_iter().zip(replies).zip(digests) {
        answers[place] = match check_key(api, &reply, &digest).await {
            Ok(()) => serde_json::to_value(reply).unwrap_or_default(),
            Err(e) => json!({"error": {"code": e.code, "message": e.message}}),
        };
    }
    // When nothing of it was taken in, the request as a whole may come again.
    if let Some(first) = answers.first()
        && answers.iter().all(|answer| answer["error"]["code"] == STORE_FULL)
    {
        let message = first["error"]["message"].as_str().unwrap_or_default();
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, STORE_FULL, message));
    }
    Ok(answers)
}

/// A known key with another body is a conflict.
async fn check_key(api: &Api, reply: &Reply, digest: &str) -> ApiResult<()> {
    let Reply::Run { run_id, duplicate: true } = reply else { return Ok(()) };
    let known = load(api, *run_id).await?;
    let head: Head = serde_json::from_str(&known.head).map_err(unreadable)?;
    match head.digest {
        Some(known) if known != digest => {
            let message =
                format!("this idempotency key belongs to run {run_id}, which was asked for otherwise");
            Err(ApiError::new(StatusCode::CONFLICT, "key-conflict", message))
        }
        _ => Ok(()),
    }
}

/// What a list of runs may be narrowed by.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    workflow: Option<String>,
    state: Option<String>,
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
    let workflow =
        workflow.map_err(|e: millrace_domain::IdError| ApiError::bad_request("invalid-name", e.0))?;
    if let Some(state) =
        query.state.as_deref().filter(|state| !STATES.iter().any(|known| known.as_str() == *state))
    {
        let known = STATES.map(RunState::as_str).join(", ");
        return Err(ApiError::bad_request(
            "invalid-state",
            format!("unknown state {state:?}: expected one of {known}"),
        ));
    }
    let mut after = query.cursor.as_deref().map(parse_cursor).transpose()?;
    let mut runs = Vec::new();
    // A state is not indexed: read on until the page is full, within a bound.
    for _ in 0..20 {
        let wanted =
            RunQuery { partitions: api.context.partitions, limit, workflow: workflow.clone(), after };
        let page = api.context.store.list_runs(&wanted).await?;
        let is_last = page.len() < limit;
        for found in page {
            let head: Head = serde_json::from_str(&found.head).map_err(unreadable)?;
            let fits = query.state.as_deref().is_none_or(|state| head.state.as_str() == state);
            after = Some((found.created_at, found.run));
            if fits {
                runs.push(view::summary(found.run, head));
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
    view::say_what_waits(&api.context, &mut runs).await?;
    Ok(Json(json!({"runs": runs, "next_cursor": next})))
}

fn parse_cursor(text: &str) -> ApiResult<(Timestamp, RunId)> {
    let wrong = || ApiError::bad_request("invalid-cursor", "expected a next_cursor of an earlier answer");
    let (at, run) = text.split_once('.').ok_or_else(wrong)?;
    Ok((Timestamp::from_millis(at.parse().map_err(|_| wrong())?), run.parse().map_err(|_| wrong())?))
}

/// One run with its steps.
pub(super) async fn get(State(api): State<Api>, Path(id): Path<String>) -> ApiResult<Json<view::RunView>> {
    let id = parse_id(&id)?;
    let stored = load(&api, id).await?;
    view::run(&api.context, id, &stored).await.map(Json).map_err(unreadable)
}

/// Stops a run.
pub(super) async fn cancel(State(api): State<Api>, Path(id): Path<String>) -> ApiResult<Response> {
    let id = parse_id(&id)?;
    load(&api, id).await?;
    stop(&api, id, "cancelled through the API").await?;
    Ok((StatusCode::ACCEPTED, Json(json!({"run_id": id}))).into_response())
}

/// Stops a run; one that has ended stays as it is.
pub(super) async fn stop(api: &Api, id: RunId, reason: &str) -> ApiResult<()> {
    match api.gateway.cancel(id, reason).await? {
        Reply::Error { error } => Err(error.into()),
        _ => Ok(()),
    }
}

/// Which part of a log.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogQuery {
    step: String,
    attempt: Option<u32>,
    from: Option<u64>,
}

/// A part of a log.
#[derive(Debug, Serialize)]
pub(super) struct LogPage {
    step: String,
    attempt: u32,
    chunks: Vec<LogChunk>,
    next: u64,
}

/// What an attempt of a step wrote, from a chunk on.
pub(super) async fn logs(
    State(api): State<Api>,
    Path(id): Path<String>,
    query: Result<Query<LogQuery>, axum::extract::rejection::QueryRejection>,
) -> ApiResult<Json<LogPage>> {
    let Query(query) = query?;
    let id = parse_id(&id)?;
    let stored = load(&api, id).await?;
    let (step, last) = view::step_of(&api.context, id, &stored, &query.step)
        .await
        .map_err(unreadable)?
        .ok_or_else(|| ApiError::not_found(format!("step {:?} in run {id}", query.step)))?;
    let attempt = query.attempt.unwrap_or(last.max(1));
    let from = query.from.unwrap_or(0);
    let chunks = api.context.store.read_log(TaskId { run: id, step, attempt }, from, 1_000).await?;
    let next = from + chunks.len() as u64;
    Ok(Json(LogPage { step: query.step, attempt, chunks, next }))
}

/// The id in a path.
pub(super) fn parse_id(text: &str) -> ApiResult<RunId> {
    text.parse().map_err(|_| ApiError::not_found(format!("run {text:?} (a run id is a UUID)")))
}

/// A stored run.
pub(super) async fn load(api: &Api, id: RunId) -> ApiResult<StoredRun> {
    if id.partition().0 >= api.context.partitions {
        return Err(ApiError::not_found(format!("run {id}")));
    }
    let stored = api.context.store.load_runs(&[id]).await?.pop().flatten();
    stored.ok_or_else(|| ApiError::not_found(format!("run {id}")))
}

/// What is stored cannot be read.
pub(super) fn unreadable(why: impl std::fmt::Display) -> ApiError {
    tracing::error!(%why, "what is stored cannot be read");
    ApiError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "unreadable",
        format!("what is stored cannot be read: {why}"),
    )
}

/// The body of a trigger: a submission whose workflow is named elsewhere. `None` when it says what to run itself.
pub(super) fn submissions_of_workflow(
    headers: &HeaderMap,
    body: &[u8],
    name: &millrace_domain::WorkflowName,
) -> ApiResult<Option<Submission>> {
    let mut value: Value =
        serde_json::from_slice(body).map_err(|e| ApiError::bad_request("invalid-json", e.to_string()))?;
    millrace_domain::number::check_numbers(body)
        .map_err(|e| ApiError::from(millrace_domain::message::ReplyError::new("bad-field", e.to_string())))?;
    let Some(object) = value.as_object_mut() else {
        return Err(ApiError::bad_request("invalid-json", "expected an object such as {\"params\":{}}"));
    };
    if ["run", "uses", "workflow", "definition"].iter().any(|field| object.contains_key(*field)) {
        return Ok(None);
    }
    object.insert("workflow".to_owned(), Value::String(name.to_string()));
    match submissions(headers, value.to_string().as_bytes())? {
        Submissions::One(submission) => Ok(Some(*submission)),
        Submissions::Many(_) => Ok(None),
    }
}
