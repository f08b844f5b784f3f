//! A board with the rows that are written down of it, beside its model.

use std::collections::BTreeMap;
use std::time::Duration;

use millrace_domain::lock::{Ask, Asker, Board, Effect, Entry, Holder, Need, Row, Want};
use millrace_domain::{Outcome, RunId, StepIndex, TaskId, Timestamp, Unit, WorkflowId, WorkflowName};

use serde_json::json;

use crate::model::{Model, Told, Why, is_above, told_of, want as wanted};

pub(crate) const START: Timestamp = Timestamp::from_millis(1_772_407_800_000);

const TELL_AGAIN: Duration = Duration::from_secs(60);

pub(crate) fn run(n: usize) -> RunId {
    RunId::of_key(&WorkflowId::adhoc(), &format!("run {n}"), 64)
}

pub(crate) fn unit(n: usize) -> Unit {
    StepIndex(n as u32).into()
}

pub(crate) fn holder(n: usize, of: usize) -> Holder {
    Holder::of_unit(run(n), unit(of), Need::Locks)
}

pub(crate) fn workflow(name: &str) -> WorkflowId {
    WorkflowId::from(name.parse::<WorkflowName>().unwrap())
}

pub(crate) fn want(lock: &str, slots: u32, weight: u32) -> Want {
    Want { slots, weight, ..Want::exclusive(lock.parse().unwrap()) }
}

/// The ask of the first step of a run, in the runs of which the first steps wait for it.
pub(crate) fn ask(n: usize, wants: &[Want], above: &[usize]) -> Ask {
    Ask {
        asker: TaskId { run: run(n), unit: unit(0), attempt: 1 }.into(),
        wants: wants.into(),
        priority: Default::default(),
        since: START + Duration::from_secs(n as u64),
        workflow: workflow(&format!("workflow_{n}")),
        version: Some(1),
        step: Some(format!("step_{n}").parse().unwrap()),
        above: above.iter().map(|n| holder(*n, 0)).collect(),
        at_limit: None,
    }
}

