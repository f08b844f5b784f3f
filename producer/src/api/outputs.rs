//! What a step gave, in full: in a run, large outputs are only counted.

use axum::Json;
use axum::extract::{Path, State};
use millrace_domain::run::{Apart, StepState};
use serde_json::{Value, json};

use super::error::{ApiError, ApiResult};
use super::state::Api;
use super::view;
use crate::apart;

/// Answers the outputs of a step that has ended, as the steps after it read them.
pub(super) async fn get(
    State(api): State<Api>,
    Path((id, name)): Path<(String, String)>,
) -> ApiResult<Json<Value>> {
    let id = view::parse_id(&id)?;
    let stored = view::load(&api.context, id).await?;
    let run = view::restored(&api.context, id, &stored).await.map_err(view::unreadable)?;
    let step = run.workflow.index_of(&name).ok_or_else(|| view::no_such_step(&run, &name))?;
    let missing =
        |why: &str| ApiError::not_found(format!("output of step {name:?} in run {id}, which {why}"));
    let outputs = match (run.apart(step), &run.steps[step.at()]) {
        (Some(Apart::Items(_)), _) => return Err(missing("has items: ask for those")),
        (Some(large @ Apart::Outputs), _) => apart::read(&*api.context.store, id, step, Some(large)).await?,
        (None, StepState::Ended(end)) => Value::Object(end.outputs.clone()),
        (None, _) => return Err(missing("has not ended")),
    };
    Ok(Json(json!({"run_id": id, "step": name, "outputs": outputs})))
}
