//! Which events need an entry of their own, and what it says.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::child::WORKFLOW;
use crate::run::advance::judged;
use crate::run::large::{UNENDED_OUTPUT_BYTES, bytes_of};
use crate::run::{Advanced, Ended, Event, Refusal, Run, StepState, advance};
use crate::task::TaskResult;
use crate::{Outcome, StepIndex, Timestamp, Unit};

/// The last advance whose event is noted, where it happened to a unit: 100,000 items that are tried 100 times each
/// must not fill the store. What stops a run, and what people do, is noted whatever its number.
const LAST_NOTED: u64 = 250_000;

/// An entry of a run's history: an event that no stored end of a unit tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The number of the advance.
    pub n: u64,
    /// When the owner of the run applied the event, by the store's clock.
    pub at: Timestamp,
    /// The event. Of a result the outputs are left out, unless more becomes of them than that the end of its unit has them.
    pub event: Event,
    /// The attempts that a unit had before its time came.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// Whether the outputs of the result are large, and kept apart with the end of its step.
    #[serde(skip)]
    pub apart: bool,
    /// The bytes (JSON) of outputs that were refused for their size, which decides what becomes of their item.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refused_bytes: u32,
    /// The steps whose outputs were lent, where these are others than the event wants and that has made a difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lent: Option<Vec<StepIndex>>,
    /// Why the unit goes on, for people, where the event itself does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether somebody is asked what is to become of the unit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks: bool,
}

