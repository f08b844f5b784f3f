//! What a random workflow came to, held against the reference.

use std::collections::BTreeMap;
use std::fmt::Write;

use millrace_domain::Outcome;
use millrace_domain::run::{RunState, StepState};
use millrace_domain::task::Task as Dispatched;
use serde_json::{Value, json};

use crate::random_driver::Driver;
use crate::random_items::found;
use crate::random_steps::is_eager;
use crate::random_times::Times;
use crate::reference::{End, Hook, Work, given_by, handed_on, items, outcome_of_run};

impl Driver<'_> {
    pub(crate) fn compare(&self) {
        let by_steps = || outcome_of_run(&self.case.workflow, &self.reference, &self.in_order);
        let outcome = self.stopped_with.unwrap_or_else(by_steps);
        let mut differs = self.fleet.run.head.state != RunState::from(outcome);
        let mut table = format!("run: {outcome}; engine: {}\n", self.fleet.state());
        for n in 0..self.places.len() {
            let (expected, found) = (self.reference.get(n), self.found(n));
            let mark = if expected == Some(&found) { "" } else { " <-- differs" };
            differs |= expected != Some(&found);
            let _ = writeln!(table, "s{n}: {expected:?}; engine: {found:?}{mark}");
        }
        let mut wrong = self.wrong.clone();
        let outputs = &self.fleet.run.head.outputs;
        let handed_on = || handed_on(&self.case.workflow, &self.reference);
        let expected = (outcome == Outcome::Succeeded).then(handed_on).flatten();
        if *outputs != expected.filter(|outputs| !outputs.is_empty()) {
            wrong.push(format!("the run hands on something else: {outputs:?}"));
        }
        if !differs {
            let times = Times::of(self.case, &self.fleet, &self.places);
            wrong.extend(times.too_early(&self.stopped));
            wrong.extend(times.unasked(&self.stopped, &self.held.refused));
            wrong.extend(self.fleet.tasks.iter().filter_map(|task| self.wrong_input(task)));
            wrong.extend(self.fleet.starts.iter().filter_map(|start| self.wrong_start(start)));
            wrong.extend(self.wrong_told(outcome));
            wrong.extend(self.wrong_locks());
            wrong.extend(self.wrong_slot());
        }
        assert!(
            !differs && wrong.is_empty(),
            "the engine does otherwise than the reference\n{}\n{table}\n{}",
            self.told.join("\n"),
            wrong.join("\n")
        );
    }

    /// Tells what was seen on the way.
    pub(crate) fn tell(&self, see: &mut impl FnMut(&str)) {
        let head = &self.fleet.run.head;
        match (self.stopped_with, head.hooks_stopped) {
            (Some(Outcome::TimedOut), _) => see("the run timed out"),
            (Some(_), false) => see("the steps were cancelled"),
            (Some(_), true) if self.before_hooks == Some(Outcome::Cancelled) => {
                see("steps and hooks were cancelled");
            }
            (Some(_), true) => see("the hooks were cancelled"),
            (None, _) => {}
        }
        match (&self.fleet.run.head.outputs, &self.fleet.run.head.outputs_missing) {
            (Some(_), _) => see("the run handed something on"),
            (None, Some(_)) => see("what the run hands on could not be made"),
            (None, None) => {}
        }
        if !self.fleet.told_parent.is_empty() {
            see("a parent was told");
        }
        self.see_unanswered(see);
        self.saw.iter().for_each(|what| see(what));
        self.tell_slot(see);
        self.given_up.iter().for_each(|_| see("items were given up"));
        self.begun_later.iter().for_each(|what| see(what));
    }

    /// How the engine has ended a step.
    fn found(&self, n: usize) -> End {
        let StepState::Ended(end) = &self.fleet.run.steps[self.places[n].at()] else {
            panic!("the run has ended, and s{n} has not");
        };
        let name = format!("s{n}");
        let item = |item| self.fleet.item_end(&name, item).map(found);
        End { items: end.items.as_ref().map(|counts| (0..counts.total).map(item).collect()), ..found(end) }
    }

    /// What is wrong with what an attempt was given: the outputs that it needs, its item, what it is the hook of.
    fn wrong_input(&self, task: &Dispatched) -> Option<String> {
        let n = self.number(task.index);
        let step = &self.case.workflow.steps[n];
        let Work::Task(work) = &step.work else { return None };
        let mut expected: BTreeMap<&str, Value> = BTreeMap::new();
        if let Some(needs) = work.needs {
            let end = &self.reference[needs.step];
            let given = given_by(end);
            let sum: i64 = given.iter().flatten().filter_map(|item| item["v"].as_i64()).sum();
            if needs.is_key {
                expected.insert("V", json!(end.output));
            } else {
                expected.extend([("ALL", Value::from(given.unwrap_or_default())), ("SUM", json!(sum))]);
            }
        }
        if let Some((fan, place)) = work.fan.as_ref().zip(task.item) {
            let item = &items(fan, &self.reference)?[place as usize];
            expected.extend([("MILLRACE_ITEM", item.clone()), ("MILLRACE_ITEM_INDEX", json!(place))]);
            if fan.reads_item {
                expected.insert("I", item["v"].clone());
            }
        }
        let of = match step.hook {
            Some(Hook::OfStep(_, of)) if !is_eager(step.trigger_rule) => {
                Some((format!("s{of}"), self.reference[of].outcome))
            }
            Some(Hook::OfWorkflow(_)) => self.before_hooks.map(|outcome| ("w".to_owned(), outcome)),
            _ => None,
        };
        let mut wrong = expected.iter().find_map(|(name, expected)| {
            let found = task.env.get(*name).map(|text| serde_json::from_str::<Value>(text));
            let is_right = matches!(&found, Some(Ok(found)) if found == expected);
            (!is_right).then(|| format!("{name}: {expected}, and found {found:?}"))
        });
        if let Some((name, outcome)) = of {
            let found = (&*task.env["MILLRACE_HOOK_OF"], &*task.env["MILLRACE_HOOK_OUTCOME"]);
            if found != (&*name, outcome.as_str()) {
                wrong.get_or_insert(format!("hook of {name}, {outcome}: {found:?}"));
            }
        }
        wrong.map(|wrong| format!("{} was given another {wrong}", task.id()))
    }
}
