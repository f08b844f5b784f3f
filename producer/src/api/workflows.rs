//! Stored workflows.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use millrace_domain::definition::{self, Parsed};
use millrace_domain::message::Reply;
use millrace_domain::schedule::Zone;
use millrace_domain::submission::Submission;
use millrace_domain::{Code, IdError, PartitionId, Timestamp, WorkflowId};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::{ApiError, ApiResult, Body, refused};
use super::key;
use super::state::Api;
use super::submit;
use super::view::unreadable;
use crate::workflow_head::WorkflowHead;

/// Workflows of one file that are being stored at the same time: they share commits.
const AT_ONCE: usize = 256;

/// Definitions to store: the text of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplyBody {
    definition: String,
    /// The file's name, for messages.
    #[serde(default)]
    file: Option<String>,
    /// Where shell steps start that do not say, on an embedded server. A fleet's workers have folders of their own.
    #[serde(default)]
    base_dir: Option<String>,
}

/// Stores all workflows of a file, or none when any has a problem.
pub(super) async fn apply(State(api): State<Api>, Body(body): Body<ApplyBody>) -> ApiResult<Response> {
    let file = body.file.as_deref().unwrap_or("definition");
    let mut parsed = definition::parse(&body.definition, file).map_err(|problems| {
        let mut error = ApiError::new(Code::InvalidDefinition, problems.to_string());
        error.details = serde_json::to_value(&problems).ok();
        error
    })?;
    for one in &parsed {
        check_name(&one.workflow.id)?;
    }
    let base_dir = body.base_dir.filter(|_| api.context.options.local_files);
    let warnings: Vec<_> = parsed.iter_mut().map(|one| std::mem::take(&mut one.warnings)).collect();
    drop(body.definition);
    let apply = |one: Parsed| api.gateway.apply(Arc::new(one.workflow), one.source, base_dir.clone());
    let asked = parsed.into_iter().map(apply);
    let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    let mut applied = Vec::new();
    for (answer, warnings) in answers.into_iter().zip(warnings) {
        match answer? {
            Reply::Workflow { workflow, version, unchanged } => {
                let mut one = json!({"name": workflow, "version": version, "unchanged": unchanged});
                if !warnings.is_empty() {
                    one["warnings"] = json!(warnings);
                }
                applied.push(one);
            }
            other => return Err(refused(other)),
        }
    }
    Ok((StatusCode::OK, Json(json!({ "workflows": applied }))).into_response())
}

/// All workflows.
pub(super) async fn list(State(api): State<Api>) -> ApiResult<Json<Value>> {
    let homes = (0..api.context.partitions).map(|home| api.context.store.list_workflows(PartitionId(home)));
    let mut found: Vec<(WorkflowId, String)> =
        futures_util::future::try_join_all(homes).await?.into_iter().flatten().collect();
    found.sort();
    let mut workflows = Vec::new();
    for (name, head) in found {
        let head: WorkflowHead = serde_json::from_str(&head).map_err(unreadable)?;
        workflows.push(view(&name, &head));
    }
    Ok(Json(json!({ "workflows": workflows })))
}

fn view(name: &WorkflowId, head: &WorkflowHead) -> Value {
    let next = head.next.iter().enumerate().filter_map(|(place, next)| next.map(|next| (next, place))).min();
    let zone = next.and_then(|(_, place)| head.zones.get(place).or(head.zones.last()));
    json!({
        "name": name,
        "version": head.version,
        "description": head.description,
        "paused": head.paused,
        "steps": head.steps,
        "schedules": head.schedules,
        "next_fire": next.map(|(next, _)| next.to_string()),
        "next_fire_local": next.map(|(next, _)| local(next, zone)),
        "timezone": zone,
        "applied_at": head.applied_at.to_string(),
    })
}

/// An instant as the clocks of a zone show it; in UTC when the zone was not kept.
fn local(instant: Timestamp, zone: Option<&String>) -> String {
    let zone = zone.and_then(|zone| Zone::parse(zone).ok());
    zone.map_or_else(|| instant.to_string(), |zone| zone.local(instant))
}

