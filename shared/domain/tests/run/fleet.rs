//! A model of everything around a run: the store that holds it, the fleet that has its tasks, its timers. Every
//! event goes to the run in memory and to one freshly loaded from the store, and what must hold always is checked.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use millrace_domain::run::{
    Action, Advanced, Apart, ChildStart, Ended, Event, Head, Refusal, Run, RunTimer, StepState, history,
};
use millrace_domain::task::{Task, TaskResult};
use millrace_domain::{Outcome, StepIndex, TaskId, Timestamp, Unit};
use serde_json::{Map, Value};

pub(crate) use crate::asked::{CREATED, Order};
use crate::invariants;
use crate::locks::Locks;
use crate::slots::Slots;

/// What the store holds of a run.
#[derive(Default)]
pub(crate) struct Stored {
    head: String,
    records: BTreeMap<Unit, String>,
    attempts: BTreeMap<Unit, (u32, Timestamp)>,
    pub(crate) apart: BTreeMap<StepIndex, String>,
    /// The ends of items.
    pub(crate) items: BTreeMap<Unit, Ended>,
    /// The entries of its history, by their numbers.
    pub(crate) entries: BTreeMap<u64, String>,
}

/// What an event is lent of the outputs that are not in memory: its batch may be lent more, or have made more of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lending {
    Wanted,
    All,
    None,
}

/// A run, and all that it asked for.
pub(crate) struct Fleet {
    pub(crate) run: Run,
    pub(crate) now: Timestamp,
    /// Every attempt that was ever dispatched, in order.
    pub(crate) tasks: Vec<Task>,
    /// Every child that was ever asked for, in order, and every attempt that was ever made: of both kinds.
    pub(crate) starts: Vec<ChildStart>,
    pub(crate) made: Vec<(TaskId, Timestamp)>,
    /// The attempts that were dispatched and not retired.
    pub(crate) current: BTreeMap<Unit, u32>,
    /// The children that were asked for and have not told of their end.
    pub(crate) children: BTreeMap<Unit, ChildStart>,
    /// How often children were asked for again, and asked to stop, by what they are.
    pub(crate) asked_again: BTreeMap<TaskId, u32>,
    pub(crate) asked_to_stop: BTreeMap<TaskId, u32>,
    /// How often children were asked to stop with their hooks.
    pub(crate) hooks_stopped: u32,
    /// What the parent of the run was told.
    pub(crate) told_parent: Vec<TaskResult>,
    /// The timers that are set.
    pub(crate) timers: HashMap<RunTimer, Timestamp>,
    /// Every request to stop: the attempts, and whether by force.
    pub(crate) stops: Vec<(Vec<(Unit, u32)>, bool)>,
    /// Every request to take back what nobody has claimed.
    pub(crate) take_backs: Vec<Vec<(Unit, u32)>>,
    /// Whether an attempt was taken back that nobody had claimed.
    pub(crate) took_back: bool,
    /// What was asked for of locks, and released.
    pub(crate) locks: Locks,
    /// What the run has asked for of slots, and released.
    pub(crate) slots: Slots,
    /// Every attempt that is over, with its outcome.
    pub(crate) retired: Vec<(Unit, u32, Outcome)>,
    /// What the run has to end with, as far as it is known.
    pub(crate) verdict: Option<Outcome>,
    /// The reason it has to end with, as far as it is known.
    pub(crate) because: Option<String>,
    pub(crate) ends: usize,
    /// All that happened, and what was answered.
    pub(crate) history: Vec<(Timestamp, Event, String)>,
    pub(crate) lending: Lending,
    pub(crate) stored: Stored,
    pub(crate) seen: usize,
}

impl Fleet {
    pub(crate) fn of(source: &str) -> Self {
        Self::start(&Order::of(source))
    }

    pub(crate) fn start(order: &Order) -> Self {
        Self::of_created(order.create(order.workflow()), CREATED, BTreeMap::new(), BTreeMap::new())
    }

    /// A run that was just created, with what it keeps apart from its beginning.
    pub(crate) fn of_created(
        (run, advanced): (Run, Advanced),
        now: Timestamp,
        apart: BTreeMap<StepIndex, String>,
        items: BTreeMap<Unit, Ended>,
    ) -> Self {
        let mut fleet = Self {
            run,
            now,
            tasks: Vec::new(),
            starts: Vec::new(),
            made: Vec::new(),
            current: BTreeMap::new(),
            children: BTreeMap::new(),
            asked_again: BTreeMap::new(),
            asked_to_stop: BTreeMap::new(),
            hooks_stopped: 0,
            told_parent: Vec::new(),
            timers: HashMap::new(),
            stops: Vec::new(),
            take_backs: Vec::new(),
            took_back: false,
            locks: Locks::default(),
            slots: Slots::default(),
            retired: Vec::new(),
            verdict: None,
            because: None,
            ends: 0,
            history: Vec::new(),
            lending: Lending::Wanted,
            stored: Stored { apart, items, ..Stored::default() },
            seen: 0,
        };
        fleet.take(None, advanced);
        invariants::hold(&fleet);
        fleet
    }

