//! What is seen of the locks of a random workflow: whoever grants them does so late, twice, or never, and somebody takes
//! them away.

use std::collections::{BTreeMap, BTreeSet};

use millrace_domain::lock::{Ask, Holder, Need};
use millrace_domain::run::{Event, Parent, StepState};
use millrace_domain::{Outcome, TaskId, Unit};

use crate::locks::task_of;
use crate::random_children::parent;
use crate::random_driver::Driver;
use crate::reference::{End, Locks};

/// Who holds what, as far as whoever grants it knows.
#[derive(Debug, Default)]
pub(crate) struct Held {
    /// The attempt for which a unit was granted its locks, and the token.
    tokens: BTreeMap<Unit, (u32, u64)>,
    /// Those that go on without.
    taken: BTreeSet<Unit>,
    /// Those whose locks can never be had.
    pub(crate) refused: BTreeSet<Unit>,
    last_token: u64,
    asked: usize,
    released: usize,
    dispatched: usize,
    started: usize,
}

impl Driver<'_> {
    fn locks_of(&self, unit: Unit) -> Option<Locks> {
        self.case.workflow.steps[self.number(unit.step)].task()?.locks
    }

    /// The asks of the units that wait for locks.
    pub(crate) fn locking(&self) -> Vec<Ask> {
        let waits = |unit: &Unit| matches!(self.fleet.run.state_of(*unit), Some(StepState::Locking { .. }));
        let open = self.fleet.locks.open.iter();
        open.filter(|(unit, _)| waits(unit)).map(|(_, ask)| ask.clone()).collect()
    }

    /// Grants what somebody waits for, now and then, or where nothing else is under way. `false` when it does not.
    pub(crate) fn grants_instead(&mut self, pick: u16, under_way: usize) -> bool {
        let asks = self.locking();
        let grants = !asks.is_empty() && (under_way == 0 || pick.is_multiple_of(3));
        if grants {
            self.grant(&asks[usize::from(pick / 3) % asks.len()]);
        }
        grants
    }

    /// Whoever keeps the locks says something, or somebody else takes them away.
    pub(crate) fn lock(&mut self, pick: u16, what: u8) {
        let waiting = self.locking();
        let all = &self.fleet.locks.asks;
        let open: Vec<Ask> = self.fleet.locks.open.values().cloned().collect();
        // What was asked for once may be over by now: a letter of it comes late.
        let from = match what {
            0..4 => waiting,
            4..7 => open,
            _ => all.clone(),
        };
        if from.is_empty() {
            return;
        }
        let ask = from[usize::from(pick) % from.len()].clone();
        match what % 4 {
            0 | 1 => self.grant(&ask),
            2 => self.refuse(&ask),
            _ => self.take(&ask),
        }
    }

    fn is_waited_for(&self, ask: &Ask) -> bool {
        self.locking().iter().any(|waiting| waiting.asker == ask.asker)
    }

    /// Whether it is for what a unit has.
    fn is_held(&self, ask: &Ask) -> bool {
        self.held.tokens.get(&task_of(ask).unit).is_some_and(|(attempt, _)| *attempt == ask.asker.attempt)
    }

    fn grant(&mut self, ask: &Ask) {
        let TaskId { unit, attempt, .. } = task_of(ask);
        let locks = ask.wants.iter().map(|want| want.lock.clone()).collect();
        let is_new = self.is_waited_for(ask);
        let held = self.held.tokens.get(&unit).map(|(_, token)| *token).filter(|_| self.is_held(ask));
        self.held.last_token += u64::from(held.is_none());
        let token = held.unwrap_or(self.held.last_token);
        let event = Event::Granted { unit, attempt, locks, token };
        if is_new {
            self.held.tokens.insert(unit, (attempt, token));
            self.held.taken.remove(&unit);
            self.saw.push(if unit.item.is_some() { "an item got its locks" } else { "a step got its locks" });
            let n = self.number(unit.step);
            return self.happen(event, Some(n));
        }
        self.saw.push(if held.is_some() { "a grant came twice" } else { "a grant came late" });
        self.changes_nothing(event, held.is_some());
    }

    fn refuse(&mut self, ask: &Ask) {
        let TaskId { unit, attempt, .. } = task_of(ask);
        let event = Event::LockRefused { unit, attempt, reason: "it never can be had".to_owned() };
        if !self.is_waited_for(ask) {
            return self.changes_nothing(event, false);
        }
        let n = self.number(unit.step);
        self.saw.push("locks were refused");
        self.held.refused.insert(unit);
        // Whoever refuses keeps nothing of it.
        self.fleet.locks.open.remove(&unit);
        let end = End::of(Outcome::Failed, attempt - 1, None);
        match unit.item {
            None => drop(self.stopped.insert(n, end)),
            Some(item) => drop(self.said.items.insert((n, item as usize), end)),
        }
        self.interpret();
        self.happen(event, Some(n));
    }

    fn take(&mut self, ask: &Ask) {
        let TaskId { unit, attempt, .. } = task_of(ask);
        let locks = ask.wants.iter().map(|want| want.lock.clone()).collect();
        let event = Event::LockTaken { unit, attempt, locks, by: "ann".to_owned(), why: None };
        let (waits, held) = (self.is_waited_for(ask), self.is_held(ask));
        if !waits && !held {
            return self.changes_nothing(event, false);
        }
        let asks = self.fleet.locks.asks.len();
        if held {
            self.held.tokens.remove(&unit);
            self.held.taken.insert(unit);
            self.fleet.locks.open.remove(&unit);
        }
        self.saw.push(if held { "locks were taken away" } else { "somebody who waits asked anew" });
        let stood = self.fleet.run.state_of(unit).map(std::mem::discriminant);
        self.happen(event, None);
        assert_eq!(self.fleet.run.state_of(unit).map(std::mem::discriminant), stood, "{unit} does not go on");
        assert_eq!(self.fleet.locks.asks.len() - asks, usize::from(waits));
    }

    /// A letter that is late, or comes again.
    pub(crate) fn changes_nothing(&mut self, event: Event, is_known: bool) {
        let words = self.words(&event);
        let (before, made) = (self.fleet.run.last_advance(), self.fleet.made.len());
        let answer = self.fleet.apply(event);
        assert_eq!(answer.is_ok(), is_known, "{words}: {answer:?}");
        assert_eq!((self.fleet.run.last_advance(), self.fleet.made.len()), (before, made), "{words}");
    }

    /// Looks at what was asked for, released and dispatched by what just happened.
    pub(crate) fn note_locks(&mut self) {
        let mut wrong = Vec::new();
        for ask in &self.fleet.locks.asks[self.held.asked..] {
            wrong.extend(self.wrong_ask(ask));
            let before = &self.fleet.locks.asks[..self.held.asked];
            let again = before.iter().any(|before| before.asker == ask.asker);
            self.saw.extend(again.then_some("locks were asked for again"));
            self.saw.extend((!ask.above.is_empty()).then_some("locks were asked for in a run of another"));
        }
        // What was dispatched had its locks, though it may be over by now.
        let tasks = self.fleet.tasks[self.held.dispatched..].iter();
        let tasks = tasks.map(|task| (task.id(), Some(task.env.get("MILLRACE_LOCK_TOKEN").cloned())));
        let starts = self.fleet.starts[self.held.started..].iter();
        for (made, token) in tasks.chain(starts.map(|start| (start.parent.attempt, None))) {
            let held = self.held.tokens.get(&made.unit);
            if held.is_some() != self.locks_of(made.unit).is_some() {
                wrong.push(format!("{made} was dispatched with {held:?}"));
            }
            // "From an attempt that was lost to the one that goes on with its locks", it rises by one.
            let expected = held.map(|(first, token)| (token + u64::from(made.attempt - first)).to_string());
            if token.as_ref().is_some_and(|token| *token != expected) {
                wrong.push(format!("{made} was given another token than that of {held:?}"));
            }
            self.saw.extend(held.filter(|_| token.is_none()).map(|_| "a run had locks"));
            if held.is_some_and(|(attempt, _)| *attempt < made.attempt) {
                self.saw.push("an attempt went on with the locks of one that was lost");
            }
        }
        for task in &self.fleet.locks.released[self.held.released..] {
            let held = self.held.tokens.remove(&task.unit);
            if held.is_some_and(|(attempt, _)| attempt != task.attempt) {
                wrong.push(format!("{task} was released, and {held:?} is held"));
            }
            self.held.taken.remove(&task.unit);
        }
        let current = self.fleet.current.keys().chain(self.fleet.children.keys());
        for unit in current.filter(|unit| self.locks_of(**unit).is_some()) {
            if !self.held.tokens.contains_key(unit) && !self.held.taken.contains(unit) {
                wrong.push(format!("{unit} is under way, and has released its locks"));
            }
        }
        for unit in self.held.tokens.keys() {
            if !self.fleet.current.contains_key(unit) && !self.fleet.children.contains_key(unit) {
                wrong.push(format!("{unit} is not under way, and has not released its locks"));
            }
        }
        let fleet = &self.fleet;
        let seen =
            (fleet.locks.asks.len(), fleet.locks.released.len(), fleet.tasks.len(), fleet.starts.len());
        (self.held.asked, self.held.released, self.held.dispatched, self.held.started) = seen;
        let at = self.fleet.now;
        self.wrong.extend(wrong.into_iter().map(|wrong| format!("{at} {wrong}")));
    }

    /// What is wrong with what was asked for.
    fn wrong_ask(&self, ask: &Ask) -> Option<String> {
        let unit = task_of(ask).unit;
        let (run, locks) = (&self.fleet.run, self.locks_of(unit));
        let waiting = |above: &Parent| above.waits.then(|| above.ancestors.clone());
        let above = self.case.parent.map(parent).as_ref().and_then(waiting).unwrap_or_default();
        let above = above.iter().map(|above| Holder::of_unit(above.run, above.unit.unwrap(), Need::Locks));
        let above: Vec<Holder> = above.filter(|above| above.unit.is_some()).collect();
        let made = self.fleet.made.iter().filter(|(made, _)| made.unit == unit).map(|(made, _)| made.attempt);
        let is_right = locks.is_some_and(|locks| ask.wants[..] == locks.wants(unit.item)[..])
            && ask.asker.run == run.id
            && ask.asker.attempt > made.filter(|attempt| *attempt < ask.asker.attempt).max().unwrap_or(0)
            && ask.priority == run.spec.priority
            && ask.workflow == run.workflow.id
            && ask.step.as_ref().is_some_and(|step| step.as_str() == format!("s{}", self.number(unit.step)))
            && ask.since <= self.fleet.now
            && ask.above == above;
        (!is_right).then(|| format!("of {locks:?} this was asked for: {ask:?}"))
    }

    /// What is wrong with what is left when the run has ended.
    pub(crate) fn wrong_locks(&self) -> Option<String> {
        let left = &self.fleet.locks.open;
        (!left.is_empty()).then(|| format!("this was never released: {left:?}"))
    }
}
