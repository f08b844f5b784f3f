//! Steps: starting them, and ending them with all that follows. One work list holds both, since each leads to the other: a
//! step that ends lets others start, and one that starts may end at once, without an attempt.

use std::collections::VecDeque;
use std::sync::Arc;

use super::child;
use super::ending::{ended, mark_ended};
use super::fan;
use super::unit::{attempt, hold};
use crate::rule::{Judgement, Readiness, Status};
use crate::run::dispatch::condition_holds;
use crate::run::{Action, Advanced, Attempts, Ended, Refusal, Run, RunTimer, StepState};
use crate::wait::WAIT;
use crate::{Outcome, StepIndex, Timestamp, TriggerRule, Unit};

/// Starts the steps that wait for no other; of a continuation, those that wait only for what was carried over.
pub(super) fn start_roots(run: &mut Run, now: Timestamp, out: &mut Advanced) {
    let workflow = Arc::clone(&run.workflow);
    if run.open as usize == run.steps.len() {
        let roots = workflow.graph.roots().iter().copied();
        return follow(run, Vec::new(), roots.filter(|root| !run.is_held_back(*root)).collect(), now, out);
    }
    let steps = (0..run.steps.len()).map(StepIndex::from);
    let waits = |step: &StepIndex| run.steps[step.at()] == StepState::Waiting && !run.is_held_back(*step);
    let judged = |step: StepIndex| (step, workflow.steps[step.at()].rule.readiness(run.tally(step)));
    let waiting: Vec<(StepIndex, Readiness)> = steps.filter(waits).map(judged).collect();
    let (mut over, mut ready) = (Vec::new(), VecDeque::new());
    for (step, readiness) in waiting {
        match readiness {
            Readiness::Starts => ready.push_back(step),
            Readiness::Waits => {}
            Readiness::Never => {
                let end = skipped(run, step, now);
                mark_ended(run, step, end, out);
                over.push(step);
            }
        }
    }
    follow(run, over, ready, now, out);
}

/// Ends a step, and with it starts what can now start and skips what never will.
pub(super) fn end_step(run: &mut Run, step: StepIndex, end: Ended, now: Timestamp, out: &mut Advanced) {
    mark_ended(run, step, end, out);
    follow(run, vec![step], VecDeque::new(), now, out);
}

/// Ends a unit, and with an item its step, when it was the last.
pub(super) fn end_unit(run: &mut Run, unit: Unit, end: Ended, now: Timestamp, out: &mut Advanced) {
    match unit.item {
        None => end_step(run, unit.step, end, now, out),
        Some(item) => {
            fan::note_end(run, unit.step, item, end, now, out);
            fill(run, unit.step, now, out);
        }
    }
}

/// Lets a step that has fanned out begin the items for which there is room. It ends when none is left.
pub(super) fn fill(run: &mut Run, step: StepIndex, now: Timestamp, out: &mut Advanced) {
    if let Some(end) = fan::fill(run, step, now, out) {
        end_step(run, step, *end, now, out);
    }
}

/// Starts the steps that became ready beside too many others, in the order of the definition.
///
/// # Errors
/// When there is none.
pub(super) fn start_held_over(run: &mut Run, now: Timestamp, out: &mut Advanced) -> Result<(), Refusal> {
    let steps = (0..run.steps.len()).map(StepIndex::from);
    let is_ready = |step: &StepIndex| run.steps[step.at()] == StepState::Waiting && run.is_woken(*step);
    let ready: VecDeque<StepIndex> = steps.filter(is_ready).collect();
    if ready.is_empty() || !run.may_begin() {
        return Err(Refusal::RunNotWaiting);
    }
    // Those that use outputs which are kept apart by now are woken with them.
    follow(run, Vec::new(), ready, now, out);
    Ok(())
}

/// Starts a step whose rule holds, and which was woken with the outputs that it needs.
pub(super) fn start_ready(run: &mut Run, step: StepIndex, now: Timestamp, out: &mut Advanced) {
    follow(run, Vec::new(), VecDeque::from([step]), now, out);
}

/// Dispatches the attempt after `so_far` to the fleet. A unit whose input cannot be rendered fails without one.
pub(super) fn dispatch(run: &mut Run, unit: Unit, so_far: Attempts, now: Timestamp, out: &mut Advanced) {
    if let Err(end) = attempt(run, unit, so_far, now, out) {
        end_unit(run, unit, *end, now, out);
    }
}

/// Goes on with a unit whose time has come: a wait is over, or an attempt is due.
pub(super) fn time_has_come(run: &mut Run, unit: Unit, so_far: Attempts, now: Timestamp, out: &mut Advanced) {
    let began = so_far.dispatched_at;
    let step = &run.workflow.steps[unit.step.at()];
    if step.uses == WAIT && began != Timestamp::default() {
        let end = ended(run, Outcome::Succeeded, so_far, now, None);
        return end_unit(run, unit, Ended { started_at: Some(began), ..end }, now, out);
    }
    if step.fan.is_some() && unit.item.is_none() {
        if let Err(end) = fan::begin(run, unit.step, now, out) {
            end_unit(run, unit, *end, now, out);
        }
        return;
    }
    dispatch(run, unit, so_far, now, out);
}

