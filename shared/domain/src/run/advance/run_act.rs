//! An act of somebody on a run as a whole: it is paused, goes on, or gets another priority.
//!
//! While a run is paused nothing of it begins: [`Run::may_begin`] says so, and whatever would begin asks it. A step that becomes
//! ready stays as it is, an item does not begin, and a unit whose next attempt is due waits in backoff. A resume looks
//! through all of these, once.

use std::collections::VecDeque;

use super::act::remember;
use super::pause::{lift, look, look_no_more, take_back};
use super::start::{begin, start};
use super::step::{fill, follow, time_has_come};
use super::unit::{HELD, wait_for_resume};
use crate::run::run_act::{Paused, RunAct, RunDeed};
use crate::run::{Action, Advanced, Attempts, Holds, Refusal, Run, RunState, RunTimer, StepState};
use crate::{Priority, StepIndex, Timestamp, Unit};

/// Applies an act on the run that was not applied before.
///
/// # Errors
/// When the run does not stand so that this can be done to it, with a text for whoever acts.
pub(super) fn run_act(run: &mut Run, act: RunAct, now: Timestamp, out: &mut Advanced) -> Result<(), Refusal> {
    run.allows_run_act(&act)?;
    remember(run, act.remembered(), out);
    match act.deed {
        RunDeed::Pause => {
            run.head.paused = Some(Box::new(Paused { by: act.by, why: act.why, at: now }));
            give_back_asks(run, now, out);
            look(run, now, out);
        }
        RunDeed::Resume => resume(run, now, out),
        RunDeed::Priority { priority } => {
            run.head.given_priority = Some(priority).filter(|priority| *priority != run.spec.priority);
            ask_again_as(run, out);
            take_back(run, out);
        }
    }
    Ok(())
}

/// The units that wait for locks or a rate, with the attempt for which they have asked.
fn asking(run: &Run) -> Vec<(Unit, u32)> {
    let locking = run.open_units().filter(|(_, state)| matches!(state, StepState::Locking { .. }));
    locking.filter_map(|(unit, _)| Some((unit, run.holds_of(unit)?.awaited()?.attempt))).collect()
}

/// Has the units that wait for locks or a rate give back what they have asked for. The number of the attempt is not used again: its
/// grant may be on its way.
fn give_back_asks(run: &mut Run, now: Timestamp, out: &mut Advanced) {
    for (unit, attempt) in asking(run) {
        let Some(StepState::Locking { attempts, .. }) = run.state_of(unit) else { continue };
        let attempts = Attempts { attempt, ..*attempts };
        out.actions.push(Action::Clear(RunTimer::Retry(unit)));
        wait_for_resume(run, unit, attempts, now, out);
    }
}

/// Has the units that wait for locks or a rate ask anew, with the priority of the run. Each keeps its place among those that are alike.
fn ask_again_as(run: &mut Run, out: &mut Advanced) {
    for (unit, attempt) in asking(run) {
        let Some(StepState::Locking { attempts, since, wants }) = run.state_of(unit).cloned() else {
            continue;
        };
        // Of two asks the later attempt counts, and takes the place of what it had.
        let ask = run.ask_of(unit, attempt + 1, wants.clone(), since);
        if let Some(hold) = run.holds.get_mut(&unit).and_then(Holds::awaited_mut) {
            hold.attempt = attempt + 1;
        }
        let attempts = Attempts { attempt, advance: run.this_advance(), ..attempts };
        run.set_state(unit, StepState::Locking { attempts, since, wants });
        out.units.push(unit);
        out.actions.push(Action::AskLocks(Box::new(ask)));
    }
}

