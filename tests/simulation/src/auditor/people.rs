//! What people answer: what asks for approval ends as approved when so many different people have said so who may, and as
//! its default when they have not.

use std::collections::BTreeSet;

use millrace_domain::definition::Wants;
use millrace_domain::run::history::Entry;
use millrace_domain::run::record::StepRecord;
use millrace_domain::run::{Act, Deed, Ended, Event};
use millrace_domain::{Outcome, RunId, Unit};
use millrace_store::RunDelta;

use super::Auditor;
use super::books::Book;

impl Auditor {
    /// Notes what was answered by a change to a run.
    pub(super) fn note_answers(&mut self, book: &mut Book, delta: &RunDelta) {
        for (_, entry) in &delta.history {
            let Ok(Entry { event: Event::Act(act), .. }) = serde_json::from_str(entry) else { continue };
            let asks = book.workflow.step(act.unit.step).is_some_and(|step| step.question.is_some());
            if asks && book.unit(act.unit).is_some() {
                self.answers += u64::from(act.deed.is_answer());
                book.unit_mut(act.unit).acts.push(*act);
            }
        }
    }

    /// Notes whom a unit asks, and holds its end against what was answered.
    pub(super) fn check_answers(&mut self, book: &mut Book, run: RunId, unit: Unit, record: &StepRecord) {
        match record {
            StepRecord::Asking { asks, .. } => {
                if let Some(asked) = asks.asked() {
                    book.unit_mut(unit).may = Some(asked.who.clone());
                }
            }
            StepRecord::Ended(end) => {
                if let Some(wrong) = wrong_end(book, unit, end) {
                    self.object(3, || format!("step {unit} of run {run} {wrong}: {end:?}"));
                }
            }
            _ => {}
        }
    }
}

/// What is wrong with the end of a unit, if it asks people.
fn wrong_end(book: &Book, unit: Unit, end: &Ended) -> Option<String> {
    let step = book.workflow.step(unit.step)?;
    let (question, known) = (step.question.as_deref()?, book.unit(unit)?);
    if unit.item.is_none() && step.fan.is_some() {
        return None;
    }
    // What was answered before it was known whom it asks was answered in the very commit in which it began to.
    let who = known.may.unwrap_or_default();
    let may = |act: &&Act| who.is_empty() || who.contains(&act.by);
    if let Some(act) = known.acts.iter().filter(|act| act.deed.is_answer()).find(|act| !may(act)) {
        return Some(format!("took the answer of one who may not: {act:?}"));
    }
    let approvals: Vec<&str> =
        known.acts.iter().filter(|act| act.deed == Deed::Approve).map(|act| act.by.as_str()).collect();
    let people: BTreeSet<&str> = approvals.iter().copied().collect();
    if people.len() < approvals.len() {
        return Some(format!("counts somebody twice: {approvals:?}"));
    }
    let is_enough = people.len() >= question.of() as usize;
    let last = known.acts.last().map(|act| &act.deed);
    match (&question.wants, end.outcome, &end.by, last) {
        // What could not be rendered asked nobody.
        (_, Outcome::Failed, None, None) | (_, Outcome::Cancelled, ..) => None,
        // It was never its turn, or somebody had it skipped.
        (_, Outcome::Skipped, ..) => None,
        (_, _, Some(_), Some(Deed::Succeed { .. } | Deed::Fail | Deed::Reject)) => None,
        (Wants::Approval { .. }, Outcome::Succeeded, Some(_), Some(Deed::Approve)) if is_enough => None,
        (Wants::Input { .. }, Outcome::Succeeded, Some(_), Some(Deed::Supply { .. })) => None,
        (Wants::Approval { by_default: true, .. }, Outcome::Succeeded, None, _) if !is_enough => None,
        (Wants::Approval { by_default: false, .. }, Outcome::TimedOut, None, _) if !is_enough => None,
        (Wants::Input { by_default: Some(_), .. }, Outcome::Succeeded, None, None) => None,
        (Wants::Input { by_default: None, .. }, Outcome::TimedOut, None, None) => None,
        (_, outcome, ..) => Some(format!("ended as {outcome} after {:?}", known.acts)),
    }
}
