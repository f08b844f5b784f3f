//! An act of somebody on a unit that waits, or asks: it is tried again, skipped, or ends as somebody says.

use super::answer::answer;
use super::ending::ended;
use super::step::{dispatch, end_unit};
use super::unit::clear_retry;
use crate::definition::check_outputs;
use crate::run::act::{Act, Deed, Done, REMEMBERED};
use crate::run::large::{LARGE_OUTPUT_BYTES, MAX_OUTPUT_BYTES, bytes_of, too_large};
use crate::run::{Action, Advanced, Attempts, Ended, Refusal, Run, RunState, RunTimer, StepState};
use crate::{Outcome, Timestamp};

/// Applies an act that was not applied before.
///
/// # Errors
/// When the unit does not stand so that this can be done to it, with a text for whoever acts.
pub(super) fn act(run: &mut Run, act: Act, now: Timestamp, out: &mut Advanced) -> Result<(), Refusal> {
    let so_far = run.allows(&act)?;
    let unit = act.unit;
    if act.deed.is_answer() {
        remember(run, act.remembered(), out);
        answer(run, act, now, out);
        return Ok(());
    }
    let asked = match run.state_of(unit) {
        Some(StepState::Asking { end, .. }) => Some(end.clone()),
        _ => None,
    };
    let had_timer = matches!(
        run.state_of(unit),
        Some(StepState::Backoff { .. } | StepState::Asking { .. } | StepState::Locking { .. })
    ) || run.is_woken(unit.step);
    let reason = Some(act.to_string());
    let given = match &act.deed {
        Deed::Succeed { outputs } => run.marked_outputs(&act, outputs).ok(),
        _ => None,
    };
    remember(run, act.remembered(), out);
    let (outcome, outputs) = match act.deed {
        Deed::Retry => {
            // One that was lost too often is not lost by that.
            let limit = run.workflow.steps[unit.step.at()].lost_limit();
            let so_far = Attempts { lost: so_far.lost.min(limit), ..so_far };
            dispatch(run, unit, so_far, now, out);
            clear_retry(run, unit, out);
            return Ok(());
        }
        Deed::Skip => (Outcome::Skipped, None),
        Deed::Fail => (Outcome::Failed, run.not_approved(&act)),
        Deed::Succeed { outputs } => (Outcome::Succeeded, Some(given.unwrap_or(outputs))),
        Deed::Approve | Deed::Reject | Deed::Supply { .. } => return Ok(()),
    };
    if had_timer {
        out.actions.push(Action::Clear(RunTimer::Retry(unit)));
    }
    let end = ended(run, outcome, so_far, now, reason);
    let end = match asked {
        Some(asked) => Ended { started_at: asked.started_at, code: asked.code, worker: asked.worker, ..end },
        None => end,
    };
    let end = Ended { outputs: outputs.unwrap_or_default(), by: Some(act.by), ..end };
    end_unit(run, unit, end, now, out);
    Ok(())
}

/// Remembers an act, so that it is known when it comes again.
pub(super) fn remember(run: &mut Run, done: Done, out: &mut Advanced) {
    let acts = &mut run.head.acts;
    acts.push(done);
    let forgotten = acts.len().saturating_sub(REMEMBERED);
    acts.drain(..forgotten);
    out.head = true;
}

impl Run {
    /// Whether an act was applied to the run before, as far as it remembers.
    ///
    /// # Errors
    /// When what was applied under its id was something else.
    pub fn has_seen(&self, act: &Act) -> Result<bool, Refusal> {
        self.has_done(&act.remembered())
    }

    /// Whether something was done to the run before, as far as it remembers.
    pub(in crate::run) fn has_done(&self, act: &Done) -> Result<bool, Refusal> {
        match self.head.acts.iter().find(|done| done.id == act.id) {
            Some(done) if done == act => Ok(true),
            Some(_) => Err(Refusal::AnotherAct(act.id.clone())),
            None => Ok(false),
        }
    }

    /// The last attempt of a unit; 0 where it had none, and for an item that has ended or not begun.
    pub fn last_attempt(&self, unit: crate::Unit) -> u32 {
        match self.state_of(unit) {
            Some(
                StepState::Dispatched(attempts)
                | StepState::Backoff { attempts, .. }
                | StepState::Locking { attempts, .. }
                | StepState::Child { attempts, .. },
            ) => attempts.attempt,
            Some(StepState::Asking { end, .. }) => end.attempts.attempt,
            Some(StepState::Ended(end)) => end.attempts.attempt,
            Some(StepState::Waiting | StepState::Fanned(_)) | None => 0,
        }
    }

