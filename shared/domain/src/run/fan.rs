//! The items of a step that fans out. An item has ended when it has begun and is not open: memory holds the list and what is
//! open, and the end of each item is kept apart from the run, so that a fan takes as much as its window.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Attempts, Fan, Fanned, ItemCounts, StepState};
use crate::definition::{FanOut, Tolerance};
use crate::{Outcome, StepIndex, Timestamp, Unit};

impl Fan {
    /// A step that fans out now.
    pub(super) fn new(items: Vec<Value>, now: Timestamp) -> Self {
        let total = u32::try_from(items.len()).unwrap_or(u32::MAX);
        let fanned = Fanned {
            counts: ItemCounts { total, ..ItemCounts::default() },
            began_at: now,
            output_bytes: 0,
            first_failure: None,
            stopping_since: None,
            advance: 0,
        };
        Self { fanned, items: items.into(), open: BTreeMap::new() }
    }

    /// The attempts of its items that are with the fleet.
    pub(super) fn dispatched(&self, step: StepIndex) -> impl Iterator<Item = (Unit, Attempts)> + '_ {
        self.open.iter().filter_map(move |(item, state)| match state {
            StepState::Dispatched(attempts) => Some((Unit { step, item: Some(*item) }, *attempts)),
            _ => None,
        })
    }

    /// Its items that are open.
    pub(super) fn open_units(&self, step: StepIndex) -> impl Iterator<Item = Unit> + '_ {
        self.open.keys().map(move |item| Unit { step, item: Some(*item) })
    }

    /// Whether another item may begin.
    pub(super) fn has_room(&self, policy: &FanOut) -> bool {
        let counts = &self.fanned.counts;
        counts.begun < counts.total
            && self.fanned.stopping_since.is_none()
            && self.open.len() < policy.max_parallel as usize
    }

    /// Counts an item that has ended. Whether it was given up, and did not fail by itself, is the caller's to know.
    pub(super) fn count(&mut self, item: u32, outcome: Outcome, was_given_up: bool, reason: Option<&str>) {
        let counts = &mut self.fanned.counts;
        match outcome {
            Outcome::Succeeded => counts.succeeded += 1,
            Outcome::Cancelled if was_given_up => counts.cancelled += 1,
            Outcome::Skipped => counts.skipped += 1,
            _ => {
                counts.failed += 1;
                let why = reason.unwrap_or(outcome.as_str()).to_owned();
                self.fanned.first_failure.get_or_insert((item, why));
            }
        }
    }

    /// The outcome of the step, now that all that will begin has ended, and why.
    pub(super) fn verdict(&self, tolerate: Tolerance) -> (Outcome, Option<String>) {
        let counts = &self.fanned.counts;
        if counts.failed == 0 {
            return (Outcome::Succeeded, None);
        }
        let is_tolerated = !tolerate.is_exceeded(counts.failed, counts.total);
        let more = match tolerate {
            Tolerance::Items(0) => String::new(),
            _ if is_tolerated => ", which is tolerated".to_owned(),
            tolerate => format!(", and {tolerate} are tolerated"),
        };
        let first = self.fanned.first_failure.as_ref();
        let first = first.map(|(item, why)| format!("; item {item}: {why}")).unwrap_or_default();
        let (failed, total) = (counts.failed, counts.total);
        let outcome = if is_tolerated { Outcome::Succeeded } else { Outcome::Failed };
        (outcome, Some(format!("{failed} of {total} items failed{more}{first}")))
    }
}
