//! A run whose workflow allows only so many at a time: it asks for a slot before it starts, and again until it has one, and
//! gives it back when it has ended.

use std::time::Duration;

use super::child::LONGEST_ASK;
use super::stop::stop;
use crate::lock::Asker;
use crate::run::{Action, Advanced, Refusal, Run, RunState, RunTimer, Slot};
use crate::{Outcome, Timestamp};

/// The first wait before a slot is asked for again: a letter may be lost with a store.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// Asks for a slot. `false` where the run needs none.
pub(super) fn ask(run: &mut Run, now: Timestamp, out: &mut Advanced) -> bool {
    let slot = match run.wanted_slot(now) {
        Ok(None) => return false,
        Ok(Some(slot)) => slot,
        Err(problem) => {
            // Nothing has begun yet that could refuse to be stopped.
            let _ = stop(run, Outcome::Failed, &problem, now, out);
            return true;
        }
    };
    run.head.state = RunState::Waiting;
    run.head.reason = Some(run.slot_words(&slot));
    out.head = true;
    out.actions.extend(run.slot_ask(&slot).map(|ask| Action::AskLocks(Box::new(ask))));
    out.actions.push(Action::Set(now + ASK_AGAIN, RunTimer::Start));
    run.head.slot = Some(Box::new(slot));
    true
}

/// Asks once more for a slot that has not been granted. `false` where the run has not asked yet.
pub(super) fn ask_again(run: &Run, now: Timestamp, out: &mut Advanced) -> bool {
    let Some(slot) = &run.head.slot else { return false };
    out.actions.extend(run.slot_ask(slot).map(|ask| Action::AskLocks(Box::new(ask))));
    let wait = (now.since(slot.since) / 4).clamp(ASK_AGAIN, LONGEST_ASK);
    out.actions.push(Action::Set(now + wait, RunTimer::Start));
    true
}

/// Notes a grant. `false` where the run had it already.
pub(super) fn granted(run: &mut Run, now: Timestamp) -> Result<bool, Refusal> {
    let slot = run.head.slot.as_deref_mut().ok_or(Refusal::RunNotWaiting)?;
    if run.head.state != RunState::Waiting || slot.granted_at.is_some() {
        return Ok(false);
    }
    slot.granted_at = Some(now);
    run.head.reason = None;
    Ok(true)
}

/// Ends a run that will never be granted a slot.
pub(super) fn refused(
    run: &mut Run,
    outcome: Outcome,
    reason: &str,
    now: Timestamp,
    out: &mut Advanced,
) -> Result<(), Refusal> {
    if run.head.state != RunState::Waiting || run.awaited_slot().is_none() {
        return Err(Refusal::RunNotWaiting);
    }
    // There is nothing to be taken back, unless it has asked again meanwhile: that would wait on, and count.
    run.head.slot.take_if(|slot| now.since(slot.since) < ASK_AGAIN);
    stop(run, outcome, reason, now, out)
}

/// Stops a run whose place another takes, unless it comes to its end already: its hooks have their turn.
pub(super) fn displaced(
    run: &mut Run,
    reason: &str,
    now: Timestamp,
    out: &mut Advanced,
) -> Result<(), Refusal> {
    if run.head.slot.is_none() {
        return Err(Refusal::RunNotWaiting);
    }
    match run.head.stopping.is_some() || run.head.hooks_since.is_some() {
        true => Ok(()),
        false => stop(run, Outcome::Cancelled, reason, now, out),
    }
}

/// Applies that somebody has released the slot of a run: it goes on without it. One that waits asks anew.
pub(super) fn taken(run: &mut Run, now: Timestamp, out: &mut Advanced) -> Result<(), Refusal> {
    if run.head.slot.is_none() {
        return Err(Refusal::RunNotWaiting);
    }
    if run.head.state == RunState::Waiting {
        // One that is paused may have had it.
        if let Some(slot) = run.head.slot.as_deref_mut().filter(|slot| slot.granted_at.is_some()) {
            slot.granted_at = None;
            out.head = true;
        }
        ask_again(run, now, out);
        return Ok(());
    }
    run.head.slot = None;
    out.head = true;
    Ok(())
}

/// Gives back the slot of a run that has ended, or what it had asked for.
pub(super) fn release(run: &Run, out: &mut Advanced) {
    if let Some(Slot { name, .. }) = run.head.slot.as_deref() {
        out.actions.push(Action::ReleaseLocks {
            asker: Asker::of_run(run.id),
            group: name.group(),
            used: None,
        });
    }
}
