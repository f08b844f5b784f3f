//! What a paused run does meanwhile: what of it is queued is taken back, again and again, until nothing is with the fleet; and
//! how a pause ends.

use std::time::Duration;

use super::fan::LOOK_AGAIN;
use crate::Timestamp;
use crate::run::{Action, Advanced, Run, RunTimer};

/// The longest wait between two looks at a paused run of which something is with the fleet.
pub(in crate::run) const LONGEST_LOOK: Duration = Duration::from_secs(60);

/// Looks at a paused run: what is queued is taken back where nobody has claimed it. `false` when nothing is with the fleet.
pub(super) fn look(run: &Run, now: Timestamp, out: &mut Advanced) -> bool {
    let Some(paused) = &run.head.paused else { return false };
    if !take_back(run, out) {
        return false;
    }
    // A worker that goes hands back what it has not ended, and the store may not have answered.
    let wait = (now.since(paused.at) / 4).clamp(LOOK_AGAIN, LONGEST_LOOK);
    let is_set = |action: &Action| matches!(action, Action::Set(_, RunTimer::CancelCheck));
    if !out.actions.iter().any(is_set) {
        out.actions.push(Action::Set(now + wait, RunTimer::CancelCheck));
    }
    true
}

/// Has the attempts taken back that nobody has claimed. `false` when nothing is with the fleet.
pub(super) fn take_back(run: &Run, out: &mut Advanced) -> bool {
    let tasks: Vec<_> = run.dispatched().map(|(unit, attempts)| (unit, attempts.attempt)).collect();
    let is_any = !tasks.is_empty();
    out.actions.extend(is_any.then_some(Action::TakeBack { tasks }));
    is_any
}

/// Ends the pause of a run, if there is one. `true` when there was.
pub(super) fn lift(run: &mut Run, out: &mut Advanced) -> bool {
    let was_paused = run.head.paused.take().is_some();
    out.head |= was_paused;
    was_paused
}

/// Clears the timer of the next look at a run that is resumed. Where items are given up, that is what looks at them.
pub(super) fn look_no_more(run: &Run, out: &mut Advanced) {
    if !run.workflow.gives_items_up() {
        out.actions.push(Action::Clear(RunTimer::CancelCheck));
    }
}
