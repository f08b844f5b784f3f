//! The beginning of a run: at once, or when its start is due.

use std::sync::Arc;

use super::ending::{end_if_done, number};
use super::step::dispatch;
use crate::definition::Workflow;
use crate::run::{Action, Advanced, Attempts, Head, Run, RunState, RunTimer, Spec, StepState};
use crate::{RunId, Timestamp};

/// Creates a run, and says what to do first. The run starts at `head.start_at`, or at once.
pub fn create(
    id: RunId,
    workflow: Arc<Workflow>,
    spec: Arc<Spec>,
    head: Head,
    now: Timestamp,
) -> (Run, Advanced) {
    let count = workflow.steps.len();
    let unmet = (0..count).map(|step| workflow.graph.dependencies(step.into()).len() as u32).collect();
    let steps = vec![StepState::Waiting; count];
    let mut run = Run { id, workflow, spec, head, steps, unmet, open: count as u32, advance: 0 };
    let mut advanced = Advanced { head: true, ..Advanced::default() };
    match run.head.start_at {
        Some(start) if start > now => {
            run.head.state = RunState::Waiting;
            advanced.actions.push(Action::Set(start, RunTimer::Start));
        }
        _ => start(&mut run, now, &mut advanced),
    }
    number(&mut run, &advanced);
    (run, advanced)
}

/// Starts a run: its first steps are dispatched.
pub(super) fn start(run: &mut Run, now: Timestamp, out: &mut Advanced) {
    run.head.state = RunState::Running;
    run.head.started_at = Some(now);
    out.head = true;
    let workflow = Arc::clone(&run.workflow);
    for step in workflow.graph.roots() {
        dispatch(run, *step, Attempts::default(), now, out);
    }
    // A run whose first steps all fail to render is over already, and needs no timer.
    if let (Some(timeout), 1..) = (workflow.timeout, run.open) {
        out.actions.push(Action::Set(now + timeout, RunTimer::Timeout));
    }
    end_if_done(run, now, out);
}
