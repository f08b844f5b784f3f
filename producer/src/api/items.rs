//! The items of a step that fans out: how each stands, and what it gave.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use millrace_domain::run::{Blocker, Ended, Run, StepState};
use millrace_domain::{RunId, StepIndex, Unit};
use millrace_store::{StoredRun, TaskRecord};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::error::{ApiError, ApiResult};
use super::parent::child_of;
use super::state::Api;
use super::view;

/// The items of one page, at most.
const PAGE: u32 = 1_000;

/// The items that are looked through for a page of those in one state.
const LOOKED_THROUGH: u32 = 20_000;

/// The states in which an item can be.
const STATES: [&str; 10] = [
    "waiting",
    "blocked",
    "queued",
    "running",
    "asking",
    "succeeded",
    "failed",
    "timed_out",
    "cancelled",
    "skipped",
];

/// The part of the list that is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ItemsQuery {
    from: Option<u32>,
    limit: Option<u32>,
    state: Option<String>,
}

/// An item of a step.
#[derive(Debug, Default, Serialize)]
pub(super) struct ItemView {
    /// Its place in the list, from 0.
    index: u32,
    /// Its value.
    item: Value,
    state: &'static str,
    /// The current or last attempt; 0 when there was none.
    attempt: u32,
    #[serde(skip_serializing_if = "is_zero")]
    lost: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    worker: String,
    /// Who has said that it ended so.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// The run that the last attempt is, where the step runs another workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    child: Option<RunId>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    outputs: Map<String, Value>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Answers a page of the items of a step, in the order of the list.
pub(super) async fn list(
    State(api): State<Api>,
    Path((id, name)): Path<(String, String)>,
    query: Result<Query<ItemsQuery>, axum::extract::rejection::QueryRejection>,
) -> ApiResult<Json<Value>> {
    let Query(query) = query?;
    if let Some(state) = query.state.as_deref().filter(|state| !STATES.contains(state)) {
        let message = format!("unknown state {state:?}: expected one of {}", STATES.join(", "));
        return Err(ApiError::bad_request(millrace_domain::Code::InvalidState, message));
    }
    let id = view::parse_id(&id)?;
    let stored = view::load(&api.context, id).await?;
    let run = view::restored(&api.context, id, &stored).await.map_err(view::unreadable)?;
    let step = run.workflow.index_of(&name).ok_or_else(|| view::no_such_step(&run, &name))?;
    let total = total_of(&run, step).ok_or_else(|| {
        ApiError::not_found(format!("item of step {name:?} in run {id}, which has not fanned out"))
    })?;
    let values = api.context.store.apart(id, step).await?.unwrap_or_else(|| "[]".to_owned());
    let values: Vec<Value> = serde_json::from_str(&values).map_err(view::unreadable)?;
    let limit = query.limit.unwrap_or(100).clamp(1, PAGE) as usize;
    let (mut from, mut found) = (query.from.unwrap_or(0).min(total), Vec::new());
    let last = total.min(from.saturating_add(LOOKED_THROUGH));
    let held = held(&stored, step);
    while from < last && found.len() < limit {
        let to = last.min(from + PAGE);
        let ends = api.context.store.items(id, step, from..to).await?;
        for (index, end) in (from..to).zip(ends) {
            from = index + 1;
            let end =
                end.map(|end| serde_json::from_str::<Ended>(&end)).transpose().map_err(view::unreadable)?;
            let unit = Unit { step, item: Some(index) };
            let shown = item(&run, unit, end, held.get(&index).copied());
            if query.state.as_deref().is_none_or(|state| shown.state == state) {
                let item = values.get(index as usize).cloned().unwrap_or_default();
                let child = child_of(&run, unit, shown.attempt, api.context.partitions);
                found.push(ItemView { index, item, child, ..shown });
            }
            if found.len() == limit {
                break;
            }
        }
    }
    let next = (from < total).then_some(from);
    Ok(Json(json!({"run_id": id, "step": name, "total": total, "items": found, "next": next})))
}

/// The number of items of a step that has fanned out.
pub(super) fn total_of(run: &Run, step: StepIndex) -> Option<u32> {
    match run.steps.get(step.at())? {
        StepState::Fanned(fan) => Some(fan.fanned.counts.total),
        StepState::Ended(end) => end.items.as_ref().map(|items| items.total),
        _ => None,
    }
}

/// The current attempts of the items of a step.
fn held(stored: &StoredRun, step: StepIndex) -> BTreeMap<u32, &TaskRecord> {
    let of_step = stored.tasks.iter().filter(|(unit, ..)| unit.step == step);
    of_step.filter_map(|(unit, _, record)| Some((unit.item?, record))).collect()
}

fn item(run: &Run, unit: Unit, end: Option<Ended>, held: Option<&TaskRecord>) -> ItemView {
    if let Some(end) = end {
        return ItemView {
            state: end.outcome.as_str(),
            attempt: end.attempts.attempt,
            lost: end.attempts.lost,
            started_at: end.started_at.map(|at| at.to_string()),
            ended_at: Some(end.ended_at.to_string()),
            code: end.code,
            reason: end.reason,
            worker: end.worker,
            by: end.by.filter(|by| !by.is_empty()),
            outputs: end.outputs,
            ..ItemView::default()
        };
    }
    match run.state_of(unit) {
        Some(StepState::Dispatched(attempts)) => {
            let (state, started_at) = match held {
                Some(TaskRecord::Claimed { claimed_at, .. }) => ("running", Some(claimed_at.to_string())),
                Some(TaskRecord::Finished { .. }) => ("running", None),
                _ => ("queued", None),
            };
            let (attempt, lost) = (attempts.attempt, attempts.lost);
            ItemView { state, attempt, lost, started_at, ..ItemView::default() }
        }
        Some(StepState::Backoff { attempts, until, reason }) => {
            let why = reason.as_deref().unwrap_or("it did not succeed");
            let reason = Some(format!("attempt {}: {why}; the next is due at {until}", attempts.attempt));
            let (attempt, lost) = (attempts.attempt, attempts.lost);
            ItemView { state: "waiting", attempt, lost, reason, ..ItemView::default() }
        }
        Some(StepState::Locking { attempts, .. }) => ItemView {
            state: "blocked",
            attempt: attempts.attempt,
            lost: attempts.lost,
            reason: run.blockers(unit, millrace_domain::Timestamp::default()).first().map(Blocker::words),
            ..ItemView::default()
        },
        Some(StepState::Child { attempts, .. }) => ItemView {
            state: "running",
            attempt: attempts.attempt,
            started_at: Some(attempts.dispatched_at.to_string()),
            reason: run.blockers(unit, millrace_domain::Timestamp::default()).first().map(Blocker::words),
            ..ItemView::default()
        },
        Some(StepState::Asking { end, .. }) => ItemView {
            state: "asking",
            attempt: end.attempts.attempt,
            lost: end.attempts.lost,
            started_at: end.started_at.map(|at| at.to_string()),
            code: end.code,
            reason: run.blockers(unit, millrace_domain::Timestamp::default()).first().map(Blocker::words),
            ..ItemView::default()
        },
        // It has not begun; of a step that has ended, it never will.
        _ => match run.outcome_of(unit.step) {
            Some(_) => {
                let reason = Some("it was not started: the items that were left were given up".to_owned());
                ItemView { state: "skipped", reason, ..ItemView::default() }
            }
            None => ItemView { state: "waiting", ..ItemView::default() },
        },
    }
}
