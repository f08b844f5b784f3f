//! What a board does, as its promises say it: a list of entries that is gone through from its beginning, again and again,
//! until nothing follows any more.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use millrace_domain::lock::{Ask, Asker, Entry, Grant, Holder, LockName, Want};
use millrace_domain::{Outcome, Priority, RunId, Timestamp};

/// What somebody is told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Told {
    Granted(Asker, u64),
    Refused(Asker, Why),
    /// It is to end, since this run takes its place.
    Displaced(Asker, RunId),
}

/// Why somebody is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    TooMuch,
    Conflict,
    Deadlock,
    /// Its policy is to skip, or to fail, and others are under way.
    Skip,
    Fail,
    /// As many wait as may.
    Full,
    Merged,
    Dropped,
    Replaced,
}

impl Why {
    /// How a run ends for it.
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Self::TooMuch | Self::Conflict | Self::Deadlock | Self::Fail | Self::Full => Outcome::Failed,
            Self::Skip | Self::Merged => Outcome::Skipped,
            Self::Dropped | Self::Replaced => Outcome::Cancelled,
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) entries: Vec<Entry>,
    /// The runs whose ask is over, and with what they were refused: an ask that comes again is answered with that, or not at
    /// all.
    pub(crate) gone: BTreeMap<Holder, Option<Why>>,
}

type Slots = BTreeMap<LockName, u32>;

/// What whoever holds is told, as often as it is told.
pub(crate) fn told_of(entry: &Entry) -> Option<Told> {
    let (asker, grant) = (entry.ask.asker, entry.grant?);
    Some(match entry.replaced_by {
        Some(by) => Told::Displaced(asker, by),
        None => Told::Granted(asker, grant.token),
    })
}

fn place(entry: &Entry) -> (bool, Priority, Timestamp, Holder) {
    (!entry.nested, entry.ask.priority, entry.ask.since, entry.holder())
}

pub(crate) fn want<'e>(entry: &'e Entry, lock: &LockName) -> Option<&'e Want> {
    entry.ask.wants.iter().find(|want| want.lock == *lock)
}

/// Whether `entry` waits for a run that `holder` is above of.
pub(crate) fn is_above(holder: Holder, entry: &Entry) -> bool {
    entry.ask.above.contains(&holder)
}