#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) board: Board,
    pub(crate) model: Model,
    pub(crate) now: Timestamp,
    pub(crate) token: u64,
    rows: BTreeMap<String, String>,
    told_at: BTreeMap<Holder, Timestamp>,
    /// Until when it is remembered whose ask is over.
    gone_until: BTreeMap<Holder, Timestamp>,
    /// Those to whom the last change has granted what they want.
    new: Vec<Holder>,
    /// All that was told, in order.
    pub(crate) told: Vec<Told>,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self { now: START, ..Self::default() }
    }

    /// Takes in an ask, and answers what was told of it, and of others.
    pub(crate) fn ask(&mut self, ask: &Ask) -> Vec<Told> {
        let before = self.model.clone();
        self.token += 1;
        let effects = self.board.ask(ask.clone(), self.now, self.token);
        let expected = self.model.ask(ask.clone(), self.now, self.token);
        for effect in &effects {
            if let Effect::Refuse { asker, why, outcome } = effect
                && !before.gone.contains_key(&asker.holder())
            {
                check_text(&before, ask, *asker, (why, *outcome));
            }
        }
        self.check(effects, expected)
    }

    pub(crate) fn release(&mut self, asker: Asker) -> Vec<Told> {
        self.token += 1;
        let effects = self.board.release(asker, None, self.now, self.token);
        let expected = self.model.release(asker, self.now, self.token);
        self.check(effects, expected)
    }

    /// Replaces the board by one of what is written down.
    pub(crate) fn restore(&mut self) {
        self.token += 1;
        let rows = self.rows.values().rev();
        self.board = Board::of(rows.map(|row| serde_json::from_str::<Row>(row).unwrap()), self.now);
        self.gone_until.clear();
        let holders = self.model.entries.iter();
        self.told_at = holders.filter_map(|entry| Some((entry.holder(), entry.grant?.at))).collect();
        self.check(Vec::new(), Vec::new());
    }

    /// Tells holders again, at most so many.
    pub(crate) fn tell_due(&mut self, limit: usize) {
        self.token += 1;
        let mut due: Vec<(Timestamp, Holder)> =
            self.told_at.iter().map(|(holder, at)| (*at + TELL_AGAIN, *holder)).collect();
        due.sort_unstable();
        let mut gone: Vec<(Timestamp, Holder)> =
            self.gone_until.iter().map(|(holder, until)| (*until, *holder)).collect();
        gone.sort_unstable();
        assert_eq!(self.board.due(), due.iter().chain(&gone).map(|(at, _)| *at).min());
        gone.retain(|(until, _)| *until <= self.now);
        gone.truncate(limit);
        for (_, holder) in gone {
            self.model.gone.remove(&holder);
            self.gone_until.remove(&holder);
        }
        due.retain(|(at, _)| *at <= self.now);
        due.truncate(limit);
        let expected = due.iter().map(|(_, holder)| told_of(self.model.entry(*holder).unwrap()).unwrap());
        let expected = expected.collect();
        self.told_at.extend(due.into_iter().map(|(_, holder)| (holder, self.now)));
        let effects = self.board.tell_due(self.now, limit, self.token);
        self.check(effects, expected);
    }

    /// Holds what a change came to against the model, and against all that must hold at every moment.
    fn check(&mut self, effects: Vec<Effect>, mut expected: Vec<Told>) -> Vec<Told> {
        let mut told = Vec::new();
        for effect in effects {
            match effect {
                Effect::Put(holder) => {
                    let row = self.board.row(holder).unwrap_or_else(|| panic!("{holder} is not there"));
                    self.rows.insert(holder.to_string(), serde_json::to_string(&row).unwrap());
                }
                Effect::Delete(holder) => drop(self.rows.remove(&holder.to_string())),
                Effect::PutRate(rate) | Effect::DeleteRate(rate) => panic!("{rate}: there are no rates here"),
                Effect::Grant { asker, token } => told.push(Told::Granted(asker, token)),
                Effect::Refuse { asker, outcome, why } => {
                    let kind = kind(&why, outcome);
                    assert_eq!(outcome, kind.outcome(), "{why}");
                    told.push(Told::Refused(asker, kind));
                }
                Effect::Displace { asker, why } => {
                    let by = why.strip_prefix("replaced by run ").unwrap();
                    told.push(Told::Displaced(asker, by.parse().unwrap()));
                }
            }
        }
        self.take_tokens(&told, &mut expected);
        self.told.extend(told.clone());
        let in_order = told.clone();
        told.sort();
        expected.sort();
        assert_eq!(told, expected, "{:#?}", self.model);
        for holder in self.model.gone.keys() {
            // Longer than two minutes, and forgotten together with others.
            let until = (self.now + Duration::from_secs(120)).as_millis() / 10_000 * 10_000 + 10_000;
            self.gone_until.entry(*holder).or_insert(Timestamp::from_millis(until));
        }
        let all = self.model.entries.iter().map(Entry::holder).chain(self.model.gone.keys().copied());
        let written = all.map(|holder| (holder.to_string(), json!(self.board.row(holder)).to_string()));
        let rows = self.rows.iter().map(|(key, row)| {
            (key.clone(), serde_json::from_str::<serde_json::Value>(row).unwrap().to_string())
        });
        let (rows, written): (BTreeMap<_, _>, BTreeMap<_, _>) = (rows.collect(), written.collect());
        assert_eq!(rows, written, "what is written down is not what there is");
        let mut entries = self.model.entries.clone();
        entries.sort_by_key(Entry::holder);
        assert!(self.board.entries().eq(&entries), "{:#?}\n{:#?}", self.board, entries);
        self.told_at.retain(|holder, _| entries.iter().any(|e| e.holder() == *holder && e.grant.is_some()));
        for entry in &entries {
            if let Some(grant) = entry.grant.filter(|_| self.new.contains(&entry.holder())) {
                self.told_at.insert(entry.holder(), grant.at);
            }
        }
        let holding = entries.iter().filter(|entry| entry.grant.is_some()).count();
        assert_eq!(self.board.counts(), (holding, entries.len() - holding));
        assert_eq!(self.board.is_empty(), entries.is_empty());
        self.check_locks();
        in_order
    }

    /// Gives the grants of the model the tokens that the board has chosen: each is higher than all before it.
    fn take_tokens(&mut self, told: &[Told], expected: &mut [Told]) {
        let least = self.token;
        self.new.clear();
        for told in told {
            let Told::Granted(task, token) = told else { continue };
            let is_new = |entry: &&mut Entry| {
                entry.ask.asker == *task && entry.grant.is_some_and(|grant| grant.token == least)
            };
            let Some(entry) = self.model.entries.iter_mut().find(is_new) else { continue };
            assert!(*token >= least && (*token > self.token || self.new.is_empty()), "{task:?}: {token}");
            self.new.push(entry.holder());
            self.token = *token;
            entry.grant.as_mut().unwrap().token = *token;
            let same = expected.iter_mut().find(|one| **one == Told::Granted(*task, least));
            *same.unwrap() = told.clone();
        }
    }

    /// No lock has more holders than slots but those that held it when it had more; and nobody is left who could be next.
    fn check_locks(&self) {
        let slots = self.model.slots();
        let is_next = self.model.entries.iter().find(|e| e.grant.is_none() && self.model.is_next(e, &slots));
        assert_eq!(is_next, None, "one waits that could have it");
        let locks = self.board.locks(self.now);
        assert!(locks.iter().map(|(name, _)| *name).eq(slots.keys()));
        for (name, standing) in locks {
            let (alone, sharing) = self.model.taken(name);
            assert!(alone == 0 || sharing == 0, "{name} is shared, and is not");
            let is_new = |entry: &Entry| self.new.contains(&entry.holder());
            let wants_it = |entry: &&Entry| entry.ask.wants.iter().any(|want| want.lock == *name);
            let grows = self.model.entries.iter().filter(wants_it).any(is_new);
            assert!(alone <= slots[name] || !grows, "{name} has more holders than slots");
            assert_eq!(standing.slots, slots[name]);
            let taken = if sharing > 0 { standing.slots } else { alone };
            assert_eq!(standing.taken, u64::from(taken));
            let waiters = standing
                .waiters
                .iter()
                .map(|entry| (!entry.nested, entry.ask.priority, entry.ask.since, entry.holder()));
            assert!(waiters.is_sorted());
        }
    }

    /// Everybody lets go of what it holds as soon as no run of another that is in it holds or waits: in the end, nobody is left.
    pub(crate) fn drain(&mut self) {
        while !self.model.entries.is_empty() {
            let entries = &self.model.entries;
            let is_over = |entry: &&Entry| {
                entry.grant.is_some() && !entries.iter().any(|other| is_above(entry.holder(), other))
            };
            let Some(over) = entries.iter().find(is_over) else {
                panic!("these wait for ever: {entries:#?}");
            };
            let asker = over.ask.asker;
            self.release(asker);
        }
    }
}

