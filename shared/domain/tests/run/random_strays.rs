//! What must change nothing: what happened once and comes again, and the ends of attempts that are not with the fleet.

use millrace_domain::run::{Event, RunTimer};
use millrace_domain::task::TaskResult;
use millrace_domain::{Outcome, Unit};
use serde_json::json;

use crate::random_driver::Driver;

impl Driver<'_> {
    /// Something that happened happens again.
    pub(crate) fn repeat(&mut self, pick: u16) {
        if self.happened.is_empty() {
            return;
        }
        let event = self.happened[usize::from(pick) % self.happened.len()].clone();
        // A timer is taken at its word, and this one may be set for something else by now. A cancel that comes again is
        // one more.
        let (timers, head) = (&self.fleet.timers, &self.fleet.run.head);
        match &event {
            Event::RetryDue { unit } if timers.contains_key(&RunTimer::Retry(*unit)) => return,
            Event::Cancel { .. } if head.hooks_since.is_some() && !head.hooks_stopped => return,
            _ => {}
        }
        let answer = self.fleet.apply(event.clone());
        self.told.push(format!("{} again {}: {answer:?}", self.fleet.now, self.words(&event)));
        self.note(None);
    }

    /// The end of an attempt that is not with the fleet is reported.
    pub(crate) fn stray(&mut self, pick: u16, attempt: u32, outcome: Outcome) {
        let n = usize::from(pick) % self.places.len();
        let item = self.case.workflow.steps[n].fan().map(|_| u32::from(pick) % 7);
        let unit = Unit { step: self.places[n], item };
        if self.fleet.current.get(&unit) == Some(&attempt) {
            return;
        }
        let outputs = [("v".to_owned(), json!(99))].into_iter().collect();
        let event = Event::Result(TaskResult { attempt, outputs, ..self.fleet.result(unit, outcome) });
        let words = self.words(&event);
        assert!(self.fleet.apply(event).is_err(), "{words} is not with the fleet, and counts");
    }
}
