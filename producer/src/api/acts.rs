//! What people do to a step: they have it tried again, skip it, say how it ended, or answer what it asks for.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use millrace_domain::definition::{Question, from_text, is_output_key};
use millrace_domain::message::Reply;
use millrace_domain::nesting::{MAX_NESTING, check_nesting};
use millrace_domain::run::act::MAX_WORDS;
use millrace_domain::run::{Act, Deed};
use millrace_domain::submission::IdempotencyKey;
use millrace_domain::{Code, Unit, number};
use serde::Deserialize;
use serde_json::error::Category;
use serde_json::{Map, Value, json};

use super::error::{ApiError, ApiResult, refused};
use super::state::Api;
use super::{key, view};

/// Who acts, why, on which item, and on which attempt of it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ActBody {
    item: Option<u32>,
    attempt: Option<u32>,
    #[serde(default)]
    by: String,
    #[serde(default)]
    why: String,
    idempotency_key: Option<String>,
}

/// The same, with how the step is said to have ended.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkBody {
    outcome: String,
    outputs: Option<Map<String, Value>>,
    item: Option<u32>,
    attempt: Option<u32>,
    #[serde(default)]
    by: String,
    #[serde(default)]
    why: String,
    idempotency_key: Option<String>,
}

/// Who answers, and with which values.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SupplyBody {
    #[serde(default)]
    values: Map<String, Value>,
    /// Values as they are typed on a command line: they get the types that the step declares.
    #[serde(default)]
    texts: Map<String, Value>,
    item: Option<u32>,
    attempt: Option<u32>,
    #[serde(default)]
    by: String,
    #[serde(default)]
    why: String,
    idempotency_key: Option<String>,
}