impl Entry {
    /// An entry of an event that did what it wanted, with nothing else to be said of it.
    pub(super) fn of(n: u64, at: Timestamp, event: Event) -> Self {
        Self { n, at, event, attempts: 0, apart: false, refused_bytes: 0, lent: None, why: None, asks: false }
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Moves `run` by `event` as [`advance()`] does, and answers the entry that its history needs of it, if any.
///
/// # Errors
/// A [`Refusal`] says why the event has no effect.
pub fn advance_noting(
    run: &mut Run,
    event: &Event,
    now: Timestamp,
) -> Result<(Advanced, Option<Entry>), Refusal> {
    let last = run.last_advance();
    let lending = Lending::before(run, event);
    let attempts = match event {
        Event::RetryDue { unit } => attempts_before(run, *unit),
        _ => 0,
    };
    let advanced = advance(run, event.clone(), now)?;
    let n = run.last_advance();
    let is_bulk = event.unit().is_some() && !matches!(event, Event::Act(_));
    let is_noted = n != last && (n <= LAST_NOTED || !is_bulk);
    if !is_noted {
        return Ok((advanced, None));
    }
    let lent = lending.filter(|lending| lending.matters(run, &advanced)).map(|lending| lending.lent);
    let (mut kept, mut refused_bytes) = (event.clone(), 0);
    if let Event::Result(result) | Event::ChildEnded(result) = &mut kept {
        let end = end_of(run, &advanced, result.id().unit);
        if lent.is_none() && end.is_some_and(|end| tells(run, end, result)) {
            return Ok((advanced, None));
        }
        let outputs = std::mem::take(&mut result.outputs);
        if end.is_some_and(|end| were_refused(run, end, result, &outputs)) {
            refused_bytes = u32::try_from(bytes_of(&outputs)).unwrap_or(u32::MAX);
        } else if bytes_of(&outputs) > UNENDED_OUTPUT_BYTES {
            // An end tells those that it has. Of any others the judgement is kept, which comes to the same.
            if end.is_none_or(|end| end.outputs.is_empty() && end.outputs_bytes == 0) {
                *result =
                    TaskResult { is_typed: true, ..judged(run, TaskResult { outputs, ..result.clone() }) };
            }
        } else if uses_outputs(run, result.step) {
            result.outputs = outputs;
        }
    }
    let (why, asks) = what_follows(run, &kept);
    let entry = Entry { n, at: now, event: kept, attempts, apart: false, refused_bytes, lent, why, asks };
    Ok((advanced, Some(entry)))
}

/// Whether the outputs of an item were refused for their size. Those that are not what its step declares are refused for that,
/// before their size counts.
fn were_refused(run: &Run, end: &Ended, result: &TaskResult, outputs: &Map<String, Value>) -> bool {
    if result.item.is_none() || outputs.is_empty() || !end.outputs.is_empty() {
        return false;
    }
    let whole = TaskResult { outputs: outputs.clone(), ..result.clone() };
    result.outcome != Outcome::Lost && judged(run, whole).outcome == result.outcome
}

/// Why the unit of an event goes on, where the event itself does not say, and whether somebody is asked.
fn what_follows(run: &Run, event: &Event) -> (Option<String>, bool) {
    let said = match event {
        Event::Result(result) | Event::ChildEnded(result) => result.reason.as_ref(),
        Event::Lost { reason, .. } => Some(reason),
        _ => return (None, false),
    };
    match event.unit().and_then(|unit| run.state_of(unit)) {
        Some(StepState::Backoff { reason, .. }) => (reason.clone().filter(|why| Some(why) != said), false),
        Some(StepState::Asking { end, .. }) => (end.reason.clone().filter(|why| Some(why) != said), true),
        _ => (None, false),
    }
}

/// Whether more becomes of a step's outputs than that its end has them: they are held against what is declared, decide
/// whether it is done again, or are kept until somebody has said what is to become of it.
fn uses_outputs(run: &Run, step: StepIndex) -> bool {
    run.workflow.step(step).is_some_and(|step| {
        step.repeat.is_some() || step.retry.ask.is_some() || !step.outputs.is_empty() || step.rate.is_some()
    })
}

/// The result whose end this is, as the event that it was: all that it said is in it.
pub(super) fn told_by(run: &Run, unit: Unit, end: &Ended) -> Option<Event> {
    // What ended without a result has not started, is a step with items, or a wait, ended as somebody has said, or in another run.
    let is_result =
        end.attempts.attempt > 0 && end.items.is_none() && end.by.is_none() && end.carried.is_none();
    let started_at = end.started_at.filter(|_| is_result)?;
    let result = TaskResult {
        run: run.id,
        step: unit.step,
        item: unit.item,
        attempt: end.attempts.attempt,
        outcome: end.outcome,
        started_at,
        ended_at: end.ended_at,
        code: end.code,
        reason: end.reason.clone(),
        outputs: end.outputs.clone(),
        retry_after_ms: None,
        // They are of the declared kinds by now.
        is_typed: true,
        worker: end.worker.clone(),
    };
    let is_child = run.workflow.step(unit.step).is_some_and(|step| step.uses == WORKFLOW);
    Some(if is_child { Event::ChildEnded(result) } else { Event::Result(result) })
}

/// Whether an end says all that the result did which brought it about: outputs that are declared are in it as they were
/// read, which comes to the same.
fn tells(run: &Run, end: &Ended, result: &TaskResult) -> bool {
    let declares = run.workflow.step(result.step).is_some_and(|step| !step.outputs.is_empty());
    let TaskResult {
        run: _,
        step: _,
        item: _,
        attempt,
        outcome,
        started_at,
        ended_at,
        code,
        reason,
        outputs,
        retry_after_ms: _,
        is_typed: _,
        worker,
    } = result;
    end.items.is_none()
        && (end.attempts.attempt, end.outcome, end.started_at) == (*attempt, *outcome, Some(*started_at))
        && (end.ended_at, end.code) == (*ended_at, *code)
        && (&end.reason, &end.worker) == (reason, worker)
        && (end.outputs == *outputs || end.outputs_bytes > 0 || (declares && *outcome == Outcome::Succeeded))
}

/// The end that an advance has given to a unit.
fn end_of<'r>(run: &'r Run, advanced: &'r Advanced, unit: Unit) -> Option<&'r Ended> {
    match (unit.item, run.steps.get(unit.step.at())) {
        (None, Some(StepState::Ended(end))) => Some(end),
        (None, _) => None,
        (Some(_), _) => {
            let mut ends = advanced.ended_items.iter();
            ends.find(|(ended, _)| *ended == unit).map(|(_, end)| &**end)
        }
    }
}

fn attempts_before(run: &Run, unit: Unit) -> u32 {
    match run.state_of(unit) {
        Some(StepState::Backoff { attempts, .. }) => attempts.attempt,
        _ => 0,
    }
}

/// What was lent to a run when an event was applied, and what the event wanted.
struct Lending {
    lent: Vec<StepIndex>,
    wanted: Vec<StepIndex>,
}

impl Lending {
    /// Only a run some of whose outputs are not in memory can be lent any.
    fn before(run: &mut Run, event: &Event) -> Option<Self> {
        if run.elsewhere == 0 {
            return None;
        }
        let lent = std::mem::take(&mut run.lent);
        let wanted = run.wants_lent(event);
        run.lent = lent;
        Some(Self { lent: run.lent.keys().copied().collect(), wanted })
    }

    /// Whether the event might have done otherwise with no more and no less than it wanted. What is lent is lent for a whole
    /// batch: it may be for another event, and an earlier one may have ended a step whose outputs this one wants.
    fn matters(&self, run: &Run, advanced: &Advanced) -> bool {
        let more = |step: &StepIndex| self.lent.contains(step) && !self.wanted.contains(step);
        let uses_more = |unit: &Unit| {
            let step = run.workflow.step(unit.step);
            step.is_some_and(|step| step.inputs.iter().chain(&step.task_inputs).any(more))
        };
        let made_of_more = advanced.head
            && run.workflow.outputs.as_ref().is_some_and(|outputs| outputs.inputs.iter().any(more));
        self.wanted.iter().any(|step| !self.lent.contains(step))
            || advanced.units.iter().any(uses_more)
            || made_of_more
    }
}
