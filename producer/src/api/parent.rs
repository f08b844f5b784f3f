//! How a run and its children look from each other.

use millrace_domain::child::WORKFLOW;
use millrace_domain::run::{Ancestor, Parent, Run, StepState};
use millrace_domain::{RunId, StepName, TaskId, Unit};
use serde::Serialize;

/// The step of another run that a run is.
#[derive(Debug, Serialize)]
pub(super) struct ParentView {
    run_id: RunId,
    workflow: String,
    step: StepName,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<u32>,
    attempt: u32,
    /// Whether the step waits for the end of the run.
    waits: bool,
    /// All runs that it is in, the outermost first; the last is the parent.
    ancestors: Vec<AncestorView>,
}

/// A run that another one is in.
#[derive(Debug, Serialize)]
struct AncestorView {
    run_id: RunId,
    workflow: String,
}

impl ParentView {
    pub(super) fn of(parent: &Parent) -> Self {
        let above =
            |above: &Ancestor| AncestorView { run_id: above.run, workflow: above.workflow.to_string() };
        let ancestors: Vec<AncestorView> = parent.ancestors.iter().map(above).collect();
        Self {
            run_id: parent.attempt.run,
            workflow: ancestors.last().map(|above| above.workflow.clone()).unwrap_or_default(),
            step: parent.name.clone(),
            item: parent.attempt.unit.item,
            attempt: parent.attempt.attempt,
            waits: parent.waits,
            ancestors,
        }
    }
}

/// The run that an attempt of a unit is, where its step runs another workflow.
pub(super) fn child_of(run: &Run, unit: Unit, attempt: u32, partitions: u16) -> Option<RunId> {
    let has_items = unit.item.is_none() && run.workflow.step(unit.step)?.fan.is_some();
    let is_child = run.workflow.step(unit.step)?.uses == WORKFLOW && attempt > 0 && !has_items;
    // That of a step which was carried over is that of the run in which it ended.
    let of = match run.state_of(unit.step.into()) {
        Some(StepState::Ended(end)) => end.carried.unwrap_or(run.id),
        _ => run.id,
    };
    is_child.then(|| TaskId { run: of, unit, attempt }.child(partitions))
}