/// Lets a run go on with all that was held.
fn resume(run: &mut Run, now: Timestamp, out: &mut Advanced) {
    lift(run, out);
    look_no_more(run, out);
    if run.head.state == RunState::Waiting {
        return match run.head.start_at {
            Some(at) if at > now => {
                let farthest = run.horizon(RunTimer::Start, now).unwrap_or(at);
                out.actions.push(Action::Set(at.min(farthest), RunTimer::Start));
            }
            _ if run.has_slot() => begin(run, now, out),
            // It goes on asking for its slot.
            _ if run.head.slot.is_some() => {}
            _ => start(run, now, out),
        };
    }
    let steps = || (0..run.steps.len()).map(StepIndex::from);
    let is_ready = |step: &StepIndex| run.steps[step.at()] == StepState::Waiting && run.is_woken(*step);
    let ready: VecDeque<StepIndex> = steps().filter(is_ready).collect();
    let fans: Vec<StepIndex> =
        steps().filter(|step| matches!(run.steps[step.at()], StepState::Fanned(_))).collect();
    let waiting: Vec<Unit> = run
        .open_units()
        .filter(|(_, state)| matches!(state, StepState::Backoff { .. }))
        .map(|(unit, _)| unit)
        .collect();
    follow(run, Vec::new(), ready, now, out);
    for unit in waiting {
        // One before it may have ended it, with its step.
        let Some(StepState::Backoff { attempts, until, reason }) = run.state_of(unit) else { continue };
        let attempts = *attempts;
        let is_due = *until <= now || reason.as_deref() == Some(HELD);
        if is_due && out.actions.len() < run.workflow.max_actions {
            time_has_come(run, unit, attempts, now, out);
            continue;
        }
        // Its timer may have gone off meanwhile, by a clock that was ahead.
        let timer = RunTimer::Retry(unit);
        let until = if is_due { (*until).min(now) } else { *until };
        let until = run.horizon(timer, now).map_or(until, |farthest| until.min(farthest));
        out.actions.push(Action::Set(until, timer));
    }
    for step in fans {
        if matches!(run.steps[step.at()], StepState::Fanned(_)) {
            fill(run, step, now, out);
        }
    }
}

impl Run {
    /// Whether an act on the run was applied before, as far as it remembers.
    ///
    /// # Errors
    /// When what was applied under its id was something else.
    pub fn has_seen_run_act(&self, act: &RunAct) -> Result<bool, Refusal> {
        self.has_done(&act.remembered())
    }

    /// The priority of what the run dispatches now.
    pub fn priority(&self) -> Priority {
        self.head.given_priority.unwrap_or(self.spec.priority)
    }

    /// Whether an act on the run can be done as it stands.
    ///
    /// # Errors
    /// When it cannot, with a text for whoever acts.
    pub fn allows_run_act(&self, act: &RunAct) -> Result<(), Refusal> {
        let refuse = |why: String| Err(Refusal::RunAct(why));
        if self.head.state.is_terminal() {
            return Err(Refusal::RunEnded(self.id));
        }
        if self.head.stopping.is_some() {
            return refuse("it is being stopped".to_owned());
        }
        match (&act.deed, &self.head.paused) {
            (RunDeed::Pause, Some(paused)) => refuse(format!("it is {paused} already")),
            (RunDeed::Resume, None) => refuse("it is not paused".to_owned()),
            (RunDeed::Priority { priority }, _) if *priority == self.priority() => {
                refuse(format!("its priority is {priority} already"))
            }
            (RunDeed::Pause, None) | (RunDeed::Resume, Some(_)) | (RunDeed::Priority { .. }, _) => Ok(()),
        }
    }

    /// Why an act on the run was refused, for whoever acts.
    pub fn why_run_act_refused(&self, act: &RunAct, refusal: &Refusal) -> String {
        let done = match act.deed {
            RunDeed::Pause => "paused",
            RunDeed::Resume => "resumed",
            RunDeed::Priority { .. } => "given another priority",
        };
        match refusal {
            Refusal::RunAct(why) => format!("the run cannot be {done}: {why}"),
            Refusal::RunEnded(_) => {
                format!("the run cannot be {done}: it has ended: {}", self.head.state.as_str())
            }
            Refusal::AnotherAct(id) => {
                format!("the run was not {done}: the idempotency key {id:?} belongs to another act")
            }
            _ => format!("the run cannot be {done} now"),
        }
    }
}
