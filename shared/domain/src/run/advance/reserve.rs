//! The reserve of a rate that a unit has for its attempt: what was used of it, and letting go of it.

use crate::lock::{Asker, Need, Used, used_at};
use crate::run::declared::cost_of;
use crate::run::{Action, Advanced, Hold, Run};
use crate::task::TaskResult;
use crate::{TaskId, Timestamp, Unit};

/// Notes what an attempt has used of its reserve: what it says, or else all of it.
pub(super) fn note_used(run: &mut Run, result: &TaskResult, now: Timestamp) {
    let Some(per) = run.workflow.step(result.step).and_then(|step| Some(step.rate.as_deref()?.per)) else {
        return;
    };
    let at = used_at(result.ended_at.since(result.started_at), per, now);
    let Some(rate) = run.holds.get_mut(&result.id().unit).and_then(|holds| holds.rate.as_mut()) else {
        return;
    };
    let reserve = u64::from(rate.cost.unwrap_or_default());
    let cost = cost_of(&result.outputs).ok().flatten().unwrap_or(reserve);
    rate.used = Some(Used { cost, at, retry_after_ms: result.retry_after_ms });
}

/// Notes that a unit has used all of its reserve by now.
pub(super) fn spend(run: &mut Run, unit: Unit, now: Timestamp) {
    if let Some(rate) = run.holds.get_mut(&unit).and_then(|holds| holds.rate.as_mut()) {
        let cost = u64::from(rate.cost.unwrap_or_default());
        rate.used = Some(Used { cost, at: now, retry_after_ms: None });
    }
}

/// Gives back the reserve of an attempt that was lost: the next one has one of its own.
pub(super) fn give_up_reserve(run: &mut Run, unit: Unit, out: &mut Advanced) {
    if let Some(rate) = run.holds.get_mut(&unit).and_then(|holds| holds.rate.take()) {
        out.actions.push(let_go(run, unit, rate));
    }
}

/// Who has asked for what a unit holds.
pub(super) fn asker_of(run: &Run, unit: Unit, hold: Hold) -> Asker {
    let need = if hold.cost.is_some() { Need::Rate } else { Need::Locks };
    Asker::of_task(TaskId { run: run.id, unit, attempt: hold.attempt }, need)
}

/// Lets go of what a unit holds.
pub(super) fn let_go(run: &Run, unit: Unit, hold: Hold) -> Action {
    Action::ReleaseLocks { asker: asker_of(run, unit, hold), group: hold.group, used: hold.used }
}
