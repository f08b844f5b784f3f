//! What the runs of a list wait for, where nothing of them is under way.

use millrace_domain::RunId;
use millrace_store::StoreError;

use super::view::{RunSummaryView, StepView, run};
use crate::context::Context;

/// Runs of a list that are looked into, at most, to see what they wait for.
const LOOKED_INTO: usize = 100;

/// Runs that have more steps are not looked into for a list.
const LOOKED_INTO_STEPS: usize = 1_000;

/// Says of runs of a list why nothing of them is under way, where that is so. The newest are looked into.
pub(crate) async fn say_what_waits(context: &Context, runs: &mut [RunSummaryView]) -> Result<(), StoreError> {
    // To look into a run is to read all of it.
    let is_small = |summary: &RunSummaryView| {
        let known = summary.workflow.parse().ok().zip(summary.version);
        let steps = known.and_then(|(workflow, version)| context.definitions.steps_of(&workflow, version));
        steps.is_none_or(|steps| steps <= LOOKED_INTO_STEPS)
    };
    let is_open = |summary: &RunSummaryView| {
        summary.state == "running" && summary.reason.is_none() && is_small(summary)
    };
    let open: Vec<usize> = (0..runs.len()).filter(|at| is_open(&runs[*at])).take(LOOKED_INTO).collect();
    let ids: Vec<RunId> = open.iter().map(|at| runs[*at].run).collect();
    if ids.is_empty() {
        return Ok(());
    }
    for (at, stored) in open.into_iter().zip(context.store.load_runs(&ids).await?) {
        let Some(stored) = stored.filter(|stored| stored.tasks.len() <= LOOKED_INTO_STEPS) else { continue };
        // What cannot be read is told where the run is asked for by itself.
        let Ok(view) = run(context, runs[at].run, &stored).await else { continue };
        if !view.steps.iter().any(|step| step.state == "running") {
            let waits = |step: &StepView| matches!(step.state.as_str(), "queued" | "blocked" | "asking");
            runs[at].reason = view.steps.into_iter().find(waits).and_then(|step| step.reason);
        }
    }
    Ok(())
}
