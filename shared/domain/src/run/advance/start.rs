//! The beginning of a run: at once, or when its start is due.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ending::number;
use super::run_end::end_if_done;
use super::slot;
use super::step::start_roots;
use crate::definition::Workflow;
use crate::rule::Tally;
use crate::run::{Action, Advanced, Ended, Head, Refusal, Run, RunState, RunTimer, Spec, StepState};
use crate::{RunId, StepIndex, Timestamp, Unit};

/// Creates a run, and says what to do first. The run starts at `head.start_at`, or at once.
pub fn create(
    id: RunId,
    workflow: Arc<Workflow>,
    spec: Arc<Spec>,
    head: Head,
    now: Timestamp,
) -> (Run, Advanced) {
    create_continuation(id, workflow, spec, head, Vec::new(), now)
}

/// Creates a run in which these steps have ended already, as [`create`] does: see [`Run::carried_over`].
pub fn create_continuation(
    id: RunId,
    workflow: Arc<Workflow>,
    spec: Arc<Spec>,
    head: Head,
    carried: Vec<(StepIndex, Ended)>,
    now: Timestamp,
) -> (Run, Advanced) {
    let count = workflow.steps.len();
    let tallies =
        (0..count).map(|step| Tally::open(workflow.graph.dependencies(step.into()).len())).collect();
    let mut steps = vec![StepState::Waiting; count];
    let units = carried.iter().map(|(step, _)| Unit::from(*step)).collect();
    let (open, elsewhere) =
        (count - carried.len(), carried.iter().filter(|(_, end)| end.is_apart()).count() as u32);
    let is_continuation = !carried.is_empty();
    carried.into_iter().for_each(|(step, end)| steps[step.at()] = StepState::Ended(Box::new(end)));
    let mut run = Run {
        id,
        workflow,
        spec,
        head,
        steps,
        tallies,
        open: open as u32,
        elsewhere,
        lent: BTreeMap::new(),
        holds: BTreeMap::new(),
        advance: 0,
    };
    if is_continuation {
        run.judge_all();
    }
    let mut advanced = Advanced { head: true, units, ..Advanced::default() };
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

/// Starts a run, once it has a slot where its workflow allows only so many runs at a time.
pub(super) fn start(run: &mut Run, now: Timestamp, out: &mut Advanced) {
    if run.workflow.concurrency.is_none() {
        return begin(run, now, out);
    }
    if !slot::ask_again(run, now, out) && !slot::ask(run, now, out) {
        begin(run, now, out);
    }
    end_if_done(run, now, out);
}

/// Applies the grant of a slot: the run begins. One that has it already goes on.
pub(super) fn granted(run: &mut Run, now: Timestamp, out: &mut Advanced) -> Result<(), Refusal> {
    if slot::granted(run, now)? {
        // One that is paused has its turn when it is resumed.
        match run.head.paused.is_some() {
            true => out.head = true,
            false => begin(run, now, out),
        }
        let is_set = |action: &Action| matches!(action, Action::Set(_, RunTimer::Start));
        if !out.actions.iter().any(is_set) {
            out.actions.push(Action::Clear(RunTimer::Start));
        }
    }
    Ok(())
}

/// Begins a run: its first steps are dispatched.
pub(super) fn begin(run: &mut Run, now: Timestamp, out: &mut Advanced) {
    run.head.state = RunState::Running;
    run.head.started_at = Some(now);
    out.head = true;
    start_roots(run, now, out);
    // A run whose first steps all fail to render is over already, and needs no timer.
    if let (Some(timeout), 1..) = (run.workflow.timeout, run.open_steps()) {
        out.actions.push(Action::Set(now + timeout, RunTimer::Timeout));
    }
    end_if_done(run, now, out);
}
