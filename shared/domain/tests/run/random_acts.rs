//! What people do to the steps of a random workflow, and to their items.

use millrace_domain::run::{Act, Deed, Event, Refusal, RunState, StepState};
use millrace_domain::{Outcome, StepIndex, Unit};
use serde_json::Value;

use crate::random_driver::Driver;
use crate::reference::{Ask, End, Work};

impl Driver<'_> {
    /// Somebody does something to a unit: "They are never for one that still waits for others, one of which an attempt is
    /// with the fleet, one that has ended, a hook of the workflow before its turn, or one in a run that has not started or is
    /// being stopped".
    pub(crate) fn act(&mut self, pick: u16, deed: u8) {
        let run = &self.fleet.run;
        let steps = (0..run.steps.len()).map(|step| Unit::from(StepIndex::from(step)));
        let items = run.steps.iter().enumerate().flat_map(|(step, state)| match state {
            StepState::Fanned(fan) => {
                fan.open.keys().map(|item| Unit { step: step.into(), item: Some(*item) }).collect()
            }
            _ => Vec::new(),
        });
        let all: Vec<Unit> = steps.chain(items).collect();
        // Few of them ask, or wait for their retry: these are picked more often.
        let is = |unit: &&Unit, wanted: fn(&StepState) -> bool| run.state_of(**unit).is_some_and(wanted);
        let some: Vec<Unit> = match pick % 4 {
            0 | 1 => all
                .iter()
                .filter(|unit| is(unit, |s| matches!(s, StepState::Asking { .. })))
                .copied()
                .collect(),
            2 => all
                .iter()
                .filter(|unit| is(unit, |s| matches!(s, StepState::Backoff { .. })))
                .copied()
                .collect(),
            _ => Vec::new(),
        };
        let units = if some.is_empty() { all } else { some };
        let unit = units[usize::from(pick) % units.len()];
        let n = self.number(unit.step);
        let (attempt, asks) = match run.state_of(unit) {
            Some(StepState::Waiting) if run.waits_for(unit.step).next().is_none() => (Some(0), false),
            Some(StepState::Backoff { attempts, .. } | StepState::Locking { attempts, .. }) => {
                (Some(attempts.attempt), false)
            }
            Some(StepState::Asking { end, .. }) => (Some(end.attempts.attempt), true),
            _ => (None, false),
        };
        let is_hook = self.case.workflow.steps[n].is_hook_of_workflow() && run.head.hooks_since.is_none();
        let can_be = run.head.state == RunState::Running && !run.head.is_stopping() && !is_hook;
        let is_given_up = unit.item.is_some() && self.given_up.contains(&n);
        // A step with items gives what these gave, and nothing else.
        let gives = deed != 7 && (unit.item.is_some() || self.case.workflow.steps[n].fan().is_none());
        let v = Some(i64::from(deed)).filter(|_| gives);
        let step = &self.case.workflow.steps[n];
        let deed = match deed {
            0..3 => Deed::Retry,
            3 | 4 => Deed::Skip,
            5 => Deed::Fail,
            _ => match step.outputs(v) {
                Value::Object(outputs) => Deed::Succeed { outputs },
                _ => unreachable!("outputs are a map"),
            },
        };
        let given = v.filter(|_| matches!(deed, Deed::Succeed { .. }));
        let id = format!("act {}", self.fleet.history.len());
        let waits_for_locks = matches!(run.state_of(unit), Some(StepState::Locking { .. }));
        let (by, why) = ("ann".to_owned(), String::new());
        let act = Act { id, unit, attempt: attempt.unwrap_or(1), deed: deed.clone(), by, why };
        let event = Event::Act(Box::new(act));
        // What is declared has to be given, by whoever says that it was.
        let asks_for_values = matches!(step.work, Work::Ask(Ask::Input { .. }));
        let declares = step.task().is_some_and(|task| task.declares) || asks_for_values;
        let is_incomplete = declares && v.is_none() && matches!(deed, Deed::Succeed { .. });
        let is_whole_fan = unit.item.is_none() && step.fan().is_some();
        let is_possible = attempt
            .filter(|attempt| can_be && (*attempt > 0 && !waits_for_locks || deed != Deed::Retry))
            .filter(|_| !is_incomplete || is_whole_fan);
        let Some(attempt) = is_possible else {
            let is_child = self.fleet.children.contains_key(&unit);
            match self.fleet.apply(event) {
                Err(Refusal::Act { .. }) if is_child => self.saw.push("somebody could not act on a run"),
                Err(_) if !is_child => {}
                answer => panic!("s{n} {unit} was acted on, as it stands: {answer:?}"),
            }
            return;
        };
        self.saw.extend(waits_for_locks.then_some("somebody ended what waited for locks"));
        if deed == Deed::Retry && step.child().is_some() {
            self.saw.push("somebody had a run started anew");
        }
        assert!(!is_given_up, "s{n} has given its items up, and {unit} waits");
        self.saw.push(match (&deed, unit.item) {
            (Deed::Retry, _) if asks => "somebody had it tried again",
            (Deed::Retry, _) => "somebody did not wait for the retry",
            (Deed::Skip, None) if attempt == 0 => "somebody skipped a step before its time",
            (Deed::Succeed { .. }, None) if attempt == 0 => "somebody marked a step before its time",
            (Deed::Skip, None) => "somebody skipped a step",
            (Deed::Succeed { .. }, None) => "somebody marked a step as succeeded",
            (Deed::Fail, None) => "somebody marked a step as failed",
            (Deed::Skip, Some(_)) => "somebody skipped an item",
            (_, Some(_)) => "somebody marked an item",
            (deed, None) => unreachable!("{deed:?} is drawn elsewhere"),
        });
        let place = unit.item.map(|item| item as usize);
        let outcome = match deed {
            Deed::Retry => {
                if asks {
                    self.said.again.insert((n, place, attempt));
                }
                None
            }
            Deed::Skip => Some(Outcome::Skipped),
            Deed::Succeed { .. } => Some(Outcome::Succeeded),
            Deed::Fail => Some(Outcome::Failed),
            other => unreachable!("{other:?} is drawn elsewhere"),
        };
        if let Some(outcome) = outcome {
            let end = End::of(outcome, attempt, given);
            match place {
                None => drop(self.stopped.insert(n, end)),
                Some(place) => drop(self.said.items.insert((n, place), end)),
            }
        }
        self.interpret();
        self.happen(event, Some(n));
    }
}
