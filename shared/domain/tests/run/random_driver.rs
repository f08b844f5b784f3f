//! Drives the engine through a random workflow, in a random order and with all that a fleet does on the way, and holds
//! what comes out against the reference.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use millrace_domain::run::{Event, RunState, StepState};
use millrace_domain::task::TaskResult;
use millrace_domain::{Outcome, StepIndex};
use serde_json::json;

use crate::fleet::{CREATED, Fleet, Order};
use crate::random_cases::{Case, Move};
use crate::random_times::Times;
use crate::random_yaml::params;
use crate::reference::{End, Rule, Status, Step, Work, decided, interpret, judge, nth, outcome_of_run};

struct Driver<'c> {
    case: &'c Case,
    fleet: Fleet,
    /// Where the engine has each step.
    places: Vec<StepIndex>,
    reference: Vec<End>,
    /// The steps that have ended, in the order in which they did.
    in_order: Vec<usize>,
    /// All that has changed something.
    happened: Vec<Event>,
    told: Vec<String>,
    /// What was seen on the way, and should not have been.
    wrong: Vec<String>,
    /// How the steps end that had not when the run was cancelled.
    after_cancel: Option<BTreeMap<usize, End>>,
}

/// How the run is asked for.
fn order(case: &Case) -> Order {
    let start_at = case.start_after.map(|seconds| CREATED + Duration::from_secs(seconds));
    Order { params: params(), start_at, ..Order::of(&case.yaml()) }
}

/// Runs the case to its end, and fails when that is not what the reference says.
pub(crate) fn drive(case: &Case) {
    let mut driver = Driver::start(case);
    let otherwise = [Move::Finish(0, false)];
    let moves = if case.moves.is_empty() { &otherwise[..] } else { &case.moves[..] };
    for made in 0.. {
        if driver.fleet.run.head.state.is_terminal() {
            break;
        }
        if case.cancel == Some(made) {
            driver.cancel();
            continue;
        }
        let fleet = &driver.fleet;
        assert!(
            !fleet.current.is_empty() || !fleet.timers.is_empty(),
            "nothing will ever move the run on:\n{}",
            driver.told.join("\n")
        );
        assert!(made < 10_000, "the run does not end:\n{}", driver.told.join("\n"));
        driver.make(&moves[made % moves.len()], made < moves.len());
    }
    driver.compare();
}

impl<'c> Driver<'c> {
    fn start(case: &'c Case) -> Self {
        let fleet = Fleet::start(&order(case));
        let places = (0..case.workflow.steps.len()).map(|n| fleet.index(&format!("s{n}"))).collect();
        let mut driver = Self {
            case,
            fleet,
            places,
            reference: interpret(&case.workflow, &case.attempts),
            in_order: Vec::new(),
            happened: Vec::new(),
            told: Vec::new(),
            wrong: Vec::new(),
            after_cancel: None,
        };
        driver.note(None);
        driver
    }

    /// Makes one move. When the moves are made again, each of them brings the run nearer to its end.
    fn make(&mut self, one: &Move, first_time: bool) {
        match *one {
            Move::Fire(pick) if first_time || self.after_cancel.is_none() => {
                let _ = self.fire(pick) || self.finish(pick, false);
            }
            Move::Repeat(pick) if first_time => self.repeat(pick),
            Move::Stray(pick, attempt, outcome) if first_time => self.stray(pick, attempt, outcome),
            Move::Pass(millis) if first_time => self.fleet.pass(Duration::from_millis(millis)),
            Move::Finish(pick, otherwise) => {
                let _ = self.finish(pick, otherwise) || self.fire(pick);
            }
            Move::Fire(pick) | Move::Repeat(pick) | Move::Stray(pick, ..) => {
                let _ = self.finish(pick, true) || self.fire(pick);
            }
            Move::Pass(_) => {
                let _ = self.finish(0, true) || self.fire(0);
            }
        }
    }

