//! A history, applied once more: a run is what its events have made of it.

use std::sync::Arc;

use serde_json::Value;

use super::entry::Entry;
use crate::StepIndex;
use crate::definition::Workflow;
use crate::run::{Advanced, Event, Head, Refusal, Run, StepState, advance, create_continuation};

/// The run as it was when it was created: the first advance, made again.
pub fn as_created(run: &Run) -> (Run, Advanced) {
    let Head { workflow, version, created_at, start_at, delayed, parent, retry_of, labels, digest, .. } =
        run.head.clone();
    let head = Head {
        start_at,
        delayed,
        parent,
        retry_of,
        labels,
        digest,
        ..Head::new(workflow, version, created_at)
    };
    let carried = run.steps.iter().enumerate().filter_map(|(step, state)| match state {
        StepState::Ended(end) if end.carried.is_some() => Some((step.into(), (**end).clone())),
        _ => None,
    });
    let (workflow, spec) = (Arc::clone(&run.workflow), Arc::clone(&run.spec));
    create_continuation(run.id, workflow, spec, head, carried.collect(), created_at)
}

/// Applies an event of a history to a run that has come to the advance before it. `outputs` are those of a step that
/// keeps them apart, as they are lent.
///
/// # Errors
/// A [`Refusal`] says why the event has no effect: then it did not happen to this run, or not now.
pub fn replay(
    run: &mut Run,
    entry: &Entry,
    mut outputs: impl FnMut(StepIndex) -> Arc<Value>,
) -> Result<Advanced, Refusal> {
    let lent = entry.lent.clone().unwrap_or_else(|| run.wants_lent(&entry.event));
    for step in lent {
        run.lend(step, outputs(step));
    }
    let workflow = Arc::clone(&run.workflow);
    if entry.refused_bytes > 0 {
        run.workflow = without_outputs(&workflow, &entry.event);
    }
    let mut event = entry.event.clone();
    if let (Event::Result(result) | Event::ChildEnded(result), true) = (&mut event, entry.apart) {
        // They are of the declared kinds by now.
        result.is_typed = true;
        result.outputs = outputs(result.step).as_object().cloned().unwrap_or_default();
    }
    let advanced = advance(run, event, entry.at);
    run.workflow = workflow;
    run.take_back_lent();
    advanced
}

/// The workflow in which nothing looks at the outputs of a step: where they were refused for their size, what stands for
/// them has only that. They were what is declared, and enough for the step not to be done again.
fn without_outputs(workflow: &Arc<Workflow>, event: &Event) -> Arc<Workflow> {
    let mut workflow = Workflow::clone(workflow);
    let step = event.unit().and_then(|unit| workflow.steps.get_mut(unit.step.at()));
    if let Some(step) = step {
        (step.outputs, step.repeat) = (Box::default(), None);
    }
    Arc::new(workflow)
}
