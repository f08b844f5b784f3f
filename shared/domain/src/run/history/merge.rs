//! Entries and the ends of units, put into one order again.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::entry::{Entry, told_by};
use crate::run::{Ended, Event, Run, StepState};
use crate::{StepIndex, Timestamp, Unit};

/// A part of the history of a run, gathered from what is stored: the advances after a number, up to so many of them.
#[derive(Debug)]
pub struct History {
    after: u64,
    /// The last advance that counts: what came after the run was read is not there as a whole.
    until: u64,
    limit: usize,
    slots: BTreeMap<u64, Slot>,
    /// Whether there are more advances than the limit.
    is_cut: bool,
}

/// What is stored of one advance.
#[derive(Debug, Default)]
struct Slot {
    entry: Option<String>,
    ends: Vec<(Unit, Ended)>,
}

/// One advance of a run: what happened, and what followed from it.
#[derive(Debug)]
pub struct Happened {
    /// The number of the advance.
    pub n: u64,
    /// When it was made, by the store's clock; `None` where nothing tells.
    pub at: Option<Timestamp>,
    /// The event.
    pub what: What,
    /// The units that ended by it, but for one whose end is the event itself.
    pub followed: Vec<(Unit, Ended)>,
    /// Whether the run ended by it.
    pub ends_run: bool,
}

/// The event of an advance, as far as it is known.
#[derive(Debug)]
pub enum What {
    /// The run was created.
    Created,
    /// An event happened to it.
    Event(Box<Entry>),
    /// An attempt ended, and with it its unit, whose end is told by this.
    End(Box<Entry>),
    /// An event happened that only a newer version knows.
    Unknown,
    /// Nothing was noted, of this advance and those up to the one with this number: version 0.1 made it, or a run went on
    /// for longer than its events are noted.
    NotNoted(u64),
}

impl Happened {
    /// The event, as it can be replayed.
    pub fn entry(&self) -> Option<&Entry> {
        match &self.what {
            What::Event(entry) | What::End(entry) => Some(entry),
            What::Created | What::Unknown | What::NotNoted(_) => None,
        }
    }
}

impl History {
    /// The history of `run` after the advance numbered `after` (0 for all of it), of `limit` advances at most. The ends of
    /// its steps are in it; entries and the ends of items are the caller's to add, in any order.
    pub fn of(run: &Run, after: u64, limit: usize) -> Self {
        let until = run.last_advance();
        let mut history = Self { after, until, limit: limit.max(1), slots: BTreeMap::new(), is_cut: false };
        if after == 0 && until > 0 {
            history.slots.insert(1, Slot::default());
        }
        for (step, state) in run.steps.iter().enumerate() {
            if let StepState::Ended(end) = state
                && history.takes(end.advance)
            {
                history.add_end(StepIndex::from(step).into(), (**end).clone());
            }
        }
        history
    }

    /// The items of steps whose ends have to be added: each step that has any and was not carried over, with how many of its items have begun.
    pub fn items_wanted(run: &Run) -> Vec<(StepIndex, u32)> {
        let begun = |state: &StepState| match state {
            StepState::Fanned(fan) => Some(fan.fanned.counts.begun),
            // What was carried over is told as a whole.
            StepState::Ended(end) if end.carried.is_none() => end.items.as_ref().map(|counts| counts.begun),
            _ => None,
        };
        let steps = run.steps.iter().enumerate();
        steps.filter_map(|(step, state)| Some((step.into(), begun(state)?))).collect()
    }

    /// Adds the end of a unit.
    pub fn add_end(&mut self, unit: Unit, end: Ended) {
        if let Some(slot) = self.slot(end.advance) {
            slot.ends.push((unit, end));
        }
    }

    /// Adds an entry, as it is stored under its number.
    pub fn add_entry(&mut self, n: u64, entry: String) {
        if let Some(slot) = self.slot(n) {
            slot.entry = Some(entry);
        }
    }

    /// Whether an advance with this number is in this part, as far as can be told by now.
    pub fn takes(&mut self, n: u64) -> bool {
        if n <= self.after || n > self.until {
            return false;
        }
        let is_past =
            self.slots.len() >= self.limit && self.slots.last_key_value().is_some_and(|(last, _)| n > *last);
        self.is_cut |= is_past;
        !is_past
    }

