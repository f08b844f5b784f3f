//! The state machine: `advance(run, event, now)`. Total: every event in every state either changes the run or
//! is refused by name; the tables are in [`run`](super). The cost of an event is O(out-degree) of the steps it ends;
//! only stopping a run, which happens once, and each look at a stopped one go through all steps.
//!
//! A timer is taken at its word: whether it is due is the owner's to know, and an early one is not refused, since
//! a refused timer is gone and nothing else would move the step on.

use std::sync::Arc;

use super::{
    Action, Advanced, Attempts, Ended, Event, Head, Refusal, Run, RunState, RunTimer, Spec, StepState,
    dispatch, stop,
};
use crate::definition::Workflow;
use crate::task::TaskResult;
use crate::{Outcome, RunId, StepIndex, Timestamp, retry};

/// A new run, and what to do first. It starts at `head.start_at`, or at once.
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
    let mut run = Run { id, workflow, spec, head, steps, unmet, open: count as u32 };
    let mut advanced = Advanced { head: true, ..Advanced::default() };
    match run.head.start_at {
        Some(start) if start > now => {
            run.head.state = RunState::Waiting;
            advanced.actions.push(Action::Set(start, RunTimer::Start));
        }
        _ => start(&mut run, now, &mut advanced),
    }
    (run, advanced)
}

/// Moves `run` by `event`. Changes nothing when it refuses.
///
/// # Errors
/// A [`Refusal`] says why the event has no effect.
pub fn advance(run: &mut Run, event: Event, now: Timestamp) -> Result<Advanced, Refusal> {
    if run.head.state.is_terminal() {
        return Err(Refusal::RunEnded(run.id));
    }
    let mut advanced = Advanced::default();
    let out = &mut advanced;
    match (run.head.state, event) {
        (RunState::Waiting, Event::StartDue) => start(run, now, out),
        (_, Event::StartDue) | (RunState::Waiting, Event::TimedOut) => return Err(Refusal::RunNotWaiting),
        (_, Event::Result(result)) => {
            let attempts = current(run, result.step, result.attempt)?;
            let result = believed(result);
            retire(out, result.step, result.attempt, result.outcome);
            ended_attempt(run, attempts, result, now, out);
        }
        (_, Event::Lost { step, attempt, reason }) => {
            let attempts = current(run, step, attempt)?;
            retire(out, step, attempt, Outcome::Lost);
            lost_attempt(run, step, attempts, reason, now, out);
        }
        (_, Event::Revoked { step, attempt }) => {
            let attempts = current(run, step, attempt)?;
            if run.head.stopping.is_none() {
                return Err(Refusal::NotExpected(step));
            }
            retire(out, step, attempt, Outcome::Cancelled);
            let reason = run.head.reason.clone();
            end_step(run, step, ended(Outcome::Cancelled, attempts, now, reason), now, out);
        }
        (_, Event::RetryDue { step }) => match run.steps.get(step.at()) {
            None => return Err(Refusal::NoSuchStep(step)),
            Some(StepState::Backoff { attempts, .. }) => {
                let attempts = *attempts;
                dispatch(run, step, attempts, now, out);
            }
            Some(_) => return Err(Refusal::NotExpected(step)),
        },
        (_, Event::Cancel { reason }) => stop::stop(run, Outcome::Cancelled, &reason, now, out)?,
        (_, Event::TimedOut) => stop::stop(run, Outcome::TimedOut, &stop::timeout_reason(run), now, out)?,
        (_, Event::Poisoned { reason }) => stop::stop(run, Outcome::Failed, &reason, now, out)?,
        (_, Event::CancelCheckDue) => stop::look(run, now, out)?,
    }
    settle(run, now, out);
    Ok(advanced)
}

/// The first dispatch of a run.
fn start(run: &mut Run, now: Timestamp, out: &mut Advanced) {
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
    settle(run, now, out);
}

/// The attempts of `step` when `attempt` is the one that is with the fleet.
fn current(run: &Run, step: StepIndex, attempt: u32) -> Result<Attempts, Refusal> {
    match run.steps.get(step.at()) {
        None => Err(Refusal::NoSuchStep(step)),
        Some(StepState::Dispatched(attempts)) if attempts.attempt == attempt => Ok(*attempts),
        Some(_) => Err(Refusal::StaleAttempt { step, attempt }),
    }
}

/// An attempt that was started cannot have been skipped: believed, its run would end well without it.
fn believed(result: TaskResult) -> TaskResult {
    match result.outcome {
        Outcome::Skipped => {
            let reason = Some("its worker reported skipped, which no attempt can be".to_owned());
            TaskResult { outcome: Outcome::Failed, reason, ..result }
        }
        _ => result,
    }
}

fn retire(out: &mut Advanced, step: StepIndex, attempt: u32, outcome: Outcome) {
    out.actions.push(Action::Retire { step, attempt, outcome });
}

/// Sends the attempt after `so_far` to the fleet. A step whose input cannot be rendered fails without one.
fn dispatch(run: &mut Run, step: StepIndex, so_far: Attempts, now: Timestamp, out: &mut Advanced) {
    let attempts = Attempts { attempt: so_far.attempt + 1, dispatched_at: now, ..so_far };
    match dispatch::task(run, step, attempts.attempt, now) {
        Ok(task) => {
            run.steps[step.at()] = StepState::Dispatched(attempts);
            out.steps.push(step);
            out.actions.push(Action::Dispatch(Box::new(task)));
        }
        Err(problem) => end_step(run, step, ended(Outcome::Failed, so_far, now, Some(problem)), now, out),
    }
}

