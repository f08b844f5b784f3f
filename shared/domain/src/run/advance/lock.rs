//! A unit that needs locks or a rate asks for them before its attempt, and again until it has them. What becomes of it then is
//! in `grant`.

use std::time::Duration;

use super::child::LONGEST_ASK;
use super::ending::ended;
use crate::lock::Need;
use crate::run::{Action, Advanced, Attempts, Ended, Hold, Holds, Run, RunTimer, StepState};
use crate::{Outcome, Timestamp, Unit};

/// The first wait before locks are asked for again: a letter may be lost with a store.
const ASK_AGAIN: Duration = Duration::from_secs(30);

/// Asks for what the attempt after `so_far` needs. A unit that cannot ask is answered with its end.
pub(super) fn begin(
    run: &mut Run,
    unit: Unit,
    need: Need,
    so_far: Attempts,
    now: Timestamp,
    out: &mut Advanced,
) -> Result<(), Box<Ended>> {
    let wants = match run.needed(unit, need) {
        Ok(wants) => wants,
        Err(problem) => return Err(Box::new(ended(run, Outcome::Failed, so_far, now, Some(problem)))),
    };
    let attempt = so_far.attempt + 1;
    let cost = (need == Need::Rate).then(|| wants.iter().map(|want| want.weight).sum());
    let ask = run.ask_of(unit, attempt, wants.clone(), now);
    let Some(group) = ask.group() else {
        let problem = Some("`locks`: there are none".to_owned());
        return Err(Box::new(ended(run, Outcome::Failed, so_far, now, problem)));
    };
    let attempts = Attempts { advance: run.this_advance(), ..so_far };
    run.holds.entry(unit).or_default().note(Hold::asked(attempt, group, cost));
    run.set_state(unit, StepState::Locking { attempts, since: now, wants });
    out.units.push(unit);
    out.actions.push(Action::AskLocks(Box::new(ask)));
    out.actions.push(Action::Set(now + ASK_AGAIN, RunTimer::Retry(unit)));
    Ok(())
}

/// Asks once more for what has not been granted.
pub(super) fn ask_again(run: &Run, unit: Unit, now: Timestamp, out: &mut Advanced) {
    let awaited = run.holds_of(unit).and_then(Holds::awaited);
    let (Some(StepState::Locking { since, wants, .. }), Some(hold)) = (run.state_of(unit), awaited) else {
        return;
    };
    let ask = run.ask_of(unit, hold.attempt, wants.clone(), *since);
    out.actions.push(Action::AskLocks(Box::new(ask)));
    let wait = (now.since(*since) / 4).clamp(ASK_AGAIN, LONGEST_ASK);
    out.actions.push(Action::Set(now + wait, RunTimer::Retry(unit)));
}
