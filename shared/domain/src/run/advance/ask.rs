//! A unit that asks people, until somebody answers, or nobody has in time: these are in `answer`.

use serde_json::Map;

use super::ending::ended;
use crate::definition::{Question, Wants};
use crate::run::asks::approval_outputs;
use crate::run::dispatch::unit_input;
use crate::run::{Action, Advanced, Approval, Asked, Asks, Attempts, Ended, Run, RunTimer, StepState};
use crate::{Outcome, Timestamp, Unit};

/// Asks what a step is there to ask. A unit whose input cannot be rendered is answered with its end.
pub(super) fn begin(
    run: &mut Run,
    unit: Unit,
    question: &Question,
    now: Timestamp,
    out: &mut Advanced,
) -> Result<(), Box<Ended>> {
    let asked = unit_input(run, unit).and_then(|with| Asked::read(&with, question.of()));
    let asked = match asked {
        Ok(asked) => asked,
        Err(problem) => {
            let end = ended(run, Outcome::Failed, Attempts::default(), now, Some(problem));
            let outputs = match question.wants {
                Wants::Approval { .. } => approval_outputs(false, &[], ""),
                Wants::Input { .. } => Map::new(),
            };
            return Err(Box::new(Ended { outputs, ..end }));
        }
    };
    let (asks, (outcome, outputs)) = match &question.wants {
        Wants::Approval { by_default, .. } => {
            let outcome = if *by_default { Outcome::Succeeded } else { Outcome::TimedOut };
            let asks = Asks::Approval(Box::new(Approval { asked, votes: Vec::new() }));
            (asks, (outcome, approval_outputs(*by_default, &[], "")))
        }
        Wants::Input { by_default, .. } => {
            let end = match by_default {
                Some(values) => (Outcome::Succeeded, values.clone()),
                None => (Outcome::TimedOut, Map::new()),
            };
            (Asks::Input(Box::new(asked)), end)
        }
    };
    let end = Ended { started_at: Some(now), outputs, ..ended(run, outcome, Attempts::default(), now, None) };
    ask(run, unit, asks, end, now + question.timeout, out);
    Ok(())
}

/// Has a unit ask. It comes to this end when nobody has answered by then.
pub(super) fn ask(run: &mut Run, unit: Unit, asks: Asks, end: Ended, until: Timestamp, out: &mut Advanced) {
    run.set_state(unit, StepState::Asking { asks, end: Box::new(end), until });
    out.units.push(unit);
    out.actions.push(Action::Set(until, RunTimer::Retry(unit)));
}
