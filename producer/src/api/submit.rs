//! Submissions over HTTP, and the runs that they start.

use axum::http::HeaderMap;
use millrace_domain::message::{Reply, ReplyError};
use millrace_domain::run::{Head, Trigger};
use millrace_domain::submission::{Submission, SubmissionError};
use millrace_domain::{Code, RunId, WorkflowId, number};
use serde_json::{Value, json};

use super::error::{ApiError, ApiResult, refused};
use super::key;
use super::state::Api;
use super::view::{load, unreadable};
use crate::partition::commands::submit::digest_of;

/// The submissions of a request: one, or an array.
pub(super) enum Submissions {
    One(Box<Submission>),
    Many(Vec<Result<Submission, ApiError>>),
}

/// Reads submissions, with the headers that complete them.
pub(super) fn submissions(headers: &HeaderMap, body: &[u8]) -> ApiResult<Submissions> {
    let error = |e: SubmissionError| ApiError::from(ReplyError::new(e.code, e.message));
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
        None => Err(ApiError::bad_request(Code::Empty, "expected a submission, or an array of them")),
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
        && answers.iter().all(|answer| answer["error"]["code"] == Code::StoreFull.as_str())
    {
        let message = first["error"]["message"].as_str().unwrap_or_default();
        return Err(ApiError::new(Code::StoreFull, message));
    }
    Ok(answers)
}

/// A known key with another body is a conflict.
async fn check_key(api: &Api, reply: &Reply, digest: &str) -> ApiResult<()> {
    let Reply::Run { run_id, duplicate: true } = reply else { return Ok(()) };
    let known = load(&api.context, *run_id).await?;
    let head: Head = serde_json::from_str(&known.head).map_err(unreadable)?;
    match head.digest {
        Some(known) if known != digest => {
            let message =
                format!("this idempotency key belongs to run {run_id}, which was asked for otherwise");
            Err(ApiError::new(Code::KeyConflict, message))
        }
        _ => Ok(()),
    }
}

/// The body of a trigger: a submission whose workflow is named elsewhere. `None` when it says what to run itself.
pub(super) fn submissions_of_workflow(
    headers: &HeaderMap,
    body: &[u8],
    name: &WorkflowId,
) -> ApiResult<Option<Submission>> {
    let mut value: Value =
        serde_json::from_slice(body).map_err(|e| ApiError::bad_request(Code::InvalidJson, e.to_string()))?;
    number::check_numbers(body)
        .map_err(|e| ApiError::from(ReplyError::new(Code::BadField, e.to_string())))?;
    let Some(object) = value.as_object_mut() else {
        return Err(ApiError::bad_request(Code::InvalidJson, "expected an object such as {\"params\":{}}"));
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