    /// Lets something happen, to the run and to a copy that was just loaded.
    pub(crate) fn apply(&mut self, event: Event) -> Result<(), Refusal> {
        let before = self.run.clone();
        let mut loaded = self.load();
        for step in self.lent_for(&event) {
            let outputs = self.outputs_apart(step);
            let outputs = Arc::new(outputs);
            self.run.lend(step, Arc::clone(&outputs));
            loaded.lend(step, outputs);
        }
        self.took_back |= matches!(event, Event::Revoked { unclaimed: true, .. });
        let answer = history::advance_noting(&mut self.run, &event, self.now);
        let same = history::advance_noting(&mut loaded, &event, self.now);
        let words = format!("{answer:?}");
        assert_eq!(words, format!("{same:?}"), "a run that was reloaded does otherwise on {event:?}");
        self.run.take_back_lent();
        self.history.push((self.now, event, words));
        match answer {
            Ok((advanced, entry)) => {
                let written = entry.map(|entry| (entry.n, serde_json::to_string(&entry).unwrap()));
                self.stored.entries.extend(written);
                self.take(Some(&before), advanced);
            }
            Err(refusal) => {
                invariants::assert_same(&self.run, &before, "refused");
                return Err(refusal);
            }
        }
        invariants::hold(self);
        Ok(())
    }

    fn lent_for(&self, event: &Event) -> Vec<StepIndex> {
        match self.lending {
            Lending::Wanted => self.run.wants_lent(event),
            Lending::All => {
                let steps = (0..self.run.steps.len()).map(StepIndex::from);
                steps.filter(|step| self.run.apart(*step).is_some()).collect()
            }
            Lending::None => Vec::new(),
        }
    }

    /// The head as the store has it.
    pub(crate) fn stored_head(&self) -> Head {
        serde_json::from_str(&self.stored.head).unwrap()
    }

    /// The run as the store has it.
    pub(crate) fn load(&self) -> Run {
        let records: Vec<_> =
            self.stored.records.iter().map(|(unit, record)| (*unit, record.clone())).collect();
        let attempts: Vec<_> = self.stored.attempts.iter().map(|(unit, (n, at))| (*unit, *n, *at)).collect();
        let (id, workflow, spec) = (self.run.id, Arc::clone(&self.run.workflow), Arc::clone(&self.run.spec));
        let mut run = Run::restore(id, workflow, spec, &self.stored.head, &records, &attempts).unwrap();
        for step in run.lists_wanted() {
            run.give_list(step, &self.stored.apart[&step]).unwrap();
        }
        run
    }

    /// The outputs that a step which has ended keeps apart, as the store has them.
    pub(crate) fn outputs_apart(&self, step: StepIndex) -> Value {
        let total = match self.run.apart(step) {
            Some(Apart::Items(total)) => total,
            Some(Apart::Outputs) => return serde_json::from_str(&self.stored.apart[&step]).unwrap(),
            None => panic!("{step:?} keeps nothing apart"),
        };
        let items = (0..total).map(|item| self.stored.items.get(&Unit { step, item: Some(item) }));
        let outputs = |end: Option<&Ended>| match end {
            Some(end) if end.outcome == Outcome::Succeeded => Value::Object(end.outputs.clone()),
            _ => Value::Null,
        };
        items.map(outputs).collect()
    }

    /// The end of an item, as the store has it.
    pub(crate) fn item_end(&self, name: &str, item: u32) -> Option<&Ended> {
        self.stored.items.get(&self.item(name, item))
    }

    pub(crate) fn item(&self, name: &str, item: u32) -> Unit {
        Unit { step: self.index(name), item: Some(item) }
    }

