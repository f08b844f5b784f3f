//! The board of a partition: who holds the locks that are at home there, and who waits for them. It is a pure machine: an ask,
//! a release or a look at the time changes it, and it answers what is to be written down and who is to be told.
//!
//! Whoever waits is served in order: whoever a holder waits for itself, then by priority, then by age. One that wants several
//! locks is granted all of them, when it is the first of all that wait for each, and each has room. Since the order is the
//! same for all locks, the first of all is first everywhere: nobody starves, and nobody waits in a circle. An event costs
//! O(log n) for each of the locks that it touches.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::effect::Effect;
use super::entry::Entry;
use super::gone::{Gone, Past, Row};
use super::queue::{Lock, Place, declared, place_of};
use super::rates::Rates;
use super::verdict::{Refused, replaced};
use super::{Ask, Asker, Holder, LockName, Used, Want};
use crate::{Outcome, Timestamp};

/// A holder is told again of its grant after so long: one that does not want it any more, whatever has become of it, says
/// so then.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// The board of one partition.
#[derive(Debug, Clone, Default)]
pub struct Board {
    pub(super) entries: BTreeMap<Holder, Entry>,
    pub(super) locks: HashMap<LockName, Lock>,
    /// When each holder is told again.
    told: BTreeSet<(Timestamp, Holder)>,
    tell_at: HashMap<Holder, Timestamp>,
    /// Those that wait and are in a run that a holder waits for, in order.
    pub(super) nested: BTreeSet<(Place, Holder)>,
    /// Runs whose ask is over.
    pub(super) past: Past,
    /// What was used of the rates.
    pub(super) rates: Rates,
    /// The highest token of a grant so far.
    pub(super) last_token: u64,
}

impl Entry {
    /// What whoever it is of is told, unless it waits.
    pub(super) fn told(&self) -> Option<Effect> {
        let (asker, grant) = (self.ask.asker, self.grant?);
        Some(match self.replaced_by {
            Some(by) => Effect::Displace { asker, why: replaced(by) },
            None => Effect::Grant { asker, token: grant.token },
        })
    }
}

impl Board {
    /// The board of what is written down, as it is read `now`.
    pub fn of(rows: impl IntoIterator<Item = Row>, now: Timestamp) -> Self {
        let mut board = Self::default();
        for row in rows {
            let entry = match row {
                Row::Entry(entry) => *entry,
                Row::Gone(gone) => {
                    board.past.insert(gone, now);
                    continue;
                }
                Row::Window(window) => {
                    board.rates.insert(*window, now);
                    continue;
                }
            };
            let holder = entry.holder();
            board.declare(holder, &entry.ask);
            match entry.grant {
                Some(grant) => {
                    board.note_token(grant.token);
                    board.occupy(holder, &entry.ask.wants, grant.used_at.is_some());
                    board.tell_again(holder, grant.at);
                }
                None => board.enqueue(holder, &entry),
            }
            for rate in entry.ask.wants.iter().filter(|want| want.is_rate()) {
                board.rates.look_at(&rate.lock, now);
            }
            board.entries.insert(holder, entry);
        }
        board
    }

    /// Notes a token that was given: those to come are higher.
    pub fn note_token(&mut self, token: u64) {
        self.last_token = self.last_token.max(token);
    }

    /// The highest token that was given so far.
    pub fn last_token(&self) -> u64 {
        self.last_token
    }

    /// Whether nobody holds or waits.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entry of a holder.
    pub fn entry(&self, holder: Holder) -> Option<&Entry> {
        self.entries.get(&holder)
    }

    /// The row of a holder, as it is to be written down now.
    pub fn row(&self, holder: Holder) -> Option<Row> {
        let entry = self.entries.get(&holder).map(|entry| Row::Entry(Box::new(entry.clone())));
        entry.or_else(|| self.past.get(holder).cloned().map(Row::Gone))
    }

    /// Notes that an ask is over whose entry is gone. Of steps nothing is remembered: each attempt has an ask of its own, and
    /// one that comes again harms nobody.
    pub(super) fn note_gone(
        &mut self,
        holder: Holder,
        refused: Option<(Outcome, String)>,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) {
        if holder.unit.is_some() {
            return effects.push(Effect::Delete(holder));
        }
        self.past.insert(Gone { holder, gone: now, refused }, now);
        effects.push(Effect::Put(holder));
    }