    /// Whether there was an attempt that could end.
    fn finish(&mut self, pick: u16, otherwise: bool) -> bool {
        let current: Vec<(StepIndex, u32)> =
            self.fleet.current.iter().map(|(unit, attempt)| (unit.step, *attempt)).collect();
        if current.is_empty() {
            return false;
        }
        let (step, attempt) = current[usize::from(pick) % current.len()];
        let n = self.number(step);
        assert!(matches!(self.case.workflow.steps[n].work, Work::Task(_)), "s{n} waits, and holds a worker");
        let does = nth(&self.case.attempts[n], attempt - 1);
        let reason = "its worker went away".to_owned();
        let (mut outcome, mut output) = (does.outcome, does.output);
        let event = if self.after_cancel.is_some() && otherwise {
            (outcome, output) = (Outcome::Cancelled, None);
            Event::Revoked { unit: step.into(), attempt }
        } else if does.outcome == Outcome::Lost && otherwise {
            Event::Lost { unit: step.into(), attempt, reason }
        } else {
            let outputs = output.map(|v| ("v".to_owned(), json!(v))).into_iter().collect();
            Event::Result(TaskResult { outputs, ..self.fleet.result(step, does.outcome) })
        };
        if let Some(ends) = &mut self.after_cancel {
            let outcome = if outcome == Outcome::Lost { Outcome::Cancelled } else { outcome };
            ends.insert(n, End { outcome, after_failure: false, attempts: attempt, output });
        }
        self.happen(event, Some(n));
        true
    }

    /// Whether there was a timer that could fire. The clock is then at its instant, or later.
    fn fire(&mut self, pick: u16) -> bool {
        let mut timers: Vec<_> =
            self.fleet.timers.iter().map(|(timer, due)| (*due, format!("{timer:?}"), *timer)).collect();
        timers.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
        if timers.is_empty() {
            return false;
        }
        let (due, name, timer) = timers.swap_remove(usize::from(pick) % timers.len());
        self.fleet.now = self.fleet.now.max(due);
        let answer = self.fleet.fire_timer(timer);
        self.told.push(format!("{} {name} is due: {answer:?}", self.fleet.now));
        if answer.is_ok() {
            self.happened.extend(self.fleet.history.last().map(|(_, event, _)| event.clone()));
            self.note(None);
        }
        true
    }

    fn repeat(&mut self, pick: u16) {
        if self.happened.is_empty() {
            return;
        }
        let event = self.happened[usize::from(pick) % self.happened.len()].clone();
        // A timer is taken at its word, and this one may be set for something else by now.
        if let Event::RetryDue { unit } = &event
            && matches!(self.fleet.run.steps[unit.step.at()], StepState::Backoff { .. })
        {
            return;
        }
        let answer = self.fleet.apply(event.clone());
        self.told.push(format!("{} again {}: {answer:?}", self.fleet.now, self.words(&event)));
        self.note(None);
    }

    fn stray(&mut self, pick: u16, attempt: u32, outcome: Outcome) {
        let step = self.places[usize::from(pick) % self.places.len()];
        if self.fleet.current.get(&step.into()) == Some(&attempt) {
            return;
        }
        let outputs = [("v".to_owned(), json!(99))].into_iter().collect();
        let event = Event::Result(TaskResult { attempt, outputs, ..self.fleet.result(step, outcome) });
        let words = self.words(&event);
        assert!(self.fleet.apply(event).is_err(), "{words} is not with the fleet, and counts");
    }

    fn cancel(&mut self) {
        let stopped = |n: usize| {
            let attempts = match &self.fleet.run.steps[self.places[n].at()] {
                StepState::Ended(_) => return None,
                StepState::Dispatched(attempts) | StepState::Backoff { attempts, .. } => attempts.attempt,
                // What has not started has no attempts.
                _ => 0,
            };
            Some((n, End { outcome: Outcome::Cancelled, after_failure: false, attempts, output: None }))
        };
        self.after_cancel = Some((0..self.places.len()).filter_map(stopped).collect());
        self.happen(Event::Cancel { reason: "enough".to_owned() }, None);
    }

    /// Lets something happen that the run must take.
    fn happen(&mut self, event: Event, own: Option<usize>) {
        self.told.push(format!("{} {}", self.fleet.now, self.words(&event)));
        self.fleet.apply(event.clone()).unwrap();
        self.happened.push(event);
        self.note(own);
    }