/// Has a step tried again, at once.
pub(super) async fn retry(
    State(api): State<Api>,
    Path(path): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<Json<Value>> {
    act(&api, path, &headers, read(&body)?, Deed::Retry).await
}

/// Skips a step.
pub(super) async fn skip(
    State(api): State<Api>,
    Path(path): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<Json<Value>> {
    act(&api, path, &headers, read(&body)?, Deed::Skip).await
}

/// Says how a step ended.
pub(super) async fn mark(
    State(api): State<Api>,
    Path(path): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<Json<Value>> {
    let MarkBody { outcome, outputs, item, attempt, by, why, idempotency_key } = read(&body)?;
    let deed = match (outcome.as_str(), outputs) {
        ("succeeded", outputs) => Deed::Succeed { outputs: checked("outputs", outputs.unwrap_or_default())? },
        ("failed", None) => Deed::Fail,
        ("failed", Some(_)) => return Err(bad_field("outputs: a step that is said to have failed has none")),
        (other, _) => {
            return Err(bad_field(format!("outcome: expected succeeded or failed, found {other:?}")));
        }
    };
    act(&api, path, &headers, ActBody { item, attempt, by, why, idempotency_key }, deed).await
}

/// Approves what a step asks for.
pub(super) async fn approve(
    State(api): State<Api>,
    Path(path): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<Json<Value>> {
    act(&api, path, &headers, read(&body)?, Deed::Approve).await
}

/// Rejects what a step asks for.
pub(super) async fn reject(
    State(api): State<Api>,
    Path(path): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<Json<Value>> {
    act(&api, path, &headers, read(&body)?, Deed::Reject).await
}

/// Gives a step the values that it asks for.
pub(super) async fn supply(
    State(api): State<Api>,
    Path(path): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> ApiResult<Json<Value>> {
    let SupplyBody { mut values, texts, item, attempt, by, why, idempotency_key } = read(&body)?;
    if !texts.is_empty() {
        values.extend(typed(&api, &path, texts).await?);
    }
    let deed = Deed::Supply { values: checked("values", values)? };
    act(&api, path, &headers, ActBody { item, attempt, by, why, idempotency_key }, deed).await
}

/// Texts as values of the types that a step declares. What is none stays a text, which is told when it is held against them.
async fn typed(
    api: &Api,
    (id, name): &(String, String),
    texts: Map<String, Value>,
) -> ApiResult<Map<String, Value>> {
    let id = view::parse_id(id)?;
    let stored = view::load(&api.context, id).await?;
    let run = view::restored(&api.context, id, &stored).await.map_err(view::unreadable)?;
    let step = run.workflow.index_of(name).and_then(|step| run.workflow.step(step));
    let question = step.and_then(|step| step.question.as_deref());
    let fields = question.map(Question::fields).unwrap_or_default();
    let typed = |(name, text): (String, Value)| {
        let field = fields.iter().find(|field| field.name.as_str() == name);
        let value = field.zip(text.as_str()).and_then(|(field, text)| from_text(&field.kind, text).ok());
        (name, value.unwrap_or(text))
    };
    Ok(texts.into_iter().map(typed).collect())
}

/// Reads a body. None is one that says nothing.
pub(super) fn read<T: for<'de> Deserialize<'de>>(body: &[u8]) -> ApiResult<T> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    let read = serde_json::from_slice(body).map_err(|error| match error.classify() {
        Category::Data => ApiError::new(Code::BadField, error.to_string()),
        _ => ApiError::bad_request(Code::InvalidJson, error.to_string()),
    })?;
    number::check_numbers(body).map_err(|error| bad_field(error.to_string()))?;
    Ok(read)
}

/// Checks who acts, and why, as it was said.
pub(super) fn check_words(by: &str, why: &str) -> ApiResult<()> {
    for (field, text) in [("by", by), ("why", why)] {
        if text.chars().count() > MAX_WORDS {
            return Err(bad_field(format!("{field}: expected at most {MAX_WORDS} characters")));
        }
        // They are shown on terminals.
        if text.chars().any(|c| c.is_control() && (field == "by" || !"\n\t".contains(c))) {
            return Err(bad_field(format!("{field}: expected no control characters")));
        }
    }
    Ok(())
}

/// Outputs as an attempt may give them.
fn checked(field: &str, outputs: Map<String, Value>) -> ApiResult<Map<String, Value>> {
    for (key, value) in &outputs {
        if !is_output_key(key) {
            return Err(bad_field(format!("{field}: {key:?} must match [a-z][a-z0-9_]*")));
        }
        check_nesting(value, MAX_NESTING).map_err(|error| bad_field(format!("{field}: {key} is {error}")))?;
    }
    Ok(outputs)
}

/// The id of a request: its idempotency key, or a new one.
pub(super) fn request_id(api: &Api, of_body: Option<String>, headers: &HeaderMap) -> ApiResult<String> {
    let of_body = of_body.map(|key| IdempotencyKey::given(key.as_bytes())).transpose();
    let of_body = of_body.map_err(|error| bad_field(format!("idempotency_key: {}", error.message)))?;
    let key = of_body.flatten().or(key::of(headers)?).map(|key| key.as_str().to_owned());
    Ok(key.unwrap_or_else(|| api.context.options.ambient.random_id().simple().to_string()))
}

async fn act(
    api: &Api,
    (id, name): (String, String),
    headers: &HeaderMap,
    body: ActBody,
    deed: Deed,
) -> ApiResult<Json<Value>> {
    let ActBody { item, attempt, by, why, idempotency_key } = body;
    let by = by.trim().to_owned();
    check_words(&by, &why)?;
    let id = view::parse_id(&id)?;
    let stored = view::load(&api.context, id).await?;
    let run = view::restored(&api.context, id, &stored).await.map_err(view::unreadable)?;
    let step = run.workflow.index_of(&name).ok_or_else(|| view::no_such_step(&run, &name))?;
    let unit = Unit { step, item };
    let act = Act {
        id: request_id(api, idempotency_key, headers)?,
        unit,
        attempt: attempt.unwrap_or_else(|| run.last_attempt(unit)),
        deed,
        by,
        why,
    };
    metrics::counter!("millrace_acts_total", "act" => act.deed.as_str()).increment(1);
    let told =
        format!("{} was {act}", item.map_or_else(|| name.clone(), |item| format!("item {item} of {name}")));
    match api.gateway.act(id, act).await? {
        Reply::Run { .. } => Ok(Json(json!({"run_id": id, "step": name, "item": item, "done": told}))),
        other => Err(refused(other)),
    }
}

fn bad_field(message: impl Into<String>) -> ApiError {
    ApiError::new(Code::BadField, message)
}