    /// All entries, in the order of their keys.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The numbers of those that hold, and of those that wait.
    pub fn counts(&self) -> (usize, usize) {
        let holders = self.tell_at.len();
        (holders, self.entries.len() - holders)
    }

    /// When somebody is to be told again, or forgotten, or what was used of a rate has come back.
    pub fn due(&self) -> Option<Timestamp> {
        let told = self.told.first().map(|(at, _)| *at);
        told.into_iter().chain(self.past.due()).chain(self.rates.due()).min()
    }

    /// Takes in an ask. The same ask once more is answered with its grant, where it has that; that of a run which was refused,
    /// with the same refusal. The tokens of grants are `least`, or higher.
    pub fn ask(&mut self, ask: Ask, now: Timestamp, least: u64) -> Vec<Effect> {
        let (asker, mut effects) = (ask.asker, Vec::new());
        let holder = asker.holder();
        let (mut freed, mut had_one) = (Vec::new(), false);
        if let Some(gone) = self.past.get(holder) {
            let refused = gone.refused.clone();
            effects.extend(refused.map(|(outcome, why)| Effect::Refuse { asker, outcome, why }));
            return effects;
        }
        // A clock that was ahead would have those that wait do so for longer than they have to.
        for rate in ask.wants.iter().filter(|want| want.is_rate()) {
            if self.rates.set_clock(&rate.lock, now, &mut effects) {
                freed.push(rate.lock.clone());
            }
        }
        if let Some(entry) = self.entries.get(&holder) {
            match entry.ask.asker.attempt.cmp(&asker.attempt) {
                Ordering::Greater => {
                    self.serve(freed, now, least, &mut effects);
                    return effects;
                }
                Ordering::Equal => {
                    effects.extend(entry.told());
                    let rates = entry.ask.wants.iter().filter(|want| want.is_rate());
                    freed.extend(rates.map(|rate| rate.lock.clone()));
                    self.serve(freed, now, least, &mut effects);
                    return effects;
                }
                // What it had for an earlier attempt it does not want any more. Nobody has said what that has used.
                Ordering::Less => {
                    self.settle_all(holder, now, &mut effects);
                    let removed = self.remove(holder);
                    had_one = !removed.is_empty();
                    freed.extend(removed);
                }
            }
        }
        match self.at_limit(&ask).and_then(|displaced| self.admit(&ask, &displaced).map(|()| displaced)) {
            Ok(displaced) => {
                for one in displaced {
                    freed.extend(self.displace(one, &ask, now, &mut effects));
                }
                let nested = self.is_nested(&ask);
                let entry = Entry { ask, grant: None, nested, replaced_by: None };
                self.declare(holder, &entry.ask);
                freed.extend(entry.ask.wants.iter().map(|want| want.lock.clone()));
                self.enqueue(holder, &entry);
                self.entries.insert(holder, entry);
            }
            Err(Refused { outcome, why }) => {
                if had_one || asker.unit.is_none() {
                    self.note_gone(holder, Some((outcome, why.clone())), now, &mut effects);
                }
                effects.push(Effect::Refuse { asker, outcome, why });
            }
        }
        self.serve(freed, now, least, &mut effects);
        // That of one which was granted is in there.
        let waits = self.entries.get(&holder).is_some_and(|entry| entry.grant.is_none());
        effects.extend(waits.then_some(Effect::Put(holder)));
        effects
    }

    /// Takes back what was asked for this attempt, or granted to it. Of a later one it takes nothing. Of a rate comes back at
    /// once what was not used. A run that has done so asks no more, and its ask may yet come.
    pub fn release(&mut self, asker: Asker, used: Option<Used>, now: Timestamp, least: u64) -> Vec<Effect> {
        let holder = asker.holder();
        let (mut effects, mut freed) = (Vec::new(), Vec::new());
        let is_of_it =
            self.entries.get(&holder).is_some_and(|entry| entry.ask.asker.attempt <= asker.attempt);
        if is_of_it {
            self.settle(holder, used, now, &mut effects);
            freed = self.remove(holder);
        }
        if is_of_it || (holder.unit.is_none() && self.past.get(holder).is_none()) {
            self.note_gone(holder, None, now, &mut effects);
        }
        self.serve(freed, now, least, &mut effects);
        effects
    }