    fn slot(&mut self, n: u64) -> Option<&mut Slot> {
        if !self.takes(n) {
            return None;
        }
        self.slots.entry(n).or_default();
        if self.slots.len() > self.limit {
            self.slots.pop_last();
            self.is_cut = true;
        }
        self.slots.get_mut(&n)
    }

    /// The number after which the history goes on; `None` when this is all of it.
    pub fn next(&self) -> Option<u64> {
        self.slots.last_key_value().map(|(last, _)| *last).filter(|_| self.is_cut)
    }

    /// What happened, in order.
    pub fn happened(self, run: &Run) -> Vec<Happened> {
        let (after, until, is_cut) = (self.after, self.until, self.is_cut);
        let (mut all, mut expected) = (Vec::with_capacity(self.slots.len()), after + 1);
        let not_noted = |from: u64, to: u64| {
            let what = What::NotNoted(to);
            (from <= to).then(|| Happened { n: from, at: None, what, followed: Vec::new(), ends_run: false })
        };
        let mut created = (after == 0).then_some(0);
        for (n, slot) in self.slots {
            all.extend(not_noted(expected, n - 1));
            expected = n + 1;
            let mut one = slot.happened(run, n);
            if n == 1 && matches!(one.what, What::NotNoted(_)) {
                (one.what, one.at, created) = (What::Created, Some(run.head.created_at), None);
            }
            one.ends_run = run.head.state.is_terminal() && run.head.advance == n;
            all.push(one);
        }
        if !is_cut {
            all.extend(not_noted(expected, until));
        }
        // Version 0.1 counts no advances: where it created the run, the first that was counted is another.
        if let Some(n) = created {
            let (at, what) = (Some(run.head.created_at), What::Created);
            all.insert(0, Happened { n, at, what, followed: Vec::new(), ends_run: false });
        }
        all
    }
}

impl Slot {
    fn happened(self, run: &Run, n: u64) -> Happened {
        let Self { entry, mut ends } = self;
        ends.sort_by_key(|(unit, end)| (end.order, unit.item.is_none(), *unit));
        let applied_at = ends.first().and_then(|(_, end)| end.applied_at);
        let (at, what) = match entry {
            Some(text) => match serde_json::from_str::<Entry>(&text) {
                Ok(mut entry) => {
                    give_outputs(&mut entry, &ends);
                    (Some(entry.at), What::Event(Box::new(entry)))
                }
                Err(_) => (instant_of(&text).or(applied_at), What::Unknown),
            },
            None => {
                let mut told = ends.iter().enumerate();
                match told.find_map(|(place, (unit, end))| Some((place, told_by(run, *unit, end)?))) {
                    Some((place, event)) => {
                        let (_, end) = ends.remove(place);
                        let at = end.applied_at.unwrap_or(end.ended_at);
                        let entry = Entry { apart: end.outputs_bytes > 0, ..Entry::of(n, at, event) };
                        (Some(at), What::End(Box::new(entry)))
                    }
                    None => (applied_at, What::NotNoted(n)),
                }
            }
        };
        Happened { n, at, what, followed: ends, ends_run: false }
    }
}

/// Gives the result of an entry its outputs: those of the end that it brought about, or as many bytes as were refused.
fn give_outputs(entry: &mut Entry, ends: &[(Unit, Ended)]) {
    let (Event::Result(result) | Event::ChildEnded(result)) = &mut entry.event else { return };
    let unit = result.id().unit;
    if let Some((_, end)) =
        ends.iter().find(|(ended, _)| *ended == unit).filter(|_| result.outputs.is_empty())
    {
        result.outputs.clone_from(&end.outputs);
        // They are of the declared kinds by now.
        result.is_typed |= !end.outputs.is_empty();
        entry.apart = end.outputs_bytes > 0;
    }
    if entry.refused_bytes > 0 {
        let around = r#"{"":""}"#.len();
        let filling = "x".repeat((entry.refused_bytes as usize).saturating_sub(around));
        result.outputs = Map::from_iter([(String::new(), Value::String(filling))]);
    }
}

/// When an entry was written that cannot be read here.
fn instant_of(text: &str) -> Option<Timestamp> {
    let entry: Value = serde_json::from_str(text).ok()?;
    entry["at"].as_i64().map(Timestamp::from_millis)
}
