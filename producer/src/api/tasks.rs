//! The four calls of a simple task API: create, status, execute, stop. An id is a run's, or a scheduled task's name;
//! it serves all of them. Beside them, `POST /tasks` takes submissions, one or an array.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use millrace_domain::definition;
use millrace_domain::message::Reply;
use millrace_domain::run::{Head, Source, Spec};
use millrace_domain::submission::Submission;
use millrace_domain::{Code, PartitionId, RunId, Timestamp, WorkflowId};
use millrace_store::RunQuery;
use serde_json::{Value, json};

use super::error::{ApiError, ApiResult, created, refused};
use super::key;
use super::newer;
use super::runs;
use super::simple::{SimpleTask, is_simple};
use super::state::Api;
use super::submit::{self, Submissions};
use super::view;
use super::workflows::check_name;
use crate::workflow_head::WorkflowHead;

/// Runs that are looked at in one trip.
const PAGE: usize = 500;

/// Runs that are being stopped at the same time: they share commits.
const AT_ONCE: usize = 256;

/// Creates a task: with a schedule it stores a workflow of one step, without one it starts a run.
pub(super) async fn create(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> ApiResult<Response> {
    if let Ok(Value::Object(object)) = serde_json::from_slice(&body)
        && SimpleTask::is_meant(&object)
    {
        return create_simple(&api, &headers, SimpleTask::read(&object)?).await;
    }
    match submit::submissions(&headers, &body)? {
        Submissions::One(submission) => {
            let (id, duplicate) = submit::start(&api, *submission).await?;
            Ok(answer(status_of(&api, id).await?, duplicate))
        }
        Submissions::Many(many) => Ok(created(submit::start_many(&api, many).await?)),
    }
}

async fn create_simple(api: &Api, headers: &HeaderMap, task: SimpleTask) -> ApiResult<Response> {
    let name = task.name.clone();
    check_name(&name)?;
    let Some(schedule) = &task.schedule else {
        let submission = Submission {
            run: Some(task.command),
            timeout: task.timeout,
            idempotency_key: key::of(headers)?,
            labels: [("name".to_owned(), name.to_string())].into(),
            ..Submission::default()
        };
        let (id, duplicate) = submit::start(api, submission).await?;
        return Ok(answer(status_of(api, id).await?, duplicate));
    };
    let source = task.definition(schedule);
    let parsed = definition::parse(&source, "task").map_err(|problems| {
        let mut error = ApiError::new(Code::InvalidDefinition, problems.to_string());
        error.details = serde_json::to_value(&problems).ok();
        error
    })?;
    keep_others(api, &name).await?;
    for one in parsed {
        match api.gateway.apply(Arc::new(one.workflow), one.source, None).await? {
            Reply::Workflow { .. } => {}
            other => return Err(refused(other)),
        }
    }
    Ok(created(json!({"id": name, "status": "scheduled"})))
}

/// A status, as created or as known already under this key.
fn answer(status: Value, duplicate: bool) -> Response {
    let code = if duplicate { StatusCode::OK } else { StatusCode::CREATED };
    (code, Json(status)).into_response()
}

/// Refuses to replace a workflow that says more than a simple task can.
async fn keep_others(api: &Api, name: &WorkflowId) -> ApiResult<()> {
    let home = PartitionId::home_of(name, api.context.partitions);
    let Some(stored) = api.context.store.load_workflow(home, name, None).await? else { return Ok(()) };
    let head: WorkflowHead = serde_json::from_str(&stored.head).map_err(view::unreadable)?;
    if head.deleted || is_simple(&stored.source) {
        return Ok(());
    }
    let message = format!(
        "there is a workflow {name} that was not made by this call: choose another name, change it with POST \
         /api/v1/workflows, or delete it first"
    );
    Err(ApiError::new(Code::NameConflict, message))
}

/// How a task stands: its run, or the last run of a scheduled one.
pub(super) async fn status(State(api): State<Api>, Path(id): Path<String>) -> ApiResult<Json<Value>> {
    if let Ok(run) = id.parse::<RunId>() {
        return status_of(&api, run).await.map(Json);
    }
    let name = stored(&api, &id).await?;
    let mut status = match runs_of(&api, &name, None, 1).await?.pop() {
        Some((run, _)) => status_of(&api, run).await?,
        None => json!({"status": "scheduled"}),
    };
    status["id"] = id.into();
    Ok(Json(status))
}

/// Starts it once more.
pub(super) async fn execute(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let submission = match id.parse::<RunId>() {
        Ok(run) => {
            let stored = view::load(&api.context, run).await?;
            let spec: Spec = serde_json::from_str(&stored.definition).map_err(view::unreadable)?;
            let params = spec.params;
            match spec.source {
                Source::Adhoc(submission) => {
                    Submission { idempotency_key: None, delay: None, at: None, ..*submission }
                }
                Source::Stored { workflow, .. } => {
                    Submission { workflow: Some(workflow), params, ..Submission::default() }
                }
                Source::Inline(definition) => Submission {
                    definition: Some(definition),
                    base_dir: spec.base_dir,
                    params,
                    ..Submission::default()
                },
            }
        }
        Err(_) => Submission { workflow: Some(stored(&api, &id).await?), ..Submission::default() },
    };
    let submission = Submission { idempotency_key: key::of(&headers)?, ..submission };
    let (run, duplicate) = submit::start(&api, submission).await?;
    let mut status = status_of(&api, run).await?;
    if id.parse::<RunId>().is_err() {
        status["id"] = id.into();
    }
    Ok(answer(status, duplicate))
}

/// Stops what runs of it.
pub(super) async fn stop(State(api): State<Api>, Path(id): Path<String>) -> ApiResult<Response> {
    let reason = "stopped through the API";
    if let Ok(run) = id.parse::<RunId>() {
        view::load(&api.context, run).await?;
        runs::stop(&api, run, reason).await?;
        return Ok((StatusCode::ACCEPTED, Json(status_of(&api, run).await?)).into_response());
    }
    let name = stored(&api, &id).await?;
    let (mut stopped, mut stopping) = (0_usize, 0_usize);
    let mut after = None;
    loop {
        let page = runs_of(&api, &name, after, PAGE).await?;
        let is_last = page.len() < PAGE;
        after = page.last().map(|(run, head)| (head.created_at, *run));
        let open = page.into_iter().filter(|(_, head)| !head.state.is_terminal());
        let (known, new): (Vec<_>, Vec<_>) = open.partition(|(_, head)| head.stopping.is_some());
        stopping += known.len();
        stopped += new.len();
        let asked = new.into_iter().map(|(run, _)| runs::stop(&api, run, reason));
        let mut answers = stream::iter(asked).buffer_unordered(AT_ONCE);
        while let Some(answer) = answers.next().await {
            answer?;
        }
        if is_last {
            break;
        }
    }
    let status = if stopped + stopping > 0 { "stopping" } else { "stopped" };
    let answer = json!({"id": id, "status": status, "stopped_runs": stopped, "still_stopping": stopping});
    Ok((StatusCode::ACCEPTED, Json(answer)).into_response())
}

/// A scheduled task that is there.
async fn stored(api: &Api, id: &str) -> ApiResult<WorkflowId> {
    let name: WorkflowId = id.parse().map_err(|_| ApiError::not_found(format!("task {id:?}")))?;
    let context = &api.context;
    let found = context.definitions.current(&*context.store, context.partitions, [name.clone()]).await?;
    if found.contains_key(&name) { Ok(name) } else { Err(ApiError::not_found(format!("task {id:?}"))) }
}

/// Runs of a workflow, the newest first, from one on.
async fn runs_of(
    api: &Api,
    name: &WorkflowId,
    after: Option<(Timestamp, RunId)>,
    limit: usize,
) -> ApiResult<Vec<(RunId, Head)>> {
    let query = RunQuery { partitions: api.context.partitions, limit, workflow: Some(name.clone()), after };
    let mut runs = Vec::new();
    for found in api.context.store.list_runs(&query).await? {
        runs.push((found.run, serde_json::from_str(&found.head).map_err(view::unreadable)?));
    }
    Ok(runs)
}

async fn status_of(api: &Api, run: RunId) -> ApiResult<Value> {
    let stored = view::load(&api.context, run).await?;
    let shown = newer::summary(run, &stored.head, None).map_err(view::unreadable)?;
    let mut status = json!({"id": run, "status": shown.state, "run_id": run, "workflow": shown.workflow});
    if let Some(reason) = shown.reason {
        status["reason"] = reason.into();
    }
    if let Some(ended) = shown.ended_at {
        status["ended_at"] = ended.into();
    }
    Ok(status)
}
