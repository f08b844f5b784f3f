//! Drives the engine through a random workflow, in a random order and with all that a fleet does on the way, and holds
//! what comes out against the reference.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_domain::run::{Event, Mover, RunState, RunTimer, StepState};
use millrace_domain::task::TaskResult;
use millrace_domain::{Outcome, StepIndex, Unit};
use serde_json::Value;

use crate::fleet::{Fleet, Order};
use crate::random_cases::{Case, Move};
use crate::random_children::parent;
use crate::random_locks::Held;
use crate::random_slots::Queued;
use crate::random_yaml::params;
use crate::reference::{
    Attempt, End, Hook, Rule, Said, Status, Step, Work, decided, has_turn, interpret, judge, nth, of_item,
    outcome_of_run,
};
use crate::reference_items::outputs_of;
use crate::reference_slots::Stand;

pub(crate) struct Driver<'c> {
    pub(crate) case: &'c Case,
    pub(crate) fleet: Fleet,
    /// Where the engine has each step.
    pub(crate) places: Vec<StepIndex>,
    pub(crate) reference: Vec<End>,
    /// The steps that have ended, in the order in which they did.
    pub(crate) in_order: Vec<usize>,
    /// All that has changed something.
    pub(crate) happened: Vec<Event>,
    pub(crate) told: Vec<String>,
    /// What was seen on the way, and should not have been.
    pub(crate) wrong: Vec<String>,
    /// With what the run ends that somebody has stopped.
    pub(crate) stopped_with: Option<Outcome>,
    /// How the steps end that had not when the run was stopped, and those that have given items up.
    pub(crate) stopped: BTreeMap<usize, End>,
    /// How the items of such steps end that something has happened to since then.
    pub(crate) halted: BTreeMap<Unit, End>,
    /// The steps with `fail_fast` of which more items have failed than are tolerated.
    pub(crate) given_up: Vec<usize>,
    /// Those of them that are so by what has just happened.
    pub(crate) giving_up: Vec<usize>,
    /// What began by and by, each time that such steps did.
    pub(crate) begun_later: Vec<&'static str>,
    /// What people have said of steps and items, but for steps that they have ended: these are among the `stopped` ones.
    pub(crate) said: Said,
    /// What people did, and what became of runs within this one, in words.
    pub(crate) saw: Vec<&'static str>,
    /// With what the run would end by its steps alone, once the hooks of the workflow have their turn.
    pub(crate) before_hooks: Option<Outcome>,
    /// How many attempts each unit was given.
    pub(crate) sent: BTreeMap<Unit, u32>,
    pub(crate) looked_at: usize,
    pub(crate) held: Held,
    pub(crate) queued: Queued,
}

/// How the run is asked for.
fn order(case: &Case) -> Order {
    let start_at = case.start_after.map(|_| case.fire());
    let (max_actions, parent) = (case.max_actions, case.parent.map(parent));
    Order { params: params(), start_at, max_actions, parent, ..Order::of(&case.yaml()) }
}

/// Runs the case to its end, and fails when that is not what the reference says. Says what it has seen on the way, and
/// how each step ended.
pub(crate) fn drive(case: &Case, see: &mut impl FnMut(&str)) -> Vec<End> {
    let mut driver = Driver::start(case);
    let otherwise = [Move::Finish(0, false)];
    let moves = if case.moves.is_empty() { &otherwise[..] } else { &case.moves[..] };
    let mut made_since_hooks = 0;
    for made in 0.. {
        let head = &driver.fleet.run.head;
        if head.state.is_terminal() {
            break;
        }
        if case.cancel == Some(made) && head.hooks_since.is_none() {
            driver.cancel();
            continue;
        }
        if head.hooks_since.is_some() {
            made_since_hooks += 1;
            if case.cancel_hooks == Some(made_since_hooks - 1) {
                driver.replace_in_hooks();
                driver.cancel();
                continue;
            }
        }
        let fleet = &driver.fleet;
        let is_held = fleet.current.is_empty() && fleet.children.is_empty() && fleet.timers.is_empty();
        if (is_held || made >= moves.len()) && driver.is_let_go_on() {
            continue;
        }
        let fleet = &driver.fleet;
        assert!(
            !fleet.current.is_empty() || !fleet.children.is_empty() || !fleet.timers.is_empty(),
            "nothing will ever move the run on:\n{}",
            driver.told.join("\n")
        );
        assert!(made < 100_000, "the run does not end:\n{}", driver.told.join("\n"));
        driver.make(&moves[made % moves.len()], made / moves.len());
    }
    driver.compare();
    driver.tell_of_slots_after_the_end();
    driver.tell(see);
    driver.reference
}

