//! What must change nothing: what happened once and comes again, and the ends of attempts that are not with the fleet.

use millrace_domain::run::{Event, RunTimer};
use millrace_domain::task::TaskResult;
use millrace_domain::{Outcome, TaskId, Unit};
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
            // What comes again of locks and slots is a move of its own.
            Event::LockTaken { .. } | Event::SlotTaken { .. } => return,
            Event::Cancel { .. } if head.hooks_since.is_some() && !head.hooks_stopped => return,
            _ => {}
        }
        let answer = self.fleet.apply(event.clone());
        let words = self.words(&event);
        if matches!(event, Event::Result(_) | Event::ChildEnded(_)) {
            assert!(answer.is_err(), "{words} has happened, and counts again");
        }
        self.told.push(format!("{} again {words}: {answer:?}", self.fleet.now));
        self.note(None);
    }

    /// The end of an attempt that is not under way is reported; or of one that is, by whom it is none of.
    pub(crate) fn stray(&mut self, pick: u16, attempt: u32, outcome: Outcome) {
        if pick.is_multiple_of(2) && self.is_told_by_another(pick / 2, outcome) {
            return;
        }
        let n = usize::from(pick) % self.places.len();
        let step = &self.case.workflow.steps[n];
        let item = step.fan().map(|_| u32::from(pick) % 7);
        let unit = Unit { step: self.places[n], item };
        let of_child = self.fleet.children.get(&unit).map(|start| start.parent.attempt.attempt);
        if self.fleet.current.get(&unit) == Some(&attempt) || of_child == Some(attempt) {
            return;
        }
        let outputs = [("v".to_owned(), json!(99))].into_iter().collect();
        let result = TaskResult { attempt, outputs, ..self.fleet.result(unit, outcome) };
        let is_child = step.child().is_some();
        self.must_be_refused(if is_child { Event::ChildEnded(result) } else { Event::Result(result) });
        self.saw.extend(is_child.then_some("a run told of its end that was not under way"));
    }

    /// A worker tells of an attempt that is a run, or a run of one that is with a worker. `false` when there is none.
    fn is_told_by_another(&mut self, pick: u16, outcome: Outcome) -> bool {
        let children = self.fleet.children.values().map(|start| (start.parent.attempt, true));
        let tasks = self.fleet.current.iter();
        let run = self.fleet.run.id;
        let tasks = tasks.map(|(unit, attempt)| (TaskId { run, unit: *unit, attempt: *attempt }, false));
        let all: Vec<(TaskId, bool)> = children.chain(tasks).collect();
        if all.is_empty() {
            return false;
        }
        let (TaskId { unit, attempt, .. }, is_child) = all[usize::from(pick) % all.len()];
        let result = TaskResult { attempt, ..self.fleet.result(unit, outcome) };
        self.must_be_refused(match (is_child, pick % 3) {
            (false, _) => Event::ChildEnded(result),
            (true, 0) => Event::Lost { unit, attempt, reason: "its worker went away".to_owned() },
            (true, 1) => Event::Revoked { unit, attempt, unclaimed: false },
            (true, _) => Event::Result(result),
        });
        self.saw.push(if is_child { "a worker told of a run" } else { "a run told of a task" });
        true
    }

    fn must_be_refused(&mut self, event: Event) {
        let words = self.words(&event);
        assert!(self.fleet.apply(event).is_err(), "{words} is not under way, and counts");
    }

    pub(crate) fn words(&self, event: &Event) -> String {
        match event {
            Event::Result(result) | Event::ChildEnded(result) => {
                let item = result.item.map_or_else(String::new, |item| format!(".{item}"));
                let n = self.number(result.step);
                let run = if matches!(event, Event::ChildEnded(_)) { " of a run" } else { "" };
                format!("s{n}{item} attempt {}{run}: {}", result.attempt, result.outcome)
            }
            other => format!("{other:?}"),
        }
    }
}