    /// Notes which steps have ended by what just happened: the one that it happened to before those that it skipped,
    /// or that could not start after it.
    fn note(&mut self, own: Option<usize>) {
        let mut noted = vec![false; self.places.len()];
        self.in_order.iter().for_each(|n| noted[*n] = true);
        for n in own.into_iter().chain(0..self.places.len()) {
            if !noted[n] && matches!(self.fleet.run.steps[self.places[n].at()], StepState::Ended(_)) {
                noted[n] = true;
                self.in_order.push(n);
            }
        }
        if self.fleet.run.head.state == RunState::Running && self.after_cancel.is_none() {
            let misplaced =
                (0..self.places.len()).filter_map(|n| self.misplaced(n, &noted)).collect::<Vec<_>>();
            self.wrong.extend(misplaced);
        }
    }

    /// What is wrong with where a step stands, when these steps have ended: each starts or is skipped as soon as that
    /// is decided, and not before.
    fn misplaced(&self, n: usize, ended: &[bool]) -> Option<String> {
        let (workflow, state) = (&self.case.workflow, &self.fleet.run.steps[self.places[n].at()]);
        let step = &workflow.steps[n];
        let judged: Vec<_> = step
            .depends_on
            .iter()
            .map(|on| {
                ended[on.step].then(|| judge(on.wants, &workflow.steps[on.step], &self.reference[on.step]))
            })
            .collect();
        let is_held = step.not_before.is_some() || matches!(step.work, Work::Wait(_));
        let what = match (decided(step.trigger_rule, &judged), state) {
            // "In a workflow in which no step has a `trigger_rule` or a `status`, that is as soon as one has failed".
            (None, StepState::Ended(_)) if self.wants_success_only() => return None,
            (None, StepState::Waiting) | (Some(false), StepState::Ended(_)) => return None,
            (Some(true), StepState::Waiting) if is_held => return None,
            (None, _) => "does not wait any more, and its rule is not decided",
            (Some(false), _) => "was not skipped, and its rule can not hold any more",
            (Some(true), StepState::Waiting) => "waits, and its rule holds",
            (Some(true), _) => return None,
        };
        Some(format!("{} s{n} {what}: {state:?}", self.fleet.now))
    }

    fn wants_success_only(&self) -> bool {
        let plain = |step: &Step| {
            step.trigger_rule == Rule::AllSuccess
                && step.depends_on.iter().all(|on| on.wants == Status::Success)
        };
        self.case.workflow.steps.iter().all(plain)
    }

    fn number(&self, step: StepIndex) -> usize {
        self.places.iter().position(|place| *place == step).unwrap()
    }

    fn words(&self, event: &Event) -> String {
        match event {
            Event::Result(result) => {
                format!("s{} attempt {}: {}", self.number(result.step), result.attempt, result.outcome)
            }
            other => format!("{other:?}"),
        }
    }

    fn compare(&self) {
        let outcome = match self.after_cancel {
            Some(_) => Outcome::Cancelled,
            None => outcome_of_run(&self.case.workflow, &self.reference, &self.in_order),
        };
        let mut differs = self.fleet.run.head.state != RunState::from(outcome);
        let mut table = format!("run: {outcome}; engine: {}\n", self.fleet.state());
        for (n, end) in self.reference.iter().enumerate() {
            let expected = *self.after_cancel.as_ref().and_then(|ends| ends.get(&n)).unwrap_or(end);
            let found = self.found(n);
            let mark = if found == expected { "" } else { " <-- differs" };
            differs |= found != expected;
            let _ = writeln!(table, "s{n}: {expected:?}; engine: {found:?}{mark}");
        }
        let mut wrong = self.wrong.clone();
        wrong.extend(Times::of(self.case, &self.fleet, &self.places).too_early(self.after_cancel.as_ref()));
        assert!(
            !differs && wrong.is_empty(),
            "the engine does otherwise than the reference\n{}\n{table}\n{}",
            self.told.join("\n"),
            wrong.join("\n")
        );
    }

    /// How the engine has ended a step.
    fn found(&self, n: usize) -> End {
        let StepState::Ended(end) = &self.fleet.run.steps[self.places[n].at()] else {
            panic!("the run has ended, and s{n} has not");
        };
        End {
            outcome: end.outcome,
            after_failure: end.after_failure,
            attempts: end.attempts.attempt,
            output: end.outputs.get("v").and_then(serde_json::Value::as_i64),
        }
    }
}
