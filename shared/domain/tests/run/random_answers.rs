//! What people answer to the questions of a random workflow: more than once, too late, without the right, or something else
//! than is asked.

use millrace_domain::run::{Act, Deed, Event, Refusal, StepState};
use millrace_domain::{Outcome, StepIndex};
use serde_json::Value;

use crate::random_driver::Driver;
use crate::reference::{Answer, Ask, Work};
use crate::reference_asks::counts;
use crate::reference_items::outputs_of;

/// Those who answer: two who may where people are named, one who may not then, and one who does not say who it is.
const PEOPLE: [&str; 4] = ["ann", "bob", "zed", ""];

impl Driver<'_> {
    /// Somebody answers a step.
    pub(crate) fn answer(&mut self, pick: u16, who: u8, what: u8) {
        let run = &self.fleet.run;
        let is_asking = |n: &usize| {
            let state = &run.steps[self.places[*n].at()];
            matches!(state, StepState::Asking { .. })
                && matches!(self.case.workflow.steps[*n].work, Work::Ask(_))
        };
        let all = 0..self.places.len();
        let asking: Vec<usize> = all.clone().filter(is_asking).collect();
        let is_to_one = !asking.is_empty() && !pick.is_multiple_of(8);
        let steps: Vec<usize> = if is_to_one { asking } else { all.collect() };
        let n = steps[usize::from(pick) % steps.len()];
        let (by, step) = (PEOPLE[usize::from(who)], self.places[n]);
        let answer = match (what, self.case.workflow.steps[n].work.clone()) {
            (0 | 1, Work::Ask(Ask::Approval { .. })) | (2, _) => Answer::Reject,
            (3, _) => Answer::Supply(None),
            (_, Work::Ask(Ask::Approval { .. })) | (4, _) => Answer::Approve,
            (_, _) => Answer::Supply(Some(i64::from(what))),
        };
        let deed = match answer {
            Answer::Approve => Deed::Approve,
            Answer::Reject => Deed::Reject,
            Answer::Supply(v) => match outputs_of(v) {
                Value::Object(values) => Deed::Supply { values },
                _ => unreachable!("outputs are a map"),
            },
        };
        let id = format!("answer {}", self.fleet.history.len());
        let (unit, why) = (StepIndex::into(step), String::new());
        let act = Act { id, unit, attempt: run.last_attempt(unit), deed, by: by.to_owned(), why };
        let event = Event::Act(Box::new(act));
        let ask = match self.case.workflow.steps[n].work {
            Work::Ask(ask) if is_asking(&n) => Some(ask),
            _ => None,
        };
        let before = self.said.answers.get(&n).cloned().unwrap_or_default();
        let Some(ask) = ask.filter(|ask| counts(*ask, &before, (by, answer))) else {
            match self.fleet.apply(event) {
                Err(Refusal::Act { .. }) if ask.is_some() => self.saw.push("somebody could not answer so"),
                Err(_) => self.saw.push("somebody answered what is not asked"),
                Ok(()) => panic!("s{n} took {answer:?} of {by:?}, as it stands"),
            }
            return;
        };
        self.said.answers.entry(n).or_default().push((by, answer));
        self.interpret();
        self.happen(event, Some(n));
        let has_ended = matches!(self.fleet.run.steps[step.at()], StepState::Ended(_));
        self.saw.push(match (ask, answer, has_ended) {
            (_, Answer::Approve, false) => "somebody approved, and others have to",
            (Ask::Approval { of: 2.., .. }, Answer::Approve, true) => "several people have approved",
            (_, Answer::Approve, true) => "somebody approved",
            (_, Answer::Reject, _) => "somebody rejected",
            (_, Answer::Supply(_), _) => "somebody gave values",
        });
    }

    /// What is seen of the questions that nobody has answered in time.
    pub(crate) fn see_unanswered(&self, see: &mut impl FnMut(&str)) {
        for (n, (step, end)) in self.case.workflow.steps.iter().zip(&self.reference).enumerate() {
            let Work::Ask(ask) = step.work else { continue };
            let StepState::Ended(found) = &self.fleet.run.steps[self.places[n].at()] else { continue };
            let was_asked = found.started_at.is_some() && found.by.is_none();
            match (ask, end.outcome) {
                (Ask::Unclear, Outcome::Failed) => see("a question was unclear"),
                (Ask::Approval { .. }, Outcome::TimedOut) if was_asked => see("an approval timed out"),
                (Ask::Approval { .. }, Outcome::Succeeded) if was_asked => {
                    see("an approval was given by default");
                }
                (Ask::Input { .. }, Outcome::TimedOut) if was_asked => see("an input timed out"),
                (Ask::Input { .. }, Outcome::Succeeded) if was_asked => see("an input was given by default"),
                _ => {}
            }
        }
    }
}
