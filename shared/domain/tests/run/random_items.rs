//! What is seen of the items of steps while a random workflow runs. Which items are given up depends on the order of
//! things, so that for those it is held what must be so in any order.

use millrace_domain::run::{Ended, StepState};
use millrace_domain::{Outcome, Unit};

use crate::random_driver::Driver;
use crate::reference::{End, Fan, interpret, is_failure};

/// "`max_parallel` ... default 1,000".
const MAX_PARALLEL: u32 = 1000;

/// An end as the reference has it.
pub(crate) fn found(end: &Ended) -> End {
    let output = ["v", "run_id"].iter().find_map(|key| end.outputs.get(*key)?.as_i64());
    End { after_failure: end.after_failure, ..End::of(end.outcome, end.attempts.attempt, output) }
}

impl Driver<'_> {
    /// Notes which steps give items up by what just happened, and looks how many items are under way.
    pub(crate) fn note_giving_up(&mut self) {
        for n in 0..self.places.len() {
            let Some(fan) = self.case.workflow.steps[n].fan() else { continue };
            let under_way = match &self.fleet.run.steps[self.places[n].at()] {
                // "with a worker, queued, or waiting for a retry".
                StepState::Fanned(fan) => {
                    fan.open.values().filter(|state| !matches!(state, StepState::Asking { .. })).count()
                }
                StepState::Ended(end) if end.items.is_some() => 0,
                _ => continue,
            };
            if under_way > fan.max_parallel.unwrap_or(MAX_PARALLEL) as usize {
                self.wrong.push(format!("{} s{n} has {under_way} items under way", self.fleet.now));
            }
            let is_new = !self.given_up.contains(&n) && !self.stopped.contains_key(&n);
            if fan.fail_fast && is_new && self.has_too_many_failures(n, fan) {
                self.given_up.push(n);
                self.giving_up.push(n);
            }
        }
    }

    /// Whether more items of a step have failed by themselves than are tolerated.
    fn has_too_many_failures(&self, n: usize, fan: &Fan) -> bool {
        let Some(expected) = self.reference.get(n).and_then(|end| end.items.as_ref()) else { return false };
        let has_failed = |(place, expected): &(usize, &Option<End>)| {
            let end = self.item(n, *place);
            end == **expected && end.is_some_and(|end| is_failure(end.outcome))
        };
        let failed = expected.iter().enumerate().filter(has_failed).count();
        fan.tolerate.is_exceeded(failed, expected.len())
    }

    /// How the engine has ended an item.
    fn item(&self, n: usize, place: usize) -> Option<End> {
        self.fleet.item_end(&format!("s{n}"), place as u32).map(found)
    }

    /// Looks at the attempts that were made by what just happened.
    pub(crate) fn note_attempts(&mut self) {
        for (made, _) in &self.fleet.made[self.looked_at..] {
            let (unit, n) = (made.unit, self.number(made.unit.step));
            self.sent.insert(unit, made.attempt);
            let Some(item) = unit.item else { continue };
            // "once more have failed than are tolerated, no further item begins": none after one that could not start.
            let follows = |place: u32| self.item(n, place as usize).is_none_or(|end| end.attempts > 0);
            let is_just_before = self.giving_up.contains(&n) && !(item + 1..item + 10).all(follows);
            if self.given_up.contains(&n) && !is_just_before {
                self.wrong.push(format!("{} s{n}.{item} has an attempt after giving up", self.fleet.now));
            }
            // "Items begin in the order of the list".
            let later = Unit { item: Some(item + 1), ..unit }..=Unit { item: Some(u32::MAX), ..unit };
            let has_locks = self.case.workflow.steps[n].task().is_some_and(|task| task.locks.is_some());
            if made.attempt == 1 && !has_locks && self.sent.range(later).next().is_some() {
                self.wrong.push(format!("{} s{n}.{item} begins after a later one", self.fleet.now));
            }
        }
        self.looked_at = self.fleet.made.len();
        self.giving_up.clear();
    }

    /// Notes how a step ended that has given items up, or was stopped, and holds that each of its items ended as it would
    /// have, or as what happened to it since then has it.
    pub(crate) fn note_end_of_fan(&mut self, n: usize) {
        let (is_stopped, is_given_up) = (self.stopped.contains_key(&n), self.given_up.contains(&n));
        let StepState::Ended(end) = &self.fleet.run.steps[self.places[n].at()] else { return };
        let (Some(fan), Some(counts)) = (self.case.workflow.steps[n].fan(), &end.items) else { return };
        if !is_stopped && !is_given_up {
            return;
        }
        let expected = self.undisturbed(n);
        let has_locks = self.case.workflow.steps[n].task().is_some_and(|task| task.locks.is_some());
        let items: Vec<Option<End>> = (0..counts.total as usize).map(|place| self.item(n, place)).collect();
        for (place, item) in items.iter().enumerate() {
            let unit = Unit { step: self.places[n], item: Some(place as u32) };
            let attempts = self.fleet.made.iter().filter(|(made, _)| made.unit == unit).count() as u32;
            let is_right = match item {
                // It never began.
                None => attempts == 0,
                Some(end) if expected.get(place).is_some_and(|expected| expected == end) => true,
                Some(end) => match self.halted.get(&unit) {
                    Some(halted) => end == halted,
                    // It waited for a retry, for its locks, or for an answer.
                    None => {
                        (attempts > 0 || has_locks) && *end == End::of(Outcome::Cancelled, attempts, None)
                    }
                },
            };
            if !is_right {
                let at = self.fleet.now;
                self.wrong
                    .push(format!("{at} s{n}.{place} ended as {item:?} after {:?}", self.halted.get(&unit)));
            }
        }
        let all: Option<Vec<&End>> = items.iter().map(Option::as_ref).collect();
        let is_undisturbed = all.is_some_and(|all| all.into_iter().eq(&expected));
        let failed = items
            .iter()
            .flatten()
            .filter(|end| !matches!(end.outcome, Outcome::Succeeded | Outcome::Skipped))
            .count();
        let is_exceeded = fan.tolerate.is_exceeded(failed, items.len());
        let may_be = match end.outcome {
            Outcome::Cancelled => is_stopped,
            Outcome::Failed => is_exceeded,
            Outcome::Succeeded => is_undisturbed && !is_exceeded,
            _ => false,
        };
        if !may_be {
            self.wrong.push(format!("{} s{n} ended as {:?}, with {items:?}", self.fleet.now, end.outcome));
        }
        let end = End { items: Some(items), ..found(end) };
        self.stopped.insert(n, end);
        self.interpret();
    }

    /// How the items of a step would have ended, if nobody had stopped it.
    fn undisturbed(&self, n: usize) -> Vec<End> {
        let mut stopped = self.stopped.clone();
        stopped.remove(&n);
        let case = self.case;
        let ends = interpret(&case.workflow, &case.attempts, &stopped, &self.said, self.before_hooks);
        ends.get(n).and_then(|end| end.items.clone()).unwrap_or_default().into_iter().flatten().collect()
    }
}