impl Model {
    pub(crate) fn entry(&self, holder: Holder) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.holder() == holder)
    }

    pub(crate) fn ask(&mut self, ask: Ask, now: Timestamp, token: u64) -> Vec<Told> {
        let asker = ask.asker;
        let holder = asker.holder();
        if let Some(refused) = self.gone.get(&holder) {
            return refused.iter().map(|why| Told::Refused(asker, *why)).collect();
        }
        if let Some(entry) = self.entry(holder) {
            match entry.ask.asker.attempt.cmp(&asker.attempt) {
                Ordering::Greater => return Vec::new(),
                Ordering::Equal => return told_of(entry).into_iter().collect(),
                Ordering::Less => self.entries.retain(|entry| entry.holder() != holder),
            }
        }
        let mut told = Vec::new();
        // "`above` holders' descendants go before all other waiters."
        let is_above = |holder: &Entry| holder.grant.is_some() && ask.above.contains(&holder.holder());
        let nested = self.entries.iter().any(is_above);
        let entry = Entry { ask, grant: None, nested, replaced_by: None };
        // It is all or nothing: nobody makes room for one that is refused.
        let mut tried = self.clone();
        let room = tried.make_room(&entry);
        match room.and_then(|room| tried.refusal(&entry).map_or(Ok(room), Err)) {
            Err(why) => told.push(Told::Refused(asker, why)),
            Ok(room) => {
                told.extend(room);
                tried.entries.push(entry);
                *self = tried;
            }
        }
        self.serve(now, token, &mut told);
        let refused = told.iter().filter_map(|told| match told {
            Told::Refused(asker, why) if asker.unit.is_none() => Some((asker.holder(), Some(*why))),
            _ => None,
        });
        self.gone.extend(refused);
        told
    }

    pub(crate) fn release(&mut self, asker: Asker, now: Timestamp, token: u64) -> Vec<Told> {
        let holder = asker.holder();
        let mut told = Vec::new();
        self.entries.retain(|entry| entry.holder() != holder || entry.ask.asker.attempt > asker.attempt);
        if holder.unit.is_none() {
            self.gone.entry(holder).or_default();
        }
        self.serve(now, token, &mut told);
        told
    }

    /// The slots of each lock: what the newest version says of those that hold it and wait for it, and of the same the last.
    pub(crate) fn slots(&self) -> Slots {
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_by_key(|entry| (entry.ask.version, entry.ask.since, entry.holder()));
        let wants = entries.iter().flat_map(|entry| &entry.ask.wants);
        wants.map(|want| (want.lock.clone(), want.slots)).collect()
    }

    /// The slots that are taken of a lock by those that do not share it, and the number of those that do.
    pub(crate) fn taken(&self, lock: &LockName) -> (u32, u32) {
        let holders = self.entries.iter().filter(|entry| entry.grant.is_some());
        let held: Vec<&Want> = holders.filter_map(|entry| want(entry, lock)).collect();
        let alone = held.iter().filter(|want| !want.shared).map(|want| want.weight).sum();
        (alone, held.iter().filter(|want| want.shared).count() as u32)
    }

    fn refusal(&self, entry: &Entry) -> Option<Why> {
        // "Runs never conflict over sizes."
        let of_steps = entry.ask.wants.iter().filter(|_| entry.ask.step.is_some());
        for wanted in of_steps {
            if wanted.weight > wanted.slots {
                return Some(Why::TooMuch);
            }
            let differs =
                |other: &Entry| want(other, &wanted.lock).is_some_and(|want| want.slots != wanted.slots);
            if self.others(entry, &wanted.lock).any(differs) {
                return Some(Why::Conflict);
            }
        }
        self.would_wait_for_ever(entry).then_some(Why::Deadlock)
    }

    /// The entries in a lock that are not of another version of the same workflow.
    pub(crate) fn others<'m>(
        &'m self,
        entry: &'m Entry,
        lock: &'m LockName,
    ) -> impl Iterator<Item = &'m Entry> {
        let is_other = |other: &&Entry| {
            other.ask.workflow != entry.ask.workflow || other.ask.version == entry.ask.version
        };
        self.entries.iter().filter(is_other).filter(|other| want(other, lock).is_some())
    }

    /// Whether somebody would wait for ever if this one waited too, and everybody else let go of what it holds as soon as no
    /// run that it waits for itself needs anything.
    fn would_wait_for_ever(&self, entry: &Entry) -> bool {
        let mut tried = self.clone();
        tried.entries.push(entry.clone());
        loop {
            tried.serve(entry.ask.since, 1, &mut Vec::new());
            let is_over = |entry: &Entry| {
                let keeps = |other: &Entry| other.grant.is_none() && is_above(entry.holder(), other);
                entry.grant.is_some() && !tried.entries.iter().any(keeps)
            };
            let over: BTreeSet<Holder> =
                tried.entries.iter().filter(|entry| is_over(entry)).map(Entry::holder).collect();
            if over.is_empty() {
                return !tried.entries.is_empty();
            }
            tried.entries.retain(|entry| !over.contains(&entry.holder()));
        }
    }

    /// Grants what can be granted, and refuses those that come to the head of a lock which has fewer slots by now.
    fn serve(&mut self, now: Timestamp, token: u64, told: &mut Vec<Told>) {
        'again: loop {
            let slots = self.slots();
            for at in 0..self.entries.len() {
                let entry = &self.entries[at];
                if entry.grant.is_some() {
                    continue;
                }
                let is_too_much = |want: &Want| want.weight > slots[&want.lock];
                if entry.ask.wants.iter().any(|want| self.is_first(entry, want) && is_too_much(want)) {
                    told.push(Told::Refused(entry.ask.asker, Why::TooMuch));
                    self.entries.remove(at);
                    continue 'again;
                }
                if self.is_next(entry, &slots) {
                    told.push(Told::Granted(entry.ask.asker, token));
                    self.entries[at].grant = Some(Grant { token, at: now, used_at: None });
                    continue 'again;
                }
            }
            return;
        }
    }

    fn is_first(&self, entry: &Entry, wanted: &Want) -> bool {
        let waiters = self.entries.iter().filter(|other| other.grant.is_none());
        let mut others = waiters.filter(|other| want(other, &wanted.lock).is_some());
        others.all(|other| place(entry) <= place(other))
    }

    /// Whether an entry that waits is the first on all locks that it wants, and each has room.
    pub(crate) fn is_next(&self, entry: &Entry, slots: &Slots) -> bool {
        entry.ask.wants.iter().all(|want| {
            let (alone, sharing) = self.taken(&want.lock);
            let room = match want.shared {
                true => alone == 0,
                false => sharing == 0 && alone + want.weight <= slots[&want.lock],
            };
            room && self.is_first(entry, want)
        })
    }
}
