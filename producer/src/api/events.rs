//! The history of a run: what happened to it, in order, in words.

use axum::Json;
use axum::extract::{Path, Query, State};
use millrace_domain::run::history::{Happened, History};
use millrace_domain::run::{Ended, Run};
use millrace_domain::{RunId, Timestamp, Unit};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::error::ApiResult;
use super::state::Api;
use super::view;

/// The advances of one page, at most.
const PAGE: usize = 5_000;

/// The items whose ends are read at once.
const AT_ONCE: u32 = 1_000;

/// The part of the history that is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    after: Option<u64>,
    limit: Option<usize>,
}

/// One line of a history.
#[derive(Debug, Serialize)]
struct EventView {
    /// The number of the advance.
    n: u64,
    at: Option<String>,
    kind: &'static str,
    step: Option<String>,
    item: Option<u32>,
    attempt: Option<u32>,
    text: String,
}

/// Answers what happened to a run after an advance.
pub(super) async fn list(
    State(api): State<Api>,
    Path(id): Path<String>,
    query: Result<Query<EventsQuery>, axum::extract::rejection::QueryRejection>,
) -> ApiResult<Json<Value>> {
    let Query(query) = query?;
    let id = view::parse_id(&id)?;
    let stored = view::load(&api.context, id).await?;
    let run = view::restored(&api.context, id, &stored).await.map_err(view::unreadable)?;
    // There is nothing after the last, however large the number is.
    let after = query.after.unwrap_or(0).min(run.last_advance());
    let limit = query.limit.unwrap_or(500).clamp(1, PAGE);
    let mut history = History::of(&run, after, limit);
    for (n, entry) in api.context.store.history(id, after, limit + 1).await? {
        history.add_entry(n, entry);
    }
    add_items(&api, id, &run, &mut history).await?;
    let next = history.next();
    let events: Vec<_> = history.happened(&run).iter().flat_map(|happened| views(&run, happened)).collect();
    Ok(Json(json!({"run_id": id, "events": events, "next": next})))
}

/// Adds the ends of items. They are stored by their places, so that all that have begun are looked through.
async fn add_items(api: &Api, id: RunId, run: &Run, history: &mut History) -> ApiResult<()> {
    for (step, begun) in History::items_wanted(run) {
        let mut from = 0;
        while from < begun {
            let to = begun.min(from + AT_ONCE);
            let ends = api.context.store.items(id, step, from..to).await?;
            for (item, end) in (from..to).zip(ends) {
                let Some(end) = end else { continue };
                let end: Ended = serde_json::from_str(&end).map_err(view::unreadable)?;
                // What it gave is not told.
                let end = Ended { outputs: Map::new(), ..end };
                history.add_end(Unit { step, item: Some(item) }, end);
            }
            from = to;
        }
    }
    Ok(())
}

fn views(run: &Run, happened: &Happened) -> Vec<EventView> {
    let at = happened.at.map(|at: Timestamp| at.to_string());
    let name = |unit: Unit| run.workflow.step(unit.step).map(|step| step.name.to_string());
    let told = happened.told(run).into_iter();
    told.map(|told| EventView {
        n: happened.n,
        at: at.clone(),
        kind: told.kind,
        step: told.unit.and_then(name),
        item: told.unit.and_then(|unit| unit.item),
        attempt: told.attempt,
        text: told.text,
    })
    .collect()
}