    fn take(&mut self, before: Option<&Run>, advanced: Advanced) {
        self.children.retain(|unit, start| {
            let attempt = start.parent.attempt.attempt;
            matches!(self.run.state_of(*unit), Some(StepState::Child { attempts, .. }) if attempts.attempt == attempt)
        });
        invariants::check(self, before, &advanced);
        if advanced.head {
            self.stored.head = self.run.head_record();
        }
        for (unit, end) in advanced.ended_items {
            self.stored.records.remove(&unit);
            assert_eq!(self.stored.items.insert(unit, *end), None, "{unit} ended twice");
        }
        self.stored.apart.extend(advanced.apart);
        for unit in advanced.units {
            self.stored.records.extend(self.run.unit_record(unit).map(|record| (unit, record)));
        }
        for action in advanced.actions {
            match action {
                Action::Dispatch(task) => {
                    self.stored.attempts.insert(task.id().unit, (task.attempt, self.now));
                    self.current.insert(task.id().unit, task.attempt);
                    self.made.push((task.id(), self.now));
                    self.tasks.push(*task);
                }
                Action::Retire { unit, attempt, outcome } => {
                    self.stored.attempts.remove(&unit);
                    self.current.remove(&unit);
                    self.retired.push((unit, attempt, outcome));
                }
                Action::Set(due, timer) => drop(self.timers.insert(timer, due)),
                Action::Clear(timer) => drop(self.timers.remove(&timer)),
                Action::Stop { tasks, by_force } => self.stops.push((tasks, by_force)),
                Action::TakeBack { tasks } => self.take_backs.push(tasks),
                Action::StartChild { start, again: false } => {
                    self.made.push((start.parent.attempt, self.now));
                    self.starts.push((*start).clone());
                    self.children.insert(start.parent.attempt.unit, *start);
                }
                Action::StartChild { start, again: true } => {
                    *self.asked_again.entry(start.parent.attempt).or_default() += 1;
                }
                Action::StopChild { start, hooks, .. } => {
                    self.hooks_stopped += u32::from(hooks);
                    *self.asked_to_stop.entry(start.parent.attempt).or_default() += 1;
                }
                Action::AskLocks(ask) if ask.asker.unit.is_none() => self.slots.ask(*ask),
                Action::AskLocks(ask) => self.locks.ask(*ask),
                Action::ReleaseLocks { asker, .. } => match asker.task() {
                    Some(task) => self.locks.release(task),
                    None => self.slots.release(),
                },
                Action::TellParent(told) => self.told_parent.push(*told),
                Action::End => self.ends += 1,
            }
        }
    }

    /// Whether a timer starts a step whose rule holds: with outputs that it is lent, or after others.
    pub(crate) fn is_woken(&self, step: StepIndex) -> bool {
        let timers = [RunTimer::Retry(step.into()), RunTimer::Start];
        timers.iter().any(|timer| self.timers.contains_key(timer))
    }

    pub(crate) fn index(&self, name: &str) -> StepIndex {
        self.run.workflow.index_of(name).unwrap()
    }

    /// The result of the current attempt of a unit, or of its first when there is none.
    pub(crate) fn result(&self, unit: impl Into<Unit>, outcome: Outcome) -> TaskResult {
        let unit = unit.into();
        TaskResult {
            run: self.run.id,
            step: unit.step,
            item: unit.item,
            attempt: self.current.get(&unit).copied().unwrap_or(1),
            outcome,
            started_at: self.now,
            ended_at: self.now,
            code: None,
            reason: None,
            outputs: Map::new(),
            retry_after_ms: None,
            is_typed: false,
            worker: "worker-1".to_owned(),
        }
    }

    /// The current attempt of the step called `name` ends with `outcome`.
    pub(crate) fn end(&mut self, name: &str, outcome: Outcome) {
        let result = self.result(self.index(name), outcome);
        self.apply(Event::Result(result)).unwrap();
    }

    /// The current attempt succeeds, and hands `outputs` on.
    pub(crate) fn give(&mut self, name: &str, outputs: &Value) {
        let result = self.result(self.index(name), Outcome::Succeeded);
        let outputs = outputs.as_object().unwrap().clone();
        self.apply(Event::Result(TaskResult { outputs, ..result })).unwrap();
    }

    /// The child that a unit is ends with `outcome`, and hands `outputs` on.
    pub(crate) fn end_child(&mut self, unit: impl Into<Unit>, outcome: Outcome, outputs: &Value) {
        let unit = unit.into();
        let told = self.children[&unit].parent.told(outcome);
        let outputs = outputs.as_object().unwrap().clone();
        let (started_at, ended_at) = (self.now, self.now);
        self.apply(Event::ChildEnded(TaskResult { started_at, ended_at, outputs, ..told })).unwrap();
    }

    /// The worker of the current attempt goes away.
    pub(crate) fn lose(&mut self, name: &str) {
        let step = self.index(name);
        let reason = "its worker on host-1 went away".to_owned();
        self.apply(Event::Lost { unit: step.into(), attempt: self.current[&Unit::from(step)], reason })
            .unwrap();
    }

    pub(crate) fn cancel(&mut self) {
        self.apply(Event::Cancel { reason: "stopped by hand".to_owned() }).unwrap();
    }

    /// Goes to the instant of the next timer, which is due then.
    pub(crate) fn until_next(&mut self) -> RunTimer {
        let (timer, due) =
            self.timers.iter().min_by_key(|(_, due)| **due).map(|(t, due)| (*t, *due)).unwrap();
        self.now = self.now.max(due);
        timer
    }

    /// Goes to the instant of the next timer, and fires it.
    pub(crate) fn fire(&mut self) -> RunTimer {
        let timer = self.until_next();
        self.fire_timer(timer).unwrap();
        timer
    }

    /// Fires `timer`, which is set no more, as its owner does.
    pub(crate) fn fire_timer(&mut self, timer: RunTimer) -> Result<(), Refusal> {
        self.timers.remove(&timer);
        self.apply(match timer {
            RunTimer::Start => Event::StartDue,
            RunTimer::Retry(unit) => Event::RetryDue { unit },
            RunTimer::Timeout => Event::TimedOut,
            RunTimer::CancelCheck => Event::CancelCheckDue,
        })
    }
}