/// An attempt came to an outcome: the step ends, or waits for its next attempt.
fn ended_attempt(run: &mut Run, attempts: Attempts, result: TaskResult, now: Timestamp, out: &mut Advanced) {
    let step = result.step;
    // A worker that had to give a task up without an outcome of its own has lost it.
    if result.outcome == Outcome::Lost {
        let reason = result.reason.unwrap_or_else(|| "its worker gave it up".to_owned());
        return lost_attempt(run, step, attempts, reason, now, out);
    }
    let policy = &run.workflow.steps[step.at()].retry;
    let draw = retry::draw(run.id, step, attempts.attempt);
    let wait = policy.wait_after(result.outcome, attempts.retries, draw);
    if let (Some(wait), None) = (wait, run.head.stopping) {
        let attempts = Attempts { retries: attempts.retries + 1, ..attempts };
        let until = now + wait;
        run.steps[step.at()] = StepState::Backoff { attempts, until, reason: result.reason };
        out.steps.push(step);
        out.actions.push(Action::Set(until, RunTimer::Retry(step)));
        return;
    }
    let ended = Ended {
        outcome: result.outcome,
        attempts,
        started_at: Some(result.started_at),
        ended_at: result.ended_at,
        code: result.code,
        reason: result.reason,
        outputs: result.outputs,
        worker: result.worker,
    };
    end_step(run, step, ended, now, out);
}

/// An attempt was lost: a new one at once, or the step fails when too many were lost.
fn lost_attempt(
    run: &mut Run,
    step: StepIndex,
    attempts: Attempts,
    reason: String,
    now: Timestamp,
    out: &mut Advanced,
) {
    let attempts = Attempts { lost: attempts.lost + 1, ..attempts };
    if run.head.stopping.is_some() {
        return end_step(run, step, ended(Outcome::Cancelled, attempts, now, Some(reason)), now, out);
    }
    let limit = run.workflow.steps[step.at()].lost_limit();
    if attempts.lost > limit {
        let reason = match limit {
            0 => format!("lost, and at_most_once forbids another attempt: {reason}"),
            _ => format!("lost {} times; the last time: {reason}", attempts.lost),
        };
        return end_step(run, step, ended(Outcome::Failed, attempts, now, Some(reason)), now, out);
    }
    dispatch(run, step, attempts, now, out);
}

/// The end of a step that no worker reported.
pub(super) fn ended(outcome: Outcome, attempts: Attempts, now: Timestamp, reason: Option<String>) -> Ended {
    Ended {
        outcome,
        attempts,
        started_at: None,
        ended_at: now,
        code: None,
        reason,
        outputs: serde_json::Map::new(),
        worker: String::new(),
    }
}

/// Ends a step, and with it what can now start or never will.
fn end_step(run: &mut Run, step: StepIndex, end: Ended, now: Timestamp, out: &mut Advanced) {
    let workflow = Arc::clone(&run.workflow);
    let mut ready = Vec::new();
    mark_ended(run, step, end, out);
    let mut pending = vec![step];
    while let Some(step) = pending.pop() {
        let succeeded =
            matches!(&run.steps[step.at()], StepState::Ended(end) if end.outcome == Outcome::Succeeded);
        for &dependent in workflow.graph.dependents(step) {
            // Counted even where it no longer matters, so that the count is the one that a reload makes.
            let unmet = &mut run.unmet[dependent.at()];
            *unmet = unmet.saturating_sub(u32::from(succeeded));
            let unmet = *unmet;
            if run.steps[dependent.at()] != StepState::Waiting {
                continue;
            }
            if !succeeded {
                let reason = Some(format!("step {} did not succeed", workflow.steps[step.at()].name));
                mark_ended(run, dependent, ended(Outcome::Skipped, Attempts::default(), now, reason), out);
                pending.push(dependent);
                continue;
            }
            if unmet == 0 {
                ready.push(dependent);
            }
        }
    }
    for step in ready {
        // An earlier one of these may have failed to render and skipped a later one.
        if run.head.stopping.is_none() && run.steps[step.at()] == StepState::Waiting {
            dispatch(run, step, Attempts::default(), now, out);
        }
    }
}

/// Writes the end of one step, and what it means for the run.
pub(super) fn mark_ended(run: &mut Run, step: StepIndex, end: Ended, out: &mut Advanced) {
    let outcome = end.outcome;
    if matches!(outcome, Outcome::Failed | Outcome::TimedOut | Outcome::Cancelled)
        && run.head.verdict.is_none()
    {
        let name = &run.workflow.steps[step.at()].name;
        let why = end.reason.as_deref().unwrap_or(outcome.as_str());
        run.head.verdict = Some(outcome);
        run.head.reason.get_or_insert_with(|| format!("step {name}: {why}"));
        out.head = true;
    }
    run.steps[step.at()] = StepState::Ended(Box::new(end));
    run.open -= 1;
    out.steps.push(step);
}

/// Ends the run when all its steps have.
fn settle(run: &mut Run, now: Timestamp, out: &mut Advanced) {
    if run.open > 0 || run.head.state.is_terminal() {
        return;
    }
    let outcome = run.head.stopping.or(run.head.verdict).unwrap_or(Outcome::Succeeded);
    run.head.state = outcome.into();
    run.head.ended_at = Some(now);
    out.head = true;
    if run.workflow.timeout.is_some() {
        out.actions.push(Action::Clear(RunTimer::Timeout));
    }
    if run.head.stopping.is_some() {
        out.actions.push(Action::Clear(RunTimer::CancelCheck));
    }
    out.actions.push(Action::End);
}
