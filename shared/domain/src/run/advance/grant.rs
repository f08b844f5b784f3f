//! A unit whose locks are granted, refused or taken away. It has them until its attempt is over: one that was lost goes on with
//! what it had, and one that has to wait for its next attempt gives it back.

use super::ending::ended;
use super::lock::ask_again;
use super::step::{dispatch, end_unit};
use super::unit::clear_retry;
use crate::run::{Action, Advanced, Attempts, Hold, Refusal, Run, RunTimer, StepState};
use crate::{Outcome, TaskId, Timestamp, Unit};

/// Applies a grant: the attempt starts. One that has it already goes on.
pub(super) fn granted(
    run: &mut Run,
    unit: Unit,
    attempt: u32,
    token: u64,
    now: Timestamp,
    out: &mut Advanced,
) -> Result<(), Refusal> {
    let attempts = match (asked(run, unit, attempt)?, run.state_of(unit)) {
        (Hold { token: None, .. }, Some(StepState::Locking { attempts, .. })) => *attempts,
        _ => return Ok(()),
    };
    let group = run.holds.get(&unit).map(|hold| hold.group);
    run.holds.extend(group.map(|group| (unit, Hold { attempt, group, token: Some(token) })));
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
    asked(run, unit, attempt)?;
    let Some(StepState::Locking { attempts, .. }) = run.state_of(unit) else {
        return Err(Refusal::NotExpected(unit));
    };
    let end = ended(run, Outcome::Failed, *attempts, now, Some(reason));
    // There is nothing to be taken back.
    run.holds.remove(&unit);
    out.actions.push(Action::Clear(RunTimer::Retry(unit)));
    end_unit(run, unit, end, now, out);
    Ok(())
}

/// Applies that somebody has released what a unit holds: it goes on without it. One that waits asks anew.
pub(super) fn taken(
    run: &mut Run,
    unit: Unit,
    attempt: u32,
    now: Timestamp,
    out: &mut Advanced,
) -> Result<(), Refusal> {
    asked(run, unit, attempt)?;
    if let Some(StepState::Locking { .. }) = run.state_of(unit) {
        ask_again(run, unit, now, out);
        return Ok(());
    }
    run.holds.remove(&unit);
    let state = match run.state_of(unit).cloned() {
        Some(StepState::Dispatched(attempts)) => StepState::Dispatched(noted(run, attempts)),
        Some(StepState::Child { attempts, workflow, waits }) => {
            StepState::Child { attempts: noted(run, attempts), workflow, waits }
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

/// What a unit has asked for, when that was for this attempt.
fn asked(run: &Run, unit: Unit, attempt: u32) -> Result<Hold, Refusal> {
    match run.hold_of(unit) {
        Some(hold) if hold.attempt == attempt => Ok(*hold),
        Some(_) => Err(Refusal::StaleAttempt { unit, attempt }),
        None if run.state_of(unit).is_some() || run.has_begun(unit) => {
            Err(Refusal::StaleAttempt { unit, attempt })
        }
        None => Err(Refusal::NoSuchUnit(unit)),
    }
}

/// Releases what units hold that have changed, and have no attempt under way any more.
pub(super) fn release(run: &mut Run, out: &mut Advanced) {
    if run.holds.is_empty() {
        return;
    }
    let ended = out.ended_items.iter().map(|(unit, _)| *unit);
    for unit in out.units.iter().copied().chain(ended).collect::<Vec<_>>() {
        let needs_it = matches!(
            run.state_of(unit),
            Some(StepState::Locking { .. } | StepState::Dispatched(_) | StepState::Child { .. })
        );
        if needs_it {
            continue;
        }
        if let Some(Hold { attempt, group, .. }) = run.holds.remove(&unit) {
            let asker = TaskId { run: run.id, unit, attempt }.into();
            // What was asked for by this very advance was not sent yet.
            let asked = out.actions.len();
            out.actions.retain(|action| !matches!(action, Action::AskLocks(ask) if ask.asker == asker));
            if out.actions.len() == asked {
                out.actions.push(Action::ReleaseLocks { asker, group });
            }
        }
    }
}
