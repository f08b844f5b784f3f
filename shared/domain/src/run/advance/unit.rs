//! What a unit does next: it gets an attempt, or waits for a time.

use std::sync::Arc;

use super::ask;
use super::child;
use super::ending::ended;
use super::lock;
use super::reserve::spend;
use crate::child::WORKFLOW;
use crate::definition::Step;
use crate::run::dispatch::{input, task};
use crate::run::{Action, Advanced, Attempts, Ended, Run, RunTimer, StepState};
use crate::wait::{self, WAIT};
use crate::{Outcome, StepIndex, Timestamp, Unit};

/// What a unit waits for whose inputs are not in memory.
pub(in crate::run) const READING: &str = "the outputs that it uses are being read";

/// What a unit waits for that would begin if its run were not paused.
pub(in crate::run) const HELD: &str = "its run is paused";

/// Makes the attempt after `so_far`. A unit whose input cannot be rendered is answered with its end.
pub(super) fn attempt(
    run: &mut Run,
    unit: Unit,
    so_far: Attempts,
    now: Timestamp,
    out: &mut Advanced,
) -> Result<(), Box<Ended>> {
    let workflow = Arc::clone(&run.workflow);
    let definition = &workflow.steps[unit.step.at()];
    if run.head.paused.is_some() {
        wait_for_resume(run, unit, so_far, now, out);
        return Ok(());
    }
    if run.tasks_want(unit.step).next().is_some() {
        hold(run, unit, so_far, now, READING.to_owned(), out);
        return Ok(());
    }
    if let Some(question) = &definition.question {
        return ask::begin(run, unit, question, now, out);
    }
    if definition.uses == WAIT {
        return begin_wait(run, unit.step, definition, now, out);
    }
    if let Some(need) = run.next_need(unit) {
        return lock::begin(run, unit, need, so_far, now, out);
    }
    if definition.uses == WORKFLOW {
        spend(run, unit, now);
        return child::begin(run, unit, so_far, now, out);
    }
    // A first attempt that is made at once has no record that could keep the number: that of what it follows has it.
    let follows = out.head || !out.units.is_empty();
    let advance = if so_far == Attempts::default() && follows { 0 } else { run.this_advance() };
    let attempts = Attempts { attempt: so_far.attempt + 1, dispatched_at: now, advance, ..so_far };
    match task(run, unit, attempts.attempt, now) {
        Ok(task) => {
            run.set_state(unit, StepState::Dispatched(attempts));
            out.units.push(unit);
            out.actions.push(Action::Dispatch(Box::new(task)));
            Ok(())
        }
        Err(problem) => Err(Box::new(ended(run, Outcome::Failed, so_far, now, Some(problem)))),
    }
}

/// Begins a wait. One whose time has passed is answered with its end, as is one whose end cannot be told.
fn begin_wait(
    run: &mut Run,
    step: StepIndex,
    definition: &Step,
    now: Timestamp,
    out: &mut Advanced,
) -> Result<(), Box<Ended>> {
    let begun = Attempts { dispatched_at: now, ..Attempts::default() };
    let until = input(run, definition).and_then(|with| wait::until(&with, now, &run.workflow.timezone));
    match until {
        Ok(until) if until > now => {
            hold(run, step.into(), begun, until, "a wait".to_owned(), out);
            Ok(())
        }
        Ok(_) => {
            let end = ended(run, Outcome::Succeeded, begun, now, None);
            Err(Box::new(Ended { started_at: Some(now), ..end }))
        }
        Err(problem) => Err(Box::new(ended(run, Outcome::Failed, begun, now, Some(problem)))),
    }
}

/// Clears the `retry` timer of a unit that has gone on, unless it waits for that again.
pub(super) fn clear_retry(run: &Run, unit: Unit, out: &mut Advanced) {
    let is_timed = matches!(
        run.state_of(unit),
        Some(
            StepState::Backoff { .. }
                | StepState::Asking { .. }
                | StepState::Locking { .. }
                | StepState::Child { .. }
        )
    );
    if !is_timed {
        out.actions.push(Action::Clear(RunTimer::Retry(unit)));
    }
}

/// Has a unit wait for a time.
pub(super) fn hold(
    run: &mut Run,
    unit: Unit,
    attempts: Attempts,
    until: Timestamp,
    reason: String,
    out: &mut Advanced,
) {
    let attempts = Attempts { advance: run.this_advance(), ..attempts };
    run.set_state(unit, StepState::Backoff { attempts, until, reason: Some(reason) });
    out.units.push(unit);
    out.actions.push(Action::Set(until, RunTimer::Retry(unit)));
}

/// Has a unit wait until its run is resumed. No timer moves it on.
pub(super) fn wait_for_resume(
    run: &mut Run,
    unit: Unit,
    attempts: Attempts,
    now: Timestamp,
    out: &mut Advanced,
) {
    let attempts = Attempts { advance: run.this_advance(), ..attempts };
    run.set_state(unit, StepState::Backoff { attempts, until: now, reason: Some(HELD.to_owned()) });
    out.units.push(unit);
}