    /// Takes away what somebody holds, who may ask for it anew.
    pub fn take(&mut self, asker: Asker, now: Timestamp, least: u64) -> Vec<Effect> {
        let holder = asker.holder();
        let (mut effects, freed) = (vec![Effect::Delete(holder)], self.remove(holder));
        self.serve(freed, now, least, &mut effects);
        effects
    }

    /// Tells holders again whose time has come, forgets those whose ask is over for long, and serves those that waited for a
    /// rate, at most `limit` of each.
    pub fn tell_due(&mut self, now: Timestamp, limit: usize, least: u64) -> Vec<Effect> {
        let due = self.told.iter().take_while(|(at, _)| *at <= now).take(limit);
        let due: Vec<Holder> = due.map(|(_, holder)| *holder).collect();
        let mut effects = Vec::with_capacity(due.len());
        for holder in due {
            self.tell_again(holder, now);
            effects.extend(self.entries.get(&holder).and_then(Entry::told));
        }
        effects.extend(self.past.forget_due(now, limit).into_iter().map(Effect::Delete));
        self.look_at_rates(now, limit, least, &mut effects);
        effects
    }

    /// Notes how many slots the locks have, as an ask says that is admitted.
    fn declare(&mut self, holder: Holder, ask: &Ask) {
        for want in &ask.wants {
            let lock = self.locks.entry(want.lock.clone()).or_default();
            if lock.declared.insert(declared(holder, ask, want)) {
                *lock.sizes.entry(want.size()).or_default() += 1;
            }
        }
    }

    fn enqueue(&mut self, holder: Holder, entry: &Entry) {
        let place = place_of(entry);
        self.nested.extend(entry.nested.then_some((place, holder)));
        for want in &entry.ask.wants {
            self.locks.entry(want.lock.clone()).or_default().queue.insert((place, holder));
        }
    }

    /// Notes what somebody holds. What is used of a rate is noted elsewhere.
    pub(super) fn occupy(&mut self, holder: Holder, wants: &[Want], is_used: bool) {
        for want in wants {
            let lock = self.locks.entry(want.lock.clone()).or_default();
            lock.holders.insert(holder);
            match (want.shared, is_used) {
                (true, _) => lock.sharing += 1,
                (false, false) => lock.taken += want.weight,
                (false, true) => {}
            }
        }
    }

    /// Removes an entry; answers the locks that this may have freed.
    pub(super) fn remove(&mut self, holder: Holder) -> Vec<LockName> {
        let Some(entry) = self.entries.remove(&holder) else { return Vec::new() };
        if let Some(at) = self.tell_at.remove(&holder) {
            self.told.remove(&(at, holder));
        }
        let place = place_of(&entry);
        self.nested.remove(&(place, holder));
        for want in &entry.ask.wants {
            let Some(lock) = self.locks.get_mut(&want.lock) else { continue };
            if let Some(grant) = entry.grant {
                lock.holders.remove(&holder);
                match (want.shared, grant.used_at) {
                    (true, _) => lock.sharing -= 1,
                    (false, None) => lock.taken -= want.weight,
                    (false, Some(_)) => {}
                }
            } else {
                lock.queue.remove(&(place, holder));
            }
            if lock.declared.remove(&declared(holder, &entry.ask, want))
                && let Some(count) = lock.sizes.get_mut(&want.size())
            {
                *count -= 1;
                lock.sizes.retain(|_, count| *count > 0);
            }
            if lock.holders.is_empty() && lock.queue.is_empty() {
                self.locks.remove(&want.lock);
            }
        }
        entry.ask.wants.iter().map(|want| want.lock.clone()).collect()
    }

    pub(super) fn tell_again(&mut self, holder: Holder, now: Timestamp) {
        let at = now + TELL_AGAIN;
        if let Some(before) = self.tell_at.insert(holder, at) {
            self.told.remove(&(before, holder));
        }
        self.told.insert((at, holder));
    }
}
