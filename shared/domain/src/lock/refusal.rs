//! Asks that are refused at once: for more than there is, for locks of which others say something else, and those with which
//! somebody would wait for ever.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::Entry;
use super::queue::{Lock, has_room, place_of};
use super::verdict::{Displaced, Refused};
use super::{Ask, Board, Holder, LockName, Want, rate_in_words, size_in_words};
use crate::Outcome;

/// What is taken of each lock by those that wait for runs which wait themselves.
type Kept<'b> = BTreeMap<&'b LockName, (u32, u32)>;

impl Board {
    /// Whether what is asked for can be had at all, once these have made room.
    pub(super) fn admit(&self, ask: &Ask, displaced: &[Displaced]) -> Result<(), Refused> {
        // Of a workflow's runs the newest version says how many there may be.
        let sizes = if ask.step.is_some() { self.check_sizes(ask) } else { Ok(()) };
        let admitted = sizes.and_then(|()| self.refuse_deadlock(ask, displaced));
        admitted.map_err(|why| Refused { outcome: Outcome::Failed, why })
    }

    /// Whether a lock has as many slots as are wanted of it, and as many as others say.
    fn check_sizes(&self, ask: &Ask) -> Result<(), String> {
        for want in &ask.wants {
            if want.weight > want.slots {
                let (what, Want { weight, slots, .. }) = (want.lock.in_words(), want);
                return Err(match want.is_rate() {
                    true => format!(
                        "it costs {weight} of {what}, which allows {}",
                        rate_in_words(*slots, want.per())
                    ),
                    false => format!("it wants {weight} slots of {what}, which has {slots}"),
                });
            }
            let Some(lock) = self.locks.get(&want.lock) else { continue };
            // What another version of the same workflow says is no conflict: the newest counts.
            let disagrees = |other: &Entry| {
                let is_version = other.ask.workflow == ask.workflow && other.ask.version != ask.version;
                !is_version && want_of(other, &want.lock).is_some_and(|other| other.size() != want.size())
            };
            if !lock.agrees_on(want.size()) {
                let all = lock.holders.iter().chain(lock.queue.iter().map(|(_, holder)| holder));
                let mut others = all.filter_map(|holder| self.entries.get(holder));
                if let Some(other) = others.find(|other| disagrees(other)) {
                    return Err(conflict(ask, want, other));
                }
            }
        }
        Ok(())
    }

    /// The holders that wait for the run of whoever asks.
    fn above<'b>(&'b self, ask: &'b Ask) -> impl Iterator<Item = &'b Entry> {
        let above = ask.above.iter().filter_map(|holder| self.entries.get(holder));
        above.filter(|entry| entry.grant.is_some())
    }

    /// Whether a holder waits for the run of whoever asks: it goes before all others then, whatever it wants, since some of
    /// them may wait for that holder.
    pub(super) fn is_nested(&self, ask: &Ask) -> bool {
        self.above(ask).next().is_some()
    }

    /// Whether with this ask somebody waits for a run that waits for it in turn. All others let go of what they hold in the
    /// end: what is left are those that wait and are in a run that a holder waits for. Whoever of them can have what it wants
    /// beside what such holders keep will end, and a holder of which all runs have ended lets go as well. Who waits and makes
    /// room keeps nobody waiting.
    fn refuse_deadlock(&self, ask: &Ask, displaced: &[Displaced]) -> Result<(), String> {
        if !self.is_nested(ask) {
            return Ok(());
        }
        let own = Entry { ask: ask.clone(), grant: None, nested: true, replaced_by: None };
        let goes = |waiter: &Holder| displaced.iter().any(|one| one.holder == *waiter);
        let nested = self.nested.iter().filter(|(_, waiter)| !goes(waiter));
        let nested = nested.filter_map(|(_, waiter)| self.entries.get(waiter));
        let mut waiting: Vec<&Entry> = nested.collect();
        let place = (place_of(&own), own.holder());
        let locks = own.ask.wants.iter().filter_map(|want| Some((want, self.locks.get(&want.lock)?)));
        let slots: BTreeMap<&LockName, u32> =
            locks.map(|(want, lock)| (&want.lock, lock.slots_with(&own, want))).collect();
        let at = waiting.partition_point(|entry| (place_of(entry), entry.holder()) < place);
        waiting.insert(at, &own);
        let mut waited_for: BTreeMap<Holder, usize> = BTreeMap::new();
        for holder in waiting.iter().flat_map(|entry| self.above(&entry.ask)) {
            *waited_for.entry(holder.holder()).or_default() += 1;
        }
        let mut kept = Kept::new();
        for want in waited_for.keys().filter_map(|holder| self.entries.get(holder)).flat_map(wants) {
            let (taken, sharing) = kept.entry(&want.lock).or_default();
            if want.shared { *sharing += 1 } else { *taken += want.weight }
        }
        loop {
            let left = waiting.len();
            // Nobody passes whoever is before it.
            let mut queued: BTreeSet<&LockName> = BTreeSet::new();
            let mut ended = Vec::new();
            waiting.retain(|entry| {
                let ends =
                    wants(entry).all(|want| !queued.contains(&want.lock) && self.fits(want, &slots, &kept));
                match ends {
                    true => ended.push(*entry),
                    false => queued.extend(wants(entry).map(|want| &want.lock)),
                }
                !ends
            });
            for holder in ended.iter().flat_map(|entry| self.above(&entry.ask)) {
                let Some(count) = waited_for.get_mut(&holder.holder()) else { continue };
                *count -= 1;
                if *count > 0 {
                    continue;
                }
                waited_for.remove(&holder.holder());
                for want in wants(holder) {
                    let (taken, sharing) = kept.entry(&want.lock).or_default();
                    if want.shared { *sharing -= 1 } else { *taken -= want.weight }
                }
            }
            if waiting.is_empty() {
                return Ok(());
            }
            if waiting.len() == left {
                return Err(self.deadlock(ask, &waited_for));
            }
        }
    }

