//! A unit whose locks or whose rate is granted, refused or taken away. It has locks until its attempt is over: one that was lost
//! goes on with what it had, and one that has to wait for its next attempt gives it back. A reserve of a rate is for one attempt:
//! what that did not use of it is given back.

use super::ending::ended;
use super::lock::ask_again;
use super::reserve::{asker_of, let_go};
use super::step::{dispatch, end_unit};
use super::unit::clear_retry;
use crate::lock::LockName;
use crate::run::{Action, Advanced, Attempts, Hold, Refusal, Run, RunTimer, StepState};
use crate::{Outcome, Timestamp, Unit};

/// Applies a grant: the attempt starts, or the unit asks for what else it needs. One that has it already goes on.
pub(super) fn granted(
    run: &mut Run,
    unit: Unit,
    attempt: u32,
    locks: &[LockName],
    token: u64,
    now: Timestamp,
    out: &mut Advanced,
) -> Result<(), Refusal> {
    let hold = asked(run, unit, attempt, locks)?;
    let attempts = match (hold, run.state_of(unit)) {
        (Hold { token: None, .. }, Some(StepState::Locking { attempts, .. })) => *attempts,
        _ => return Ok(()),
    };
    run.holds.entry(unit).or_default().note(Hold { token: Some(token), ..hold });
    dispatch(run, unit, attempts, now, out);
    clear_retry(run, unit, out);
    Ok(())
}

/// Ends a unit that will never be granted what it asked for.
pub(super) fn refused(
    run: &mut Run,
    unit: Unit,
    attempt: u32,
    reason: String,
    now: Timestamp,
    out: &mut Advanced,
) -> Result<(), Refusal> {
    asked(run, unit, attempt, &[])?;
    let Some(StepState::Locking { attempts, .. }) = run.state_of(unit) else {
        return Err(Refusal::NotExpected(unit));
    };
    let end = ended(run, Outcome::Failed, *attempts, now, Some(reason));
    // There is nothing to be taken back of what was refused.
    if let Some(holds) = run.holds.get_mut(&unit) {
        holds.locks = holds.locks.filter(|hold| hold.token.is_some());
        holds.rate = holds.rate.filter(|hold| hold.token.is_some());
    }
    out.actions.push(Action::Clear(RunTimer::Retry(unit)));
    end_unit(run, unit, end, now, out);
    Ok(())
}

/// Applies that somebody has released what a unit holds: it goes on without it. One that waits asks anew.
pub(super) fn taken(
    run: &mut Run,
    unit: Unit,
    attempt: u32,
    locks: &[LockName],
    now: Timestamp,
    out: &mut Advanced,
) -> Result<(), Refusal> {
    let hold = asked(run, unit, attempt, locks)?;
    let state = run.state_of(unit).cloned();
    if hold.token.is_none() {
        ask_again(run, unit, now, out);
        return Ok(());
    }
    if let Some(place) = run.holds.entry(unit).or_default().of_group(hold.group) {
        *place = None;
    }
    let state = match state {
        Some(StepState::Dispatched(attempts)) => StepState::Dispatched(noted(run, attempts)),
        Some(StepState::Child { attempts, workflow, waits }) => {
            StepState::Child { attempts: noted(run, attempts), workflow, waits }
        }
        // It has a rate to wait for, and asks for its locks again when it has that.
        Some(StepState::Locking { attempts, since, wants }) => {
            StepState::Locking { attempts: noted(run, attempts), since, wants }
        }
        _ => return Ok(()),
    };
    run.set_state(unit, state);
    out.units.push(unit);
    Ok(())
}

fn noted(run: &Run, attempts: Attempts) -> Attempts {
    Attempts { advance: run.this_advance(), ..attempts }
}

/// What a unit has asked for, when that was for this attempt: the locks that are named, or else what it waits for.
fn asked(run: &Run, unit: Unit, attempt: u32, locks: &[LockName]) -> Result<Hold, Refusal> {
    let holds = run.holds_of(unit).copied().unwrap_or_default();
    let hold = match locks.first().map(LockName::group) {
        Some(group) => holds.all().find(|hold| hold.group == group).copied(),
        None => holds.awaited().or_else(|| holds.all().next()).copied(),
    };
    match hold {
        Some(hold) if hold.attempt == attempt => Ok(hold),
        Some(_) => Err(Refusal::StaleAttempt { unit, attempt }),
        None if run.state_of(unit).is_some() || run.has_begun(unit) => {
            Err(Refusal::StaleAttempt { unit, attempt })
        }
        None => Err(Refusal::NoSuchUnit(unit)),
    }
}

/// Releases what units hold that have changed, and have no attempt under way any more. A child has used the rate of its step
/// when it begins.
pub(super) fn release(run: &mut Run, out: &mut Advanced) {
    if run.holds.is_empty() {
        return;
    }
    let ended = out.ended_items.iter().map(|(unit, _)| *unit);
    for unit in out.units.iter().copied().chain(ended).collect::<Vec<_>>() {
        let (needs_locks, needs_rate) = match run.state_of(unit) {
            Some(StepState::Locking { .. } | StepState::Dispatched(_)) => (true, true),
            Some(StepState::Child { .. }) => (true, false),
            _ => (false, false),
        };
        let Some(holds) = run.holds.get_mut(&unit) else { continue };
        let locks = if needs_locks { None } else { holds.locks.take() };
        let rate = if needs_rate { None } else { holds.rate.take() };
        if holds.is_empty() {
            run.holds.remove(&unit);
        }
        for hold in locks.into_iter().chain(rate) {
            let released = let_go(run, unit, hold);
            let asker = asker_of(run, unit, hold);
            let is_of_it = |action: &Action| matches!(action, Action::AskLocks(ask) if ask.asker == asker);
            // What was asked for by this very advance was not sent yet.
            let asked = out.actions.len();
            out.actions.retain(|action| !is_of_it(action));
            if out.actions.len() == asked {
                out.actions.push(released);
            }
        }
    }
}