    /// The attempts so far of the unit of an act, where it stands so that this can be done to it.
    ///
    /// # Errors
    /// When it does not, with a text for whoever acts.
    pub fn allows(&self, act: &Act) -> Result<Attempts, Refusal> {
        let unit = act.unit;
        let refuse = |why: &str| Err(Refusal::Act { unit, why: why.to_owned() });
        self.asks_for(act)?;
        let so_far = match self.state_of(unit) {
            None if self.has_begun(unit) => return refuse("it has ended"),
            None => return Err(Refusal::NoSuchUnit(unit)),
            Some(StepState::Waiting) if self.is_held_back(unit.step) => {
                return refuse("it is a hook of the run, whose turn has not come");
            }
            // What waits for it must not start before what it waits for itself.
            Some(StepState::Waiting) => match self.waits_for(unit.step).next() {
                Some(on) => {
                    let name = self.workflow.steps[on.at()].name.as_str();
                    return refuse(&format!("its turn has not come: it waits for {name}"));
                }
                None => Attempts::default(),
            },
            Some(StepState::Backoff { attempts, .. }) => *attempts,
            Some(StepState::Locking { .. }) if act.deed == Deed::Retry => {
                return refuse("it waits for locks, and its next attempt starts as soon as it has them");
            }
            Some(StepState::Locking { attempts, .. }) => *attempts,
            Some(StepState::Asking { end, .. }) => end.attempts,
            Some(StepState::Dispatched(_)) => {
                return refuse("an attempt of it is with the fleet: wait for that to end, or cancel the run");
            }
            Some(StepState::Child { .. }) => {
                return refuse(
                    "its run is under way: act on the steps of that, which `millrace runs tree` shows",
                );
            }
            Some(StepState::Fanned(_)) => {
                return refuse("it has items: say which, by its place in the list (--item N)");
            }
            Some(StepState::Ended(end)) => return refuse(&format!("it has ended: {}", end.outcome)),
        };
        if so_far.attempt != act.attempt {
            return Err(Refusal::StaleAttempt { unit, attempt: act.attempt });
        }
        match self.head.state {
            RunState::Waiting => return refuse("its run has not started: cancel that, or let it start"),
            RunState::Running if self.head.is_stopping() => return refuse("its run is being stopped"),
            RunState::Running => {}
            _ => return Err(Refusal::RunEnded(self.id)),
        }
        match &act.deed {
            Deed::Retry if so_far.attempt == 0 => refuse("it had no attempt that could be tried again"),
            Deed::Succeed { outputs } => match self.marked_outputs(act, outputs) {
                Ok(outputs) => self.allows_outputs(unit, &outputs).map(|()| so_far),
                Err(why) => refuse(&why),
            },
            Deed::Approve | Deed::Reject | Deed::Supply { .. } => self.allows_answer(act).map(|()| so_far),
            Deed::Retry | Deed::Skip | Deed::Fail => Ok(so_far),
        }
    }

    /// Why an act was refused, for whoever acts.
    pub fn why_refused(&self, act: &Act, refusal: &Refusal) -> String {
        let name = self.workflow.step(act.unit.step).map(|step| step.name.as_str()).unwrap_or("?");
        let name = match act.unit.item {
            None => format!("step {name}"),
            Some(item) => format!("item {item} of step {name}"),
        };
        let done = act.deed.done();
        match refusal {
            Refusal::Act { why, .. } => format!("{name} cannot be {done}: {why}"),
            Refusal::StaleAttempt { .. } => {
                format!("{name} cannot be {done}: it has gone on since it was looked at; look again")
            }
            Refusal::NoSuchUnit(_) => format!("{name} cannot be {done}: it has not begun, or does not exist"),
            Refusal::RunEnded(_) => {
                let again = match (&act.deed, self.can_be_continued()) {
                    (Deed::Retry, Ok(())) => {
                        format!(
                            "; a run that has ended goes on as another: `millrace runs retry {}`, without a step",
                            self.id
                        )
                    }
                    _ => String::new(),
                };
                format!("{name} cannot be {done}: its run has ended: {}{again}", self.head.state.as_str())
            }
            Refusal::AnotherAct(id) => {
                format!("{name} was not {done}: the idempotency key {id:?} belongs to another act")
            }
            Refusal::NotExpected(_) | Refusal::RunNotWaiting | Refusal::RunAct(_) => {
                format!("{name} cannot be {done} now")
            }
        }
    }

    /// Whether somebody may say that a unit gave these outputs: they are of the declared types, and small, since the history
    /// keeps them with the act.
    fn allows_outputs(
        &self,
        unit: crate::Unit,
        outputs: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<(), Refusal> {
        let refuse = |why: String| Err(Refusal::Act { unit, why });
        let step = self.workflow.step(unit.step);
        // What its items gave is what such a step gives.
        if unit.item.is_none() && step.is_some_and(|step| step.fan.is_some()) {
            return match outputs.is_empty() {
                true => Ok(()),
                false => {
                    refuse("a step with items gives the list of what these gave, and nothing else".to_owned())
                }
            };
        }
        let declared = step.map(|step| &*step.outputs).unwrap_or_default();
        if let Err(why) = check_outputs(declared, &mut outputs.clone(), true) {
            return refuse(format!("it declares what it gives: {why}"));
        }
        let (bytes, of_others) = (bytes_of(outputs), self.bytes_of_items(unit));
        if bytes > LARGE_OUTPUT_BYTES {
            return refuse(too_large(bytes, LARGE_OUTPUT_BYTES));
        }
        if of_others + bytes > MAX_OUTPUT_BYTES {
            return refuse(format!("with these, {}", too_large(of_others + bytes, MAX_OUTPUT_BYTES)));
        }
        Ok(())
    }

    /// The bytes of what the items gave of the step whose item this is.
    pub(super) fn bytes_of_items(&self, unit: crate::Unit) -> u64 {
        match self.steps.get(unit.step.at()) {
            Some(StepState::Fanned(fan)) => fan.fanned.output_bytes,
            _ => 0,
        }
    }
}
