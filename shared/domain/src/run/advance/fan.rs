//! A step that fans out: its items begin as there is room, each in the commit that ended another, and the step ends with the
//! last of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::child;
use super::ending::{ended, mark_ended};
use super::unit::{READING, attempt, hold};
use crate::run::dispatch::items;
use crate::run::large::{MAX_OUTPUT_BYTES, bytes_of};
use crate::run::{Action, Advanced, Attempts, Ended, Fan, Run, RunTimer, StepState};
use crate::{Outcome, StepIndex, Timestamp, Unit};

/// The interval at which what is being stopped is looked at until it has ended.
pub(in crate::run) const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Why items are given up.
pub(super) const TOO_MANY: &str = "too many other items failed";

/// Fans a step out. One that ends at once, since its list is empty or no list, is answered with its end.
pub(super) fn begin(
    run: &mut Run,
    step: StepIndex,
    now: Timestamp,
    out: &mut Advanced,
) -> Result<(), Box<Ended>> {
    if run.wants(step).next().is_some() {
        hold(run, step.into(), Attempts::default(), now, READING.to_owned(), out);
        return Ok(());
    }
    let items = match items(run, step) {
        Ok(items) => items,
        Err(problem) => {
            return Err(Box::new(ended(run, Outcome::Failed, Attempts::default(), now, Some(problem))));
        }
    };
    let fan = Fan::new(items, now);
    if !fan.items.is_empty() {
        out.apart.push((step, serde_json::to_string(&*fan.items).unwrap_or_default()));
    }
    run.steps[step.at()] = StepState::Fanned(Box::new(fan));
    match fill(run, step, now, out) {
        Some(end) => Err(end),
        None => Ok(()),
    }
}

/// Stops a step that has fanned out, with its run. Its items that are with the fleet are waited for.
pub(super) fn stop(run: &mut Run, step: StepIndex, reason: &str, now: Timestamp, out: &mut Advanced) {
    end_waiting(run, step, reason, now, out);
    if let Some(end) = fill(run, step, now, out) {
        mark_ended(run, step, *end, out);
    }
}

/// Begins items while there is room for them; answers the end of the step when none is left.
pub(super) fn fill(run: &mut Run, step: StepIndex, now: Timestamp, out: &mut Advanced) -> Option<Box<Ended>> {
    let workflow = Arc::clone(&run.workflow);
    let policy = workflow.steps[step.at()].fan.as_deref()?;
    let (is_stopping, may_begin) = (run.head.is_stopping(), run.may_begin());
    let this_advance = run.this_advance();
    out.units.push(step.into());
    loop {
        let StepState::Fanned(fan) = &mut run.steps[step.at()] else { return None };
        fan.fanned.advance = this_advance;
        if !may_begin || !fan.has_room(policy) {
            break;
        }
        // What its items use has to be there, and a commit stays small: the step is woken for more.
        if run.tasks_want(step).next().is_some() || child::is_much(out) {
            out.actions.push(Action::Set(now, RunTimer::Retry(step.into())));
            break;
        }
        let StepState::Fanned(fan) = &mut run.steps[step.at()] else { return None };
        let item = fan.fanned.counts.begun;
        fan.fanned.counts.begun += 1;
        let unit = Unit { step, item: Some(item) };
        if let Err(end) = attempt(run, unit, Attempts::default(), now, out) {
            note_end(run, step, item, *end, now, out);
        }
    }
    let StepState::Fanned(fan) = &run.steps[step.at()] else { return None };
    let counts = fan.fanned.counts;
    let is_given_up = is_stopping || fan.fanned.stopping_since.is_some();
    let is_over = fan.open.is_empty() && (is_given_up || counts.begun == counts.total);
    is_over.then(|| over(run, step, fan, now))
}

/// The end of a step whose items have all ended, or will not begin.
fn over(run: &Run, step: StepIndex, fan: &Fan, now: Timestamp) -> Box<Ended> {
    let (outcome, reason) = match (run.head.is_stopping(), &run.workflow.steps[step.at()].fan) {
        (false, Some(policy)) => fan.verdict(policy.tolerate),
        _ => (Outcome::Cancelled, run.head.reason.clone()),
    };
    let end = ended(run, outcome, Attempts::default(), now, reason);
    let items = Some(Box::new(fan.fanned.counts));
    Box::new(Ended { started_at: Some(fan.fanned.began_at), items, ..end })
}