fn kind(why: &str, outcome: Outcome) -> Why {
    match why {
        _ if why.contains("say the same in both") => Why::Conflict,
        _ if why.contains("would wait for ever") => Why::Deadlock,
        _ if why.starts_with("replaced by run ") => Why::Replaced,
        _ if why.starts_with("dropped for run ") => Why::Dropped,
        _ if why.starts_with("merged into run ") => Why::Merged,
        _ if why.contains("no more may (max_queued: ") || why.starts_with("no run may wait") => Why::Full,
        _ if why.contains("under way") && outcome == Outcome::Skipped => Why::Skip,
        _ if why.contains("under way") => Why::Fail,
        _ => Why::TooMuch,
    }
}

/// The text of a refusal names both steps, and their workflows; or the run that is in the way.
fn check_text(before: &Model, ask: &Ask, asker: Asker, (why, outcome): (&str, Outcome)) {
    let kind = kind(why, outcome);
    let own = match &ask.step {
        Some(step) => format!("step {step} of {}", ask.workflow),
        None => format!("a run of {}", ask.workflow),
    };
    // A run of this lock that holds it, or waits for it.
    let named = |holds: bool| {
        let others = before.entries.iter().filter(|entry| wanted(entry, &ask.wants[0].lock).is_some());
        let mut others = others.filter(|entry| entry.grant.is_some() == holds);
        others.any(|entry| why.contains(&format!("run {}", entry.ask.asker.run)))
    };
    let is_right = match kind {
        Why::TooMuch => return,
        // Its own letter came late.
        Why::Replaced | Why::Dropped if asker == ask.asker => named(true) || named(false),
        Why::Replaced | Why::Dropped => {
            asker != ask.asker && why.contains(&format!(" run {}", ask.asker.run)) && !named(true)
        }
        Why::Merged => asker == ask.asker && named(false),
        Why::Skip | Why::Fail => asker == ask.asker && named(true),
        Why::Full => asker == ask.asker,
        Why::Conflict | Why::Deadlock => {
            let names = |other: &Ask| {
                let who = match &other.step {
                    Some(step) => format!("step {step} of {}", other.workflow),
                    None => format!("a run of {}", other.workflow),
                };
                why.contains(&who) && other.asker.holder() != asker.holder()
            };
            let others = before.entries.iter().any(|entry| names(&entry.ask));
            asker == ask.asker && why.contains(&own) && others
        }
    };
    assert!(is_right, "{asker:?} is told: {why}");
}