    /// Whether a lock has room for what is wanted beside what is kept. What wants more than there is by now is refused in its
    /// turn.
    fn fits(&self, want: &Want, slots: &BTreeMap<&LockName, u32>, kept: &Kept<'_>) -> bool {
        let now = || self.locks.get(&want.lock).map_or(want.slots, Lock::slots);
        let slots = slots.get(&want.lock).copied().unwrap_or_else(now);
        let (taken, sharing) = kept.get(&want.lock).copied().unwrap_or_default();
        // A rate comes back by itself.
        want.is_rate() || want.weight > slots || has_room(want, slots, taken, sharing)
    }

    /// Who keeps what an ask wants, or keeps what it has because of that ask.
    fn deadlock(&self, ask: &Ask, waited_for: &BTreeMap<Holder, usize>) -> String {
        let own = ask.who();
        let is_kept = |holder: &&Entry| waited_for.contains_key(&holder.holder());
        let holds = |holder: &Entry, lock: &LockName| wants(holder).any(|want| want.lock == *lock);
        let words = |holder: &Entry, lock: &LockName, waits: &str| {
            let (lock, other, run) = (lock.in_words(), holder.ask.who(), holder.ask.asker.run);
            format!(
                "{own} would wait for ever for {lock}: {other}, which waits for {waits}, holds it (run {run})"
            )
        };
        for want in &ask.wants {
            if let Some(holder) = self.above(ask).find(|holder| holds(holder, &want.lock)) {
                return words(holder, &want.lock, "this run");
            }
        }
        for want in &ask.wants {
            let holders = self.locks.get(&want.lock).into_iter().flat_map(|lock| &lock.holders);
            let mut holders = holders.filter_map(|holder| self.entries.get(holder));
            if let Some(holder) = holders.find(is_kept) {
                return words(holder, &want.lock, "a run that waits for this one");
            }
        }
        let locks = super::in_words(ask.wants.iter().map(|want| &want.lock));
        let above = self.above(ask).next().map(|holder| {
            let Ask { asker, .. } = &holder.ask;
            format!("{}, which waits for this run (run {})", holder.ask.who(), asker.run)
        });
        format!(
            "{own} would wait for ever for {locks}: others wait for them, and in turn for {}",
            above.unwrap_or_default()
        )
    }
}

/// What an entry wants of a lock.
fn want_of<'e>(entry: &'e Entry, lock: &LockName) -> Option<&'e Want> {
    wants(entry).find(|want| want.lock == *lock)
}

fn wants(entry: &Entry) -> impl Iterator<Item = &Want> {
    entry.ask.wants.iter()
}

/// Two that do not agree on how many slots a lock has.
fn conflict(ask: &Ask, want: &Want, other: &Entry) -> String {
    let words = |want: &Want| match want.is_rate() {
        true => format!("allows {}", rate_in_words(want.slots, want.per())),
        false => size_in_words(want.shared, want.slots),
    };
    let version = other.ask.version.map(|version| format!(" (version {version})")).unwrap_or_default();
    format!(
        "{} {} as {} says, and {} as {}{version} does, which {} now (run {}): say the same in both",
        want.lock.in_words(),
        words(want),
        ask.who(),
        want_of(other, &want.lock).map(words).unwrap_or_default(),
        other.ask.who(),
        if other.grant.is_some() { "holds it" } else { "waits for it" },
        other.ask.asker.run,
    )
}
