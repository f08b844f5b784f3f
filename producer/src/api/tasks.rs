//! The four calls of a simple task API: create, status, execute, stop. An id is a run's, or a scheduled task's name;
//! it serves all of them. Beside them, `POST /tasks` takes submissions, one or an array.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use millrace_domain::definition;
use millrace_domain::message::Reply;
use millrace_domain::run::{Head, Source, Spec};
use millrace_domain::submission::Submission;
use millrace_domain::{RunId, WorkflowName};
use millrace_store::RunQuery;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{ApiError, ApiResult, created, refused};
use super::key;
use super::routes::Api;
use super::runs::{self, Submissions};
use super::workflows::parse_name;

/// A simple task.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SimpleTask {
    name: String,
    command: String,
    #[serde(default)]
    schedule: Option<String>,
    #[serde(default)]
    timezone: Option<String>,
    /// Seconds, or a duration such as `"1h"`.
    #[serde(default)]
    timeout: Option<Value>,
}

impl SimpleTask {
    fn timeout(&self) -> ApiResult<Option<String>> {
        match &self.timeout {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(seconds)) if seconds.as_u64().is_some_and(|s| s > 0) => {
                Ok(Some(format!("{seconds}s")))
            }
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(ApiError::bad_request(
                "bad-field",
                format!(
                    "timeout: {other} is neither a number of seconds above 0 nor a duration such as \"1h\""
                ),
            )),
        }
    }
}

/// Creates a task: with a schedule it stores a workflow of one step, without one it starts a run.
pub(super) async fn create(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> ApiResult<Response> {
    let value: Result<Value, _> = serde_json::from_slice(&body);
    let is_simple = matches!(&value, Ok(Value::Object(object)) if object.contains_key("command"));
    if let (true, Ok(value)) = (is_simple, value) {
        let task: SimpleTask = serde_json::from_value(value).map_err(|e| {
            ApiError::bad_request("bad-field", format!("{e}; expected name, command, schedule, timeout"))
        })?;
        return create_simple(&api, &headers, task).await;
    }
    match runs::submissions(&headers, &body)? {
        Submissions::One(submission) => {
            let (id, duplicate) = runs::start(&api, *submission).await?;
            Ok(answer(status_of(&api, id).await?, duplicate))
        }
        Submissions::Many(many) => Ok(created(runs::start_many(&api, many).await?)),
    }
}

async fn create_simple(api: &Api, headers: &HeaderMap, task: SimpleTask) -> ApiResult<Response> {
    let name: WorkflowName = parse_name(&task.name)?;
    let timeout = task.timeout()?;
    let Some(schedule) = task.schedule else {
        let submission = Submission {
            run: Some(task.command),
            timeout,
            idempotency_key: key::of(headers)?,
            labels: [("name".to_owned(), name.to_string())].into(),
            ..Submission::default()
        };
        let (id, duplicate) = runs::start(api, submission).await?;
        return Ok(answer(status_of(api, id).await?, duplicate));
    };
    let mut step = json!({"name": "task", "run": task.command});
    if let Some(timeout) = timeout {
        step["timeout"] = timeout.into();
    }
    let mut document = json!({"name": name, "schedule": schedule, "steps": [step]});
    if let Some(timezone) = task.timezone {
        document["timezone"] = timezone.into();
    }
    let source = format!("{document:#}");
    let parsed = definition::parse(&source, "task").map_err(|problems| {
        let mut error =
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-definition", problems.to_string());
        error.details = serde_json::to_value(&problems).ok();
        error
    })?;
    for one in parsed {
        match api.gateway.apply(one.workflow, one.source, None).await? {
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

/// How a task stands: its run, or the last run of a scheduled one.
pub(super) async fn status(State(api): State<Api>, Path(id): Path<String>) -> ApiResult<Json<Value>> {
    if let Ok(run) = id.parse::<RunId>() {
        return status_of(&api, run).await.map(Json);
    }
    let name = stored(&api, &id).await?;
    let mut status = match last_runs(&api, &name, 1).await?.pop() {
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
            let stored = runs::load(&api, run).await?;
            let spec: Spec = serde_json::from_str(&stored.definition).map_err(runs::unreadable)?;
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
    let (run, duplicate) = runs::start(&api, submission).await?;
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
        runs::load(&api, run).await?;
        runs::stop(&api, run, reason).await?;
        return Ok((StatusCode::ACCEPTED, Json(status_of(&api, run).await?)).into_response());
    }
    let name = stored(&api, &id).await?;
    let mut stopped = 0;
    for (run, head) in last_runs(&api, &name, 100).await? {
        if !head.state.is_terminal() {
            runs::stop(&api, run, reason).await?;
            stopped += 1;
        }
    }
    Ok((StatusCode::ACCEPTED, Json(json!({"id": id, "status": "stopping", "stopped_runs": stopped})))
        .into_response())
}

/// A scheduled task that is there.
async fn stored(api: &Api, id: &str) -> ApiResult<WorkflowName> {
    let name: WorkflowName = id.parse().map_err(|_| ApiError::not_found(format!("task {id:?}")))?;
    let context = &api.context;
    let found = context.definitions.current(&*context.store, context.partitions, [name.clone()]).await?;
    if found.contains_key(&name) { Ok(name) } else { Err(ApiError::not_found(format!("task {id:?}"))) }
}

/// The newest runs of a workflow.
async fn last_runs(api: &Api, name: &WorkflowName, limit: usize) -> ApiResult<Vec<(RunId, Head)>> {
    let query =
        RunQuery { partitions: api.context.partitions, limit, workflow: Some(name.clone()), after: None };
    let mut runs = Vec::new();
    for found in api.context.store.list_runs(&query).await? {
        runs.push((found.run, serde_json::from_str(&found.head).map_err(runs::unreadable)?));
    }
    Ok(runs)
}

async fn status_of(api: &Api, run: RunId) -> ApiResult<Value> {
    let stored = runs::load(api, run).await?;
    let head: Head = serde_json::from_str(&stored.head).map_err(runs::unreadable)?;
    let mut status =
        json!({"id": run, "status": head.state.as_str(), "run_id": run, "workflow": head.workflow});
    if let Some(reason) = head.reason {
        status["reason"] = reason.into();
    }
    if let Some(ended) = head.ended_at {
        status["ended_at"] = ended.to_string().into();
    }
    Ok(status)
}