impl<'c> Driver<'c> {
    fn start(case: &'c Case) -> Self {
        let fleet = Fleet::start(&order(case));
        let places = (0..case.workflow.steps.len()).map(|n| fleet.index(&format!("s{n}"))).collect();
        let mut driver = Self {
            case,
            fleet,
            places,
            reference: Vec::new(),
            in_order: Vec::new(),
            happened: Vec::new(),
            told: Vec::new(),
            wrong: Vec::new(),
            stopped_with: None,
            stopped: BTreeMap::new(),
            halted: BTreeMap::new(),
            given_up: Vec::new(),
            giving_up: Vec::new(),
            begun_later: Vec::new(),
            said: Said::default(),
            saw: Vec::new(),
            before_hooks: None,
            sent: BTreeMap::new(),
            looked_at: 0,
            held: Held::default(),
            queued: Queued::of(case),
        };
        if let (Stand::Never, Some(outcome)) =
            (driver.queued.turn.stands, driver.queued.turn.fails_when_due())
        {
            driver.note_never_started(outcome);
        }
        driver.interpret();
        driver.note(None);
        driver
    }

    /// Asks the reference again, of what is known by now.
    pub(crate) fn interpret(&mut self) {
        let Case { workflow, attempts, .. } = self.case;
        self.reference = interpret(workflow, attempts, &self.stopped, &self.said, self.before_hooks);
    }

    /// Makes one move. When the moves are made again, each of them brings the run nearer to its end, and each time picks
    /// something else: what could go on for ever beside what is never picked ends in a fleet.
    fn make(&mut self, one: &Move, round: usize) {
        let first_time = round == 0;
        let other = |pick: u16| pick.wrapping_add(round as u16);
        let is_looked_after = self.fleet.timers.contains_key(&RunTimer::CancelCheck)
            || !self.fleet.children.is_empty()
            || !self.locking().is_empty()
            || self.waits_for_slot();
        match *one {
            Move::Fire(pick) if first_time || !is_looked_after => {
                let _ = self.fire(other(pick)) || self.finish(other(pick), false);
            }
            Move::Repeat(pick) if first_time => self.repeat(pick),
            Move::Stray(pick, attempt, outcome) if first_time => self.stray(pick, attempt, outcome),
            Move::Act(pick, deed) if first_time => self.act(pick, deed),
            Move::Answer(pick, who, what) if first_time => self.answer(pick, who, what),
            Move::Lock(pick, what) if first_time => self.lock(pick, what),
            Move::Slot(pick, what) if first_time => self.slot(pick, what),
            Move::Pause(is_to_pause) if first_time => self.pause(is_to_pause),
            Move::Pass(millis) if first_time => self.fleet.pass(Duration::from_millis(millis)),
            Move::Finish(pick, otherwise) => {
                let _ = self.finish(other(pick), otherwise) || self.fire(other(pick));
            }
            Move::Fire(pick)
            | Move::Repeat(pick)
            | Move::Stray(pick, ..)
            | Move::Act(pick, _)
            | Move::Answer(pick, ..)
            | Move::Lock(pick, _)
            | Move::Slot(pick, _) => {
                let _ = self.finish(other(pick), true) || self.fire(other(pick));
            }
            Move::Pass(_) | Move::Pause(_) => {
                let _ = self.finish(other(0), true) || self.fire(other(0));
            }
        }
    }

    /// Whether there was an attempt that could end.
    fn finish(&mut self, pick: u16, otherwise: bool) -> bool {
        let mut current: Vec<(Unit, u32)> = self.fleet.current.iter().map(|(unit, n)| (*unit, *n)).collect();
        current.extend(self.fleet.children.iter().map(|(unit, start)| (*unit, start.parent.attempt.attempt)));
        current.sort_unstable();
        if self.answers_ask_instead(pick) || self.grants_instead(pick, current.len()) {
            return true;
        }
        if current.is_empty() {
            return false;
        }
        let (unit, attempt) = current[usize::from(pick) % current.len()];
        let n = self.number(unit.step);
        let step = &self.case.workflow.steps[n];
        let task = step.task().unwrap_or_else(|| panic!("s{n} waits, and holds a worker"));
        let does = self.does(unit, attempt);
        let is_child = self.fleet.children.contains_key(&unit);
        assert_eq!(task.child.is_some(), is_child, "s{n} is a run, or a task, and should not be");
        let is_stopped = self.stopped.contains_key(&n) || self.given_up.contains(&n);
        let judged = task.judged(does);
        let (mut outcome, mut output) = (judged.outcome, judged.output);
        if is_stopped && otherwise {
            (outcome, output) = (Outcome::Cancelled, None);
        }
        let event = if is_child {
            self.see_end_of_child(unit, outcome, is_stopped);
            self.end_of_child(unit, does, is_stopped && otherwise)
        } else if is_stopped && otherwise {
            Event::Revoked { unit, attempt, unclaimed: false }
        } else if does.outcome == Outcome::Lost && otherwise {
            Event::Lost { unit, attempt, reason: "its worker went away".to_owned() }
        } else {
            let Value::Object(outputs) = outputs_of(does.output) else { unreachable!("outputs are a map") };
            Event::Result(TaskResult { outputs, ..self.fleet.result(unit, does.outcome) })
        };
        if is_stopped {
            let outcome = if outcome == Outcome::Lost { Outcome::Cancelled } else { outcome };
            let end = End::of(outcome, attempt, output);
            match unit.item {
                None => drop(self.stopped.insert(n, end)),
                Some(_) => drop(self.halted.insert(unit, end)),
            }
            self.interpret();
        }
        self.happen(event, Some(n));
        true
    }

