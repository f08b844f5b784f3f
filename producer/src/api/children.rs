//! The runs that are steps of a run: its children.

use axum::Json;
use axum::extract::{Path, Query, State};
use millrace_domain::child::WORKFLOW;
use millrace_domain::run::{Ended, Head, Run, StepState};
use millrace_domain::{Code, Outcome, RunId, StepIndex, StepName, TaskId, Unit};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::{ApiError, ApiResult};
use super::state::Api;
use super::view::{self, RunSummaryView};

/// The children of one page, at most.
const PAGE: usize = 500;

/// Items that are read in one trip, at most.
const ITEMS: u32 = 1_000;

/// The part of the children that is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChildrenQuery {
    from: Option<String>,
    limit: Option<usize>,
}

/// A child: which attempt it is, and how it stands.
#[derive(Debug, Serialize)]
struct ChildView {
    step: StepName,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<u32>,
    attempt: u32,
    /// How the attempt ended, and why, where it has; of one that waits for its next attempt, why.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    run_id: RunId,
    /// The run; nothing where it could not start, is not there yet, or not any more, or cannot be read here.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunSummaryView>,
}

/// Answers a page of the children of a run: those that are the last attempts of its steps and items, in their order.
pub(super) async fn list(
    State(api): State<Api>,
    Path(id): Path<String>,
    query: Result<Query<ChildrenQuery>, axum::extract::rejection::QueryRejection>,
) -> ApiResult<Json<Value>> {
    let Query(query) = query?;
    let id = view::parse_id(&id)?;
    let from = query.from.as_deref().map(str::parse::<Unit>).transpose();
    let from = from.map_err(|_| {
        ApiError::bad_request(Code::InvalidCursor, "expected the `next` of an earlier answer as `from`")
    })?;
    let limit = query.limit.unwrap_or(100).clamp(1, PAGE);
    let stored = view::load(&api.context, id).await?;
    let run = view::restored(&api.context, id, &stored).await.map_err(view::unreadable)?;
    // One more than is shown says whether there are more.
    let mut found = attempts(&api, &run, from, limit + 1).await?;
    let next = found.get(limit).map(|known| known.unit.to_string());
    found.truncate(limit);
    let id_of = |known: &Known| {
        TaskId { run: id, unit: known.unit, attempt: known.attempt }.child(api.context.partitions)
    };
    let ids: Vec<RunId> = found.iter().map(id_of).collect();
    let runs = api.context.store.load_runs(&ids).await?;
    let mut children = Vec::with_capacity(found.len());
    for ((known, run_id), stored) in found.into_iter().zip(ids).zip(runs) {
        // One that a newer version has written keeps nobody from seeing the others.
        let head = stored.and_then(|stored| serde_json::from_str::<Head>(&stored.head).ok());
        children.push(ChildView {
            step: run.workflow.steps[known.unit.step.at()].name.clone(),
            item: known.unit.item,
            attempt: known.attempt,
            state: known.outcome,
            reason: known.reason,
            run_id,
            run: head.map(|head| view::summary(run_id, head)),
        });
    }
    Ok(Json(json!({"run_id": id, "children": children, "next": next})))
}

/// What a run knows of the last attempt of a unit that runs another workflow.
struct Known {
    unit: Unit,
    attempt: u32,
    outcome: Option<Outcome>,
    reason: Option<String>,
}

impl Known {
    fn of_end(unit: Unit, end: &Ended) -> Self {
        Self { unit, attempt: end.attempts.attempt, outcome: Some(end.outcome), reason: end.reason.clone() }
    }

    fn of(run: &Run, unit: Unit) -> Self {
        match run.state_of(unit) {
            Some(StepState::Ended(end) | StepState::Asking { end, .. }) => Self::of_end(unit, end),
            Some(StepState::Backoff { attempts, reason, .. }) => {
                Self { unit, attempt: attempts.attempt, outcome: None, reason: reason.clone() }
            }
            _ => Self { unit, attempt: run.last_attempt(unit), outcome: None, reason: None },
        }
    }

    /// It, where there was an attempt.
    fn if_any(self) -> Option<Self> {
        (self.attempt > 0).then_some(self)
    }
}

/// The last attempts of units that run another workflow, from a unit on, at most so many.
async fn attempts(api: &Api, run: &Run, from: Option<Unit>, limit: usize) -> ApiResult<Vec<Known>> {
    let mut found: Vec<Known> = Vec::new();
    let first = from.map_or(0, |from| from.step.at());
    for (place, step) in run.workflow.steps.iter().enumerate().skip(first) {
        if step.uses != WORKFLOW || found.len() >= limit {
            continue;
        }
        let unit = |item| Unit { step: place.into(), item };
        let begun = match &run.steps[place] {
            StepState::Fanned(fan) => Some(fan.fanned.counts.begun),
            StepState::Ended(end) => end.items.as_ref().map(|counts| counts.begun),
            _ => None,
        };
        let Some(begun) = begun else {
            found.extend(Known::of(run, unit(None)).if_any());
            continue;
        };
        let from = from.filter(|from| from.step == StepIndex::from(place)).and_then(|from| from.item);
        let mut next = from.unwrap_or(0);
        while next < begun && found.len() < limit {
            let to = begun.min(next + ITEMS);
            let ends = api.context.store.items(run.id, place.into(), next..to).await?;
            for (item, end) in (next..to).zip(ends) {
                let unit = unit(Some(item));
                let end = end.map(|end| serde_json::from_str::<Ended>(&end)).transpose();
                let known = match end.map_err(view::unreadable)? {
                    Some(end) => Known::of_end(unit, &end),
                    None => Known::of(run, unit),
                };
                found.extend(known.if_any());
            }
            next = to;
        }
    }
    found.truncate(limit);
    Ok(found)
}
