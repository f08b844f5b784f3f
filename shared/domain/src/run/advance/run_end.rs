//! The end of a run whose steps have all ended: first its hooks have their turn, which are steps for that, and then it ends.

use std::collections::VecDeque;
use std::sync::Arc;

use super::ending::{ended, mark_ended};
use super::pause;
use super::slot;
use super::step::follow;
use crate::run::dispatch::run_outputs;
use crate::run::{Action, Advanced, Attempts, Run, RunState, RunTimer, StepState};
use crate::{Hook, Outcome, StepIndex, Timestamp};

/// Ends the run when all its steps have: as whoever stops it wants, or by its verdict.
pub(super) fn end_if_done(run: &mut Run, now: Timestamp, out: &mut Advanced) {
    // One that goes on with another may have nothing left to do, and waits for its start all the same.
    if run.head.state != RunState::Running || !has_given_outputs(run, now, out) {
        return;
    }
    begin_hooks(run, now, out);
    if run.open > 0 {
        return;
    }
    let outcome = match run.head.stopping {
        Some(outcome) => outcome,
        None => {
            (run.head.verdict, run.head.reason) = run.verdict().unzip();
            run.head.verdict.unwrap_or(Outcome::Succeeded)
        }
    };
    // A hook may have failed since they were made.
    run.head.outputs.take_if(|_| outcome != Outcome::Succeeded);
    run.head.state = outcome.into();
    run.head.ended_at = Some(now);
    out.head = true;
    if run.workflow.timeout.is_some() && run.head.hooks_since.is_none() {
        out.actions.push(Action::Clear(RunTimer::Timeout));
    }
    let was_paused = pause::lift(run, out);
    if was_paused || run.head.stopping.is_some() || run.workflow.gives_items_up() {
        out.actions.push(Action::Clear(RunTimer::CancelCheck));
    }
    slot::release(run, out);
    out.actions.extend(run.head.told_parent().map(|told| Action::TellParent(Box::new(told))));
    out.actions.push(Action::End);
}

/// Makes the outputs of a run, once all its steps have ended well, so that its hooks know whether they could be made.
/// `false` while outputs of steps have to be lent for that, which are kept apart.
fn has_given_outputs(run: &mut Run, now: Timestamp, out: &mut Advanced) -> bool {
    if !run.owes_outputs() {
        return true;
    }
    if run.outputs_want().next().is_some() {
        out.actions.push(Action::Set(now, RunTimer::Start));
        return false;
    }
    let workflow = Arc::clone(&run.workflow);
    let Some(outputs) = &workflow.outputs else { return true };
    match run_outputs(run, outputs) {
        Ok(outputs) => run.head.outputs = Some(outputs),
        Err(why) => {
            (run.head.verdict, run.head.reason) = (Some(Outcome::Failed), Some(why.clone()));
            run.head.outputs_missing = Some(why);
        }
    }
    out.head = true;
    true
}

/// Gives the hooks of a run their turn, once all other steps have ended: those for its outcome start, and the others are
/// skipped.
fn begin_hooks(run: &mut Run, now: Timestamp, out: &mut Advanced) {
    if run.workflow.run_hooks == 0 || run.head.hooks_since.is_some() || run.open_steps() > 0 {
        return;
    }
    let outcome = run.head.stopping.or_else(|| run.verdict().map(|(outcome, _)| outcome));
    let outcome = outcome.unwrap_or(Outcome::Succeeded);
    run.head.hooks_since = Some(now);
    out.head = true;
    if run.workflow.timeout.is_some() && run.head.started_at.is_some() {
        out.actions.push(Action::Clear(RunTimer::Timeout));
    }
    let workflow = Arc::clone(&run.workflow);
    let (mut skipped, mut ready) = (Vec::new(), VecDeque::new());
    for (place, step) in workflow.steps.iter().enumerate() {
        let (index, Some(Hook::Run(when))) = (StepIndex::from(place), step.hook) else { continue };
        if run.steps[place] != StepState::Waiting {
            continue;
        }
        let why = match run.head.started_at {
            None => "the run never started".to_owned(),
            Some(_) if !when.is_for(outcome) => format!("the run ended as {outcome}"),
            Some(_) => {
                ready.extend(workflow.graph.dependencies(index).is_empty().then_some(index));
                continue;
            }
        };
        let end = ended(run, Outcome::Skipped, Attempts::default(), now, Some(why));
        mark_ended(run, index, end, out);
        skipped.push(index);
    }
    follow(run, skipped, ready, now, out);
}

/// Ends the hooks of a run whose turn has not come, and never will.
pub(super) fn give_hooks_up(run: &mut Run, reason: &str, now: Timestamp, out: &mut Advanced) {
    let workflow = Arc::clone(&run.workflow);
    if run.head.hooks_since.is_some() || workflow.run_hooks == 0 {
        return;
    }
    (run.head.hooks_since, run.head.hooks_stopped) = (Some(now), true);
    if workflow.timeout.is_some() && run.head.started_at.is_some() {
        out.actions.push(Action::Clear(RunTimer::Timeout));
    }
    for (place, step) in workflow.steps.iter().enumerate() {
        if step.is_run_hook() && run.steps[place] == StepState::Waiting {
            let end = ended(run, Outcome::Cancelled, Attempts::default(), now, Some(reason.to_owned()));
            mark_ended(run, place.into(), end, out);
        }
    }
    run.judge_all();
}