    /// What the case has for an attempt of a unit.
    fn does(&self, unit: Unit, attempt: u32) -> Attempt {
        let attempts = &self.case.attempts[self.number(unit.step)];
        match unit.item {
            None => nth(attempts, attempt - 1),
            Some(item) => nth(&of_item(attempts, item as usize), attempt - 1),
        }
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
        if timer == RunTimer::Timeout {
            self.note_stop(Outcome::TimedOut);
        }
        let is_begun = timer == RunTimer::Start && self.queued.turn.stands == Stand::Later;
        if let Some(outcome) = self.queued.turn.fails_when_due().filter(|_| is_begun) {
            self.note_never_started(outcome);
        }
        let (was, has_hooks) = (self.fleet.run.head.state, self.fleet.run.head.hooks_since.is_some());
        let is_read = self.fleet.run.mover() == Some(Mover::Timer(RunTimer::Start));
        let asked = self.asked();
        let answer = self.fleet.fire_timer(timer);
        self.note_asked(timer, &asked);
        if timer == RunTimer::Start && was == RunState::Running && answer.is_ok() {
            self.begun_later.push(match (has_hooks, is_read) {
                (true, _) => "hooks began by and by",
                (_, true) => "outputs of the run were read",
                (_, false) => "steps began by and by",
            });
        }
        self.told.push(format!("{} {name} is due: {answer:?}", self.fleet.now));
        if answer.is_ok() {
            self.happened.extend(self.fleet.history.last().map(|(_, event, _)| event.clone()));
            self.note(None);
        }
        true
    }

    /// Lets something happen that the run must take.
    pub(crate) fn happen(&mut self, event: Event, own: Option<usize>) {
        self.told.push(format!("{} {}", self.fleet.now, self.words(&event)));
        self.fleet.apply(event.clone()).unwrap();
        self.happened.push(event);
        self.note(own);
    }

    /// Notes which steps have ended by what just happened: the one that it happened to before those that it skipped,
    /// or that could not start after it.
    pub(crate) fn note(&mut self, own: Option<usize>) {
        self.note_slot();
        self.note_giving_up();
        let mut noted = vec![false; self.places.len()];
        self.in_order.iter().for_each(|n| noted[*n] = true);
        for n in own.into_iter().chain(0..self.places.len()) {
            if !noted[n] && matches!(self.fleet.run.steps[self.places[n].at()], StepState::Ended(_)) {
                noted[n] = true;
                self.in_order.push(n);
                self.note_end_of_fan(n);
            }
        }
        if self.fleet.run.head.hooks_since.is_some() && self.before_hooks.is_none() {
            let case = self.case;
            let is_hook = |n: &usize| case.workflow.steps[*n].is_hook_of_workflow();
            let steps: Vec<usize> = self.in_order.iter().copied().filter(|n| !is_hook(n)).collect();
            let by_steps = outcome_of_run(&self.case.workflow, &self.reference, &steps);
            self.before_hooks = Some(self.stopped_with.unwrap_or(by_steps));
            self.interpret();
            self.note_giving_up();
            (0..self.places.len()).filter(is_hook).for_each(|n| self.note_end_of_fan(n));
        }
        self.note_attempts();
        self.note_locks();
        self.note_asked_after();
        if self.fleet.run.head.state == RunState::Running && !self.fleet.run.head.is_stopping() {
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
        if self.stopped.contains_key(&n) {
            return None;
        }
        let judged: Vec<_> = step
            .depends_on
            .iter()
            .map(|on| {
                ended[on.step].then(|| judge(on.wants, &workflow.steps[on.step], &self.reference[on.step]))
            })
            .collect();
        let decided = match (step.hook, self.before_hooks) {
            // "A hook of the **workflow** has its turn when all other steps have ended".
            (Some(Hook::OfWorkflow(_)), None) => None,
            (Some(Hook::OfWorkflow(when)), Some(outcome)) if !has_turn(when, outcome) => Some(false),
            _ => decided(step.trigger_rule, &judged),
        };
        let is_woken = self.fleet.is_woken(self.places[n]) || self.fleet.run.head.paused.is_some();
        let is_held = step.not_before.is_some() || matches!(step.work, Work::Wait(_)) || is_woken;
        let what = match (decided, state) {
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

    pub(crate) fn number(&self, step: StepIndex) -> usize {
        self.places.iter().position(|place| *place == step).unwrap()
    }
}
