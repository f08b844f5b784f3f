//! A unit that is a run of another workflow: its child is started, asked after until it has told of its end, and stopped
//! with what it is a part of. What becomes of the unit then is in `attempt`.

use std::time::Duration;

use super::ending::ended;
use crate::run::{Action, Advanced, Attempts, Ended, Run, RunTimer, StepState};
use crate::{Outcome, Timestamp, Unit};

/// The first wait before a child is asked after, and the longest: a letter may be lost with a store, and so may the child.
const ASK_AGAIN: Duration = Duration::from_secs(30);
pub(in crate::run) const LONGEST_ASK: Duration = Duration::from_secs(10 * 60);

/// The bytes (JSON) of params that one advance asks children with, before it leaves further ones to the next.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Starts the child that is the attempt after `so_far`. A unit whose input cannot be rendered is answered with its end.
pub(super) fn begin(
    run: &mut Run,
    unit: Unit,
    so_far: Attempts,
    now: Timestamp,
    out: &mut Advanced,
) -> Result<(), Box<Ended>> {
    let attempt = so_far.attempt + 1;
    let attempts = Attempts { attempt, dispatched_at: now, advance: run.this_advance(), ..so_far };
    match run.child_start(unit, &attempts) {
        Ok(start) => {
            let (workflow, waits) = (start.workflow.clone(), start.parent.waits);
            run.set_state(unit, StepState::Child { attempts, workflow, waits });
            out.units.push(unit);
            out.child_bytes += start.param_bytes();
            out.actions.push(Action::StartChild { start: Box::new(start), again: false });
            out.actions.push(Action::Set(now + ASK_AGAIN, RunTimer::Retry(unit)));
            Ok(())
        }
        Err(problem) => Err(Box::new(ended(run, Outcome::Failed, so_far, now, Some(problem)))),
    }
}

/// Asks after a child that has not told of its end: the same start once more, which is answered by one that has ended.
pub(super) fn ask_again(run: &Run, unit: Unit, attempts: Attempts, now: Timestamp, out: &mut Advanced) {
    // Whoever applies the event has lent what is needed. Without it there is another time.
    if run.tasks_want(unit.step).next().is_none()
        && let Ok(start) = run.child_start(unit, &attempts)
    {
        out.actions.push(Action::StartChild { start: Box::new(start), again: true });
    }
    let wait = (now.since(attempts.dispatched_at) / 4).clamp(ASK_AGAIN, LONGEST_ASK);
    out.actions.push(Action::Set(now + wait, RunTimer::Retry(unit)));
}

/// Whether an advance asks for so much of children that further ones are left to the next: it is one commit.
pub(super) fn is_much(out: &Advanced) -> bool {
    out.child_bytes >= MAX_BYTES
}

/// Asks for the end of children, by their units, and for that of their hooks where they are being stopped already. `true`
/// when there are any.
pub(super) fn stop(
    run: &Run,
    units: impl Iterator<Item = Unit>,
    reason: &str,
    hooks: bool,
    out: &mut Advanced,
) -> bool {
    let mut is_any = false;
    for unit in units {
        let Some(StepState::Child { attempts, workflow, waits }) = run.state_of(unit) else { continue };
        let start = run.child_of(unit, attempts, workflow.clone(), *waits);
        out.actions.push(Action::StopChild { start: Box::new(start), reason: reason.to_owned(), hooks });
        is_any = true;
    }
    is_any
}