/// Writes down the end of an item. Where too many have failed, those that are left are given up.
pub(super) fn note_end(
    run: &mut Run,
    step: StepIndex,
    item: u32,
    mut end: Ended,
    now: Timestamp,
    out: &mut Advanced,
) {
    let workflow = Arc::clone(&run.workflow);
    let is_stopping = run.head.is_stopping();
    let StepState::Fanned(fan) = &mut run.steps[step.at()] else { return };
    fan.open.remove(&item);
    bound_outputs(fan, &mut end);
    let was_given_up = is_stopping || fan.fanned.stopping_since.is_some();
    fan.count(item, end.outcome, was_given_up, end.reason.as_deref());
    out.ended_items.push((Unit { step, item: Some(item) }, Box::new(end)));
    let Some(policy) = &workflow.steps[step.at()].fan else { return };
    let counts = fan.fanned.counts;
    if policy.fail_fast && !was_given_up && policy.tolerate.is_exceeded(counts.failed, counts.total) {
        fan.fanned.stopping_since = Some(now);
        give_up(run, step, now, out);
    }
}

/// The outputs of all items of a step are bounded: an item that goes past the bound fails.
fn bound_outputs(fan: &mut Fan, end: &mut Ended) {
    if end.outputs.is_empty() {
        return;
    }
    let bytes = bytes_of(&end.outputs);
    if fan.fanned.output_bytes + bytes <= MAX_OUTPUT_BYTES {
        fan.fanned.output_bytes += bytes;
        return;
    }
    end.outputs.clear();
    end.outcome = Outcome::Failed;
    end.reason = Some(format!(
        "the outputs of the items of one step are larger than {MAX_OUTPUT_BYTES} bytes in all: write large data \
         elsewhere and give its place"
    ));
}

/// Gives up the items of a step that have begun: those that wait end, and workers are told to end the others.
fn give_up(run: &mut Run, step: StepIndex, now: Timestamp, out: &mut Advanced) {
    end_waiting(run, step, TOO_MANY, now, out);
    let StepState::Fanned(fan) = &run.steps[step.at()] else { return };
    let tasks: Vec<_> = fan.dispatched(step).map(|(unit, attempts)| (unit, attempts.attempt)).collect();
    let mut is_any = !tasks.is_empty();
    if is_any {
        out.actions.push(Action::Stop { tasks, by_force: false });
    }
    is_any |= child::stop(run, fan.open_units(step), TOO_MANY, false, out);
    if is_any {
        out.actions.push(Action::Set(now + LOOK_AGAIN, RunTimer::CancelCheck));
    }
}

/// Ends the items of a step that wait for their next attempt, for locks or for an answer. Children are not asked after any more.
fn end_waiting(run: &mut Run, step: StepIndex, why: &str, now: Timestamp, out: &mut Advanced) {
    let StepState::Fanned(fan) = &run.steps[step.at()] else { return };
    let asked = |state: &StepState| {
        matches!(state, StepState::Child { .. } | StepState::Locking { .. } | StepState::Asking { .. })
    };
    let asked = fan.open.iter().filter(|(_, state)| asked(state));
    let timers: BTreeSet<RunTimer> =
        asked.map(|(item, _)| RunTimer::Retry(Unit { step, item: Some(*item) })).collect();
    // One that has just begun is not asked after at all, and asks nobody.
    out.actions.retain(|action| !matches!(action, Action::Set(_, timer) if timers.contains(timer)));
    out.actions.extend(timers.iter().copied().map(Action::Clear));
    let waiting = fan.open.iter().filter_map(|(item, state)| match state {
        StepState::Backoff { attempts, .. } | StepState::Locking { attempts, .. } => Some((*item, *attempts)),
        StepState::Asking { end, .. } => Some((*item, end.attempts)),
        _ => None,
    });
    for (item, attempts) in waiting.collect::<Vec<_>>() {
        let timer = RunTimer::Retry(Unit { step, item: Some(item) });
        out.actions.extend((!timers.contains(&timer)).then_some(Action::Clear(timer)));
        let end = ended(run, Outcome::Cancelled, attempts, now, Some(why.to_owned()));
        note_end(run, step, item, end, now, out);
    }
}

/// The steps whose items are given up, and since when.
pub(super) fn given_up(run: &Run) -> impl Iterator<Item = (StepIndex, Timestamp)> + '_ {
    run.steps.iter().enumerate().filter_map(|(step, state)| match state {
        StepState::Fanned(fan) => fan.fanned.stopping_since.map(|since| (step.into(), since)),
        _ => None,
    })
}