/// Judges the edges of the steps that have `ended`, starts what is `ready`, and so on until nothing follows any more.
/// Each edge is judged once.
pub(super) fn follow(
    run: &mut Run,
    mut ended: Vec<StepIndex>,
    mut ready: VecDeque<StepIndex>,
    now: Timestamp,
    out: &mut Advanced,
) {
    let workflow = Arc::clone(&run.workflow);
    loop {
        while let Some(step) = ended.pop() {
            let Some(ending) = run.ending(step) else { continue };
            for (dependent, status) in workflow.graph.dependent_edges(step) {
                // Counted even where it no longer matters, so that the count is the one that a reload makes.
                run.tallies[dependent.at()].count(status.judge(ending));
                if run.steps[dependent.at()] != StepState::Waiting {
                    continue;
                }
                let tally = run.tally(dependent);
                match workflow.steps[dependent.at()].rule.readiness(tally) {
                    // Nothing can come of it, and version 0.1, which may go on with the run, has skipped it by now.
                    Readiness::Waits if workflow.success_only && tally.failed > 0 => {
                        let end = skipped(run, dependent, now);
                        mark_ended(run, dependent, end, out);
                        ended.push(dependent);
                    }
                    Readiness::Waits => {}
                    Readiness::Starts => ready.push_back(dependent),
                    Readiness::Never => {
                        let end = skipped(run, dependent, now);
                        mark_ended(run, dependent, end, out);
                        ended.push(dependent);
                    }
                }
            }
        }
        let Some(step) = ready.pop_front() else { return };
        // Where one dependency is enough, several may have come true at once.
        let is_waiting = run.may_begin() && run.steps[step.at()] == StepState::Waiting;
        if !is_waiting {
            continue;
        }
        if run.wants(step).next().is_some() {
            // It stays as it is, and is woken at once with what it needs.
            out.actions.push(Action::Set(now, RunTimer::Retry(step.into())));
            continue;
        }
        if out.actions.len() >= workflow.max_actions || child::is_much(out) {
            ready.push_front(step);
            return hold_over(run, ready, now, out);
        }
        if let Err(end) = begin(run, step, now, out) {
            mark_ended(run, step, *end, out);
            ended.push(step);
        }
    }
}

/// Leaves steps that are ready to the next advances: to that of the start timer, or to one of their own where they have to be
/// lent outputs by then.
fn hold_over(run: &Run, ready: VecDeque<StepIndex>, now: Timestamp, out: &mut Advanced) {
    let (mut woken, mut is_left) = (Vec::new(), false);
    for step in ready.into_iter().filter(|step| run.steps[step.at()] == StepState::Waiting) {
        match run.uses_apart(step) {
            true => woken.push(step),
            false => is_left = true,
        }
    }
    let start = is_left.then_some(RunTimer::Start);
    let timers = woken.into_iter().map(|step| RunTimer::Retry(step.into())).chain(start);
    out.actions.extend(timers.map(|timer| Action::Set(now, timer)));
}

/// Begins a step whose rule holds: its condition is evaluated, and its time waited for. A step that ends without an attempt
/// is answered with its end.
fn begin(run: &mut Run, step: StepIndex, now: Timestamp, out: &mut Advanced) -> Result<(), Box<Ended>> {
    let workflow = Arc::clone(&run.workflow);
    let definition = &workflow.steps[step.at()];
    let none = Attempts::default();
    match condition_holds(run, definition) {
        Ok(true) => {}
        Ok(false) => {
            let source = definition.condition.as_ref().map_or("", |condition| condition.source());
            let reason = Some(format!("its condition is false: {source}"));
            return Err(Box::new(ended(run, Outcome::Skipped, none, now, reason)));
        }
        Err(problem) => return Err(Box::new(ended(run, Outcome::Failed, none, now, Some(problem)))),
    }
    if let Some(time) = definition.not_before
        && let Some(until) = time.on_day_of(run.spec.scheduled_at, &workflow.timezone)
        && until > now
    {
        hold(run, step.into(), none, until, format!("not before {time}"), out);
        return Ok(());
    }
    if definition.fan.is_some() {
        return fan::begin(run, step, now, out);
    }
    attempt(run, step.into(), none, now, out)
}

/// The end of a step whose rule does not hold, with the first dependency that is why.
fn skipped(run: &Run, step: StepIndex, now: Timestamp) -> Ended {
    let workflow = &run.workflow;
    let rule = workflow.steps[step.at()].rule;
    let judged = |wanted: &[Judgement]| {
        let mut edges = workflow.graph.dependency_edges(step);
        edges
            .find(|(on, status)| run.ending(*on).is_some_and(|ending| wanted.contains(&status.judge(ending))))
    };
    let why = match rule {
        TriggerRule::AllSuccess => judged(&[Judgement::Failed, Judgement::PassedOver]),
        TriggerRule::NoneFailed => judged(&[Judgement::Failed]),
        TriggerRule::AllFailed => judged(&[Judgement::Met, Judgement::PassedOver]),
        TriggerRule::NoneSkipped => judged(&[Judgement::PassedOver]),
        TriggerRule::AllFinished | TriggerRule::OneSuccess | TriggerRule::OneFailed => None,
    };
    let reason = match why {
        Some((on, status)) => {
            let name = &workflow.steps[on.at()].name;
            match (rule, status) {
                (TriggerRule::AllSuccess, Status::Success | Status::Finished) => {
                    format!("step {name} did not succeed")
                }
                (TriggerRule::AllSuccess, Status::Failed) => {
                    let is_excused = run
                        .outcome_of(on)
                        .is_some_and(|outcome| !matches!(outcome, Outcome::Succeeded | Outcome::Skipped));
                    let what = if is_excused { "failed, which is excused" } else { "did not fail" };
                    format!("step {name} {what}")
                }
                (TriggerRule::AllSuccess, Status::Ran) => format!("step {name} was skipped"),
                (TriggerRule::AllSuccess, Status::Skipped) => format!("step {name} was not skipped"),
                (rule, _) => format!("{rule} does not hold: step {name} is why"),
            }
        }
        None => format!("{rule} does not hold: no step ended so"),
    };
    let after_failure = run.tally(step).failed > 0;
    let end = ended(run, Outcome::Skipped, Attempts::default(), now, Some(reason));
    Ended { after_failure, ..end }
}
