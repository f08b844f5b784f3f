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

use super::entry::{Entry, Grant};
use super::gone::{Gone, Past, Row};
use super::queue::{Lock, Place, declared, has_room, place_of};
use super::verdict::{Refused, replaced};
use super::{Ask, Asker, Holder, LockName, TOKENS, Want};
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
    /// The highest token of a grant so far.
    last_token: u64,
}

/// What is to be done after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The row of this holder is to be written down as it is now.
    Put(Holder),
    /// The row of this holder is gone.
    Delete(Holder),
    /// Whoever asked is told that it holds what it asked for.
    Grant {
        /// Who asked.
        asker: Asker,
        /// The fencing token.
        token: u64,
    },
    /// Whoever asked is told that it never will.
    Refuse {
        /// Who asked.
        asker: Asker,
        /// How whoever asked is to end for it.
        outcome: Outcome,
        /// Why, for people.
        why: String,
    },
    /// A run that holds a slot is told to end, since another takes its place.
    Displace {
        /// The run.
        asker: Asker,
        /// Why, for people.
        why: String,
    },
}

impl Entry {
    /// What whoever it is of is told, unless it waits.
    fn told(&self) -> Option<Effect> {
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
            };
            let holder = entry.holder();
            board.declare(holder, &entry.ask);
            match entry.grant {
                Some(grant) => {
                    board.note_token(grant.token);
                    board.occupy(holder, &entry.ask.wants);
                    board.tell_again(holder, grant.at);
                }
                None => board.enqueue(holder, &entry),
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

    /// When somebody is to be told again, or forgotten.
    pub fn due(&self) -> Option<Timestamp> {
        let told = self.told.first().map(|(at, _)| *at);
        told.into_iter().chain(self.past.due()).min()
    }

    /// Takes in an ask. The same ask once more is answered with its grant, where it has that; that of a run which was refused,
    /// with the same refusal. The tokens of grants are `least`, or higher.
    pub fn ask(&mut self, ask: Ask, now: Timestamp, least: u64) -> Vec<Effect> {
        let (asker, mut effects) = (ask.asker, Vec::new());
        let holder = asker.holder();
        let mut freed = Vec::new();
        if let Some(gone) = self.past.get(holder) {
            let refused = gone.refused.clone();
            effects.extend(refused.map(|(outcome, why)| Effect::Refuse { asker, outcome, why }));
            return effects;
        }
        if let Some(entry) = self.entries.get(&holder) {
            match entry.ask.asker.attempt.cmp(&asker.attempt) {
                Ordering::Greater => return effects,
                Ordering::Equal => {
                    effects.extend(entry.told());
                    return effects;
                }
                // What it had for an earlier attempt it does not want any more.
                Ordering::Less => freed = self.remove(holder),
            }
        }
        let had_one = !freed.is_empty();
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

    /// Takes back what was asked for this attempt, or granted to it. Of a later one it takes nothing. A run that has done so
    /// asks no more, and its ask may yet come.
    pub fn release(&mut self, asker: Asker, now: Timestamp, least: u64) -> Vec<Effect> {
        let holder = asker.holder();
        let (mut effects, mut freed) = (Vec::new(), Vec::new());
        let is_of_it =
            self.entries.get(&holder).is_some_and(|entry| entry.ask.asker.attempt <= asker.attempt);
        if is_of_it {
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

    /// Tells holders again whose time has come, and forgets those whose ask is over for long, at most `limit` of each.
    pub fn tell_due(&mut self, now: Timestamp, limit: usize) -> Vec<Effect> {
        let due = self.told.iter().take_while(|(at, _)| *at <= now).take(limit);
        let due: Vec<Holder> = due.map(|(_, holder)| *holder).collect();
        let mut effects = Vec::with_capacity(due.len());
        for holder in due {
            self.tell_again(holder, now);
            effects.extend(self.entries.get(&holder).and_then(Entry::told));
        }
        effects.extend(self.past.forget_due(now, limit).into_iter().map(Effect::Delete));
        effects
    }

    /// Notes how many slots the locks have, as an ask says that is admitted.
    fn declare(&mut self, holder: Holder, ask: &Ask) {
        for want in &ask.wants {
            let lock = self.locks.entry(want.lock.clone()).or_default();
            if lock.declared.insert(declared(holder, ask, want)) {
                *lock.sizes.entry(want.slots).or_default() += 1;
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

    fn occupy(&mut self, holder: Holder, wants: &[Want]) {
        for want in wants {
            let lock = self.locks.entry(want.lock.clone()).or_default();
            lock.holders.insert(holder);
            if want.shared { lock.sharing += 1 } else { lock.taken += want.weight }
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
            if entry.grant.is_some() {
                lock.holders.remove(&holder);
                if want.shared { lock.sharing -= 1 } else { lock.taken -= want.weight }
            } else {
                lock.queue.remove(&(place, holder));
            }
            if lock.declared.remove(&declared(holder, &entry.ask, want))
                && let Some(count) = lock.sizes.get_mut(&want.slots)
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

    fn tell_again(&mut self, holder: Holder, now: Timestamp) {
        let at = now + TELL_AGAIN;
        if let Some(before) = self.tell_at.insert(holder, at) {
            self.told.remove(&(before, holder));
        }
        self.told.insert((at, holder));
    }

    /// Grants what can be granted after something has changed about these locks.
    fn serve(&mut self, mut changed: Vec<LockName>, now: Timestamp, least: u64, effects: &mut Vec<Effect>) {
        while let Some(name) = changed.pop() {
            let Some(lock) = self.locks.get(&name) else { continue };
            let Some((place, holder)) = lock.queue.first().copied() else { continue };
            let Some(entry) = self.entries.get(&holder) else { continue };
            // The slots may have become fewer since it asked.
            if let Some(want) = entry.ask.wants.iter().find(|want| want.lock == name)
                && want.weight > lock.slots()
            {
                let by = lock.declared.last().and_then(|last| self.entries.get(&last.holder));
                let by = by.map(|by| format!(", as {} says", by.ask.who()));
                let why = format!(
                    "it wants {} slots of lock {name}, which has {} by now{}: want no more than that",
                    want.weight,
                    lock.slots(),
                    by.unwrap_or_default()
                );
                let (asker, outcome) = (entry.ask.asker, Outcome::Failed);
                changed.extend(self.remove(holder));
                effects.extend([Effect::Delete(holder), Effect::Refuse { asker, outcome, why }]);
                continue;
            }
            let is_first_with_room = |want: &Want| {
                self.locks.get(&want.lock).is_some_and(|lock| {
                    lock.queue.first() == Some(&(place, holder))
                        && has_room(want, lock.slots(), lock.taken, lock.sharing)
                })
            };
            if !entry.ask.wants.iter().all(is_first_with_room) {
                continue;
            }
            let (asker, wants) = (entry.ask.asker, entry.ask.wants.clone());
            self.nested.remove(&(place, holder));
            for want in &wants {
                if let Some(lock) = self.locks.get_mut(&want.lock) {
                    lock.queue.remove(&(place, holder));
                }
                changed.push(want.lock.clone());
            }
            self.occupy(holder, &wants);
            self.last_token = least.max(self.last_token + TOKENS);
            let token = self.last_token;
            if let Some(entry) = self.entries.get_mut(&holder) {
                entry.grant = Some(Grant { token, at: now });
            }
            self.tell_again(holder, now);
            effects.extend([Effect::Put(holder), Effect::Grant { asker, token }]);
        }
    }
}
