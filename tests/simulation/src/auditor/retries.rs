//! Runs that go on with others: one for each request, and none beside another; what had succeeded and follows nothing that runs
//! again is carried over, and nothing else.

use std::collections::BTreeSet;

use millrace_domain::run::record::StepRecord;
use millrace_domain::run::{Ended, Head, RunState};
use millrace_domain::{Outcome, RunId, StepIndex, Unit};
use millrace_store::RunDelta;

use super::Auditor;
use super::books::Book;

impl Auditor {
    /// Notes that somebody was told of the retry of a run.
    pub(crate) fn retried(&mut self, of: RunId, request: &str, new: Option<RunId>) {
        let known = self.retries.get(&(of, request.to_owned())).copied();
        if new.is_none() || known != new {
            self.object(10, || {
                format!("request {request} was answered with run {new:?}, and has made {known:?}")
            });
        }
        if let Some(new) = new {
            self.promise(new, "a retry");
        }
    }

    /// Checks the head of a run that had ended: only its continuations may be others.
    pub(super) fn check_ended_head(&mut self, book: &Book, run: RunId, head: &Head) {
        let without = |head: &Head| Head { continuations: Vec::new(), ..head.clone() };
        let was = serde_json::from_str::<Head>(&book.past.head).ok();
        if was.as_ref().map(without) != Some(without(head)) {
            self.object(3, || format!("run {run} had ended with {was:?}, and has {head:?} now"));
        }
    }

    /// Notes the continuations that a run knows of.
    pub(super) fn note_retries(&mut self, run: RunId, head: &Head) {
        for known in &head.continuations {
            let other = self.retries.insert((run, known.request.clone()), known.run);
            if other.is_some_and(|other| other != known.run) {
                let request = &known.request;
                self.object(10, || format!("request {request} has brought about two retries of run {run}"));
            }
        }
    }

    /// Checks the creation of a run that goes on with another.
    pub(super) fn check_retry(&mut self, run: RunId, delta: &RunDelta) {
        let head = delta.head.as_deref().and_then(|head| serde_json::from_str::<Head>(head).ok());
        let Some(of) = head.and_then(|head| head.retry_of) else { return };
        let Some(old) = self.runs.get(&of.run) else {
            return self
                .object(2, || format!("run {run} is the retry of run {}, which is not there", of.run));
        };
        let may_be = [RunState::Failed, RunState::TimedOut, RunState::Cancelled];
        let state = old.state;
        let carried: BTreeSet<StepIndex> = delta
            .steps
            .iter()
            .filter(|(_, record)| {
                serde_json::from_str(record)
                    .is_ok_and(|record| matches!(record, StepRecord::Ended(end) if end.carried.is_some()))
            })
            .map(|(unit, _)| unit.step)
            .collect();
        let expected = old.to_be_carried();
        let mut others = self.retry_of.iter().filter(|(_, old)| **old == of.run);
        let beside = others.find(|(other, _)| self.runs.get(other).is_some_and(|book| !book.has_ended()));
        let beside = beside.map(|(other, _)| *other);
        // It may end by the very commit that creates its retry.
        if !may_be.contains(&state) && state.is_terminal() {
            self.object(3, || {
                format!("run {run} is the retry of run {}, which has ended as {state:?}", of.run)
            });
        }
        if state.is_terminal() && carried != expected {
            self.object(3, || {
                format!("run {run} carries {carried:?} over from run {}, and not {expected:?}", of.run)
            });
        }
        if let Some(beside) = beside {
            self.object(10, || format!("runs {beside} and {run} are retries of run {} at a time", of.run));
        }
        self.retry_of.insert(run, of.run);
    }

    /// Checks the end of a unit that was carried over: it is the one that it had.
    pub(super) fn check_carried(&mut self, run: RunId, unit: Unit, end: &Ended) {
        let Some(of) = end.carried else { return };
        let was = self.runs.get(&of).and_then(|old| old.past.ends.get(&unit)).cloned();
        let as_it_was = |was: &Ended| Ended {
            advance: end.advance,
            order: end.order,
            applied_at: end.applied_at,
            carried: end.carried,
            ..was.clone()
        };
        if was.as_ref().map(as_it_was).as_ref() != Some(end)
            || (unit.item.is_none() && end.outcome != Outcome::Succeeded)
        {
            self.object(3, || format!("unit {unit} of run {run} is carried over as {end:?}; it had {was:?}"));
        }
    }
}

impl Book {
    /// The steps that a retry is to carry over: each that succeeded, all of whose dependencies are carried over, too, or were
    /// skipped by their rules after such alone.
    fn to_be_carried(&self) -> BTreeSet<StepIndex> {
        let places = || (0..self.steps.len()).map(StepIndex::from);
        let (mut stay, mut carried) = (BTreeSet::new(), BTreeSet::new());
        // However the steps are ordered: until nothing is added any more.
        loop {
            let before = stay.len();
            for step in places().filter(|step| !self.workflow.steps[step.at()].is_run_hook()) {
                let (known, on) = (&self.steps[step.at()], self.workflow.graph.dependencies(step));
                if !on.iter().all(|on| stay.contains(on)) {
                    continue;
                }
                match known.ended {
                    Some(Outcome::Succeeded) => {
                        stay.insert(step);
                        carried.insert(step);
                    }
                    Some(Outcome::Skipped) if !known.by_somebody => drop(stay.insert(step)),
                    _ => {}
                }
            }
            if stay.len() == before {
                return carried;
            }
        }
    }
}