/// The version that is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GetQuery {
    version: Option<u32>,
}

/// Answers one workflow with its source.
pub(super) async fn get(
    State(api): State<Api>,
    Path(name): Path<String>,
    query: Result<Query<GetQuery>, axum::extract::rejection::QueryRejection>,
) -> ApiResult<Json<Value>> {
    let Query(query) = query?;
    let name = parse_name(&name)?;
    let home = PartitionId::home_of(&name, api.context.partitions);
    let stored = api.context.store.load_workflow(home, &name, query.version).await?;
    let Some(stored) = stored else {
        let known = match query.version {
            Some(_) => api.context.store.load_workflow(home, &name, None).await?,
            None => None,
        };
        return Err(match (known, query.version) {
            (Some(known), Some(version)) => ApiError::not_found(format!(
                "version {version} of workflow {name}, whose current version is {}",
                known.version
            )),
            _ => unknown(&name),
        });
    };
    let head: WorkflowHead = serde_json::from_str(&stored.head).map_err(unreadable)?;
    if head.deleted && query.version.is_none() {
        return Err(unknown(&name));
    }
    let mut view = view(&name, &head);
    view["definition"] = Value::String(stored.source);
    view["shown_version"] = stored.version.into();
    Ok(Json(view))
}

/// Starts a run of the current version.
pub(super) async fn trigger(
    State(api): State<Api>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<Response> {
    let name = parse_name(&name)?;
    let mut submission = match body.is_empty() {
        true => Submission { idempotency_key: key::of(&headers)?, ..Submission::default() },
        false => match submit::submissions_of_workflow(&headers, &body, &name)? {
            Some(submission) => submission,
            None => {
                return Err(ApiError::bad_request(
                    Code::Ambiguous,
                    "the workflow is named by the path already",
                ));
            }
        },
    };
    submission.workflow = Some(name);
    let (run, duplicate) = submit::start(&api, submission).await?;
    let status = if duplicate { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(json!({"run_id": run, "duplicate": duplicate}))).into_response())
}

/// Lets the schedules of a workflow rest.
pub(super) async fn pause(State(api): State<Api>, Path(name): Path<String>) -> ApiResult<Json<Value>> {
    set_paused(&api, &name, true).await
}

/// Lets the schedules of a workflow go on.
pub(super) async fn resume(State(api): State<Api>, Path(name): Path<String>) -> ApiResult<Json<Value>> {
    set_paused(&api, &name, false).await
}

async fn set_paused(api: &Api, name: &str, paused: bool) -> ApiResult<Json<Value>> {
    let name = parse_name(name)?;
    match api.gateway.pause(&name, paused).await? {
        Reply::Workflow { workflow, version, unchanged } => {
            Ok(Json(json!({"name": workflow, "version": version, "paused": paused, "unchanged": unchanged})))
        }
        other => Err(refused(other)),
    }
}

/// Forgets a workflow.
pub(super) async fn delete(State(api): State<Api>, Path(name): Path<String>) -> ApiResult<Json<Value>> {
    let name = parse_name(&name)?;
    match api.gateway.delete(&name).await? {
        Reply::Workflow { workflow, .. } => Ok(Json(json!({"name": workflow, "deleted": true}))),
        other => Err(refused(other)),
    }
}

/// The name in a path.
pub(super) fn parse_name(text: &str) -> ApiResult<WorkflowId> {
    text.parse().map_err(|e: IdError| ApiError::bad_request(Code::InvalidName, e.0))
}

/// A name that a workflow may be given from now on.
pub(super) fn check_name(name: &WorkflowId) -> ApiResult<()> {
    if !name.is_like_run_id() {
        return Ok(());
    }
    let message = format!(
        "the name {name} reads as the id of a run, so that the calls by id could never reach it; choose another"
    );
    Err(ApiError::bad_request(Code::InvalidName, message))
}

fn unknown(name: &WorkflowId) -> ApiError {
    ApiError::not_found(format!("workflow {name}"))
}
