//! Whoever waits gets what it waits for when it is first of all that wait for it, and there is room.

use super::effect::Effect;
use super::entry::{Entry, Grant};
use super::queue::{Lock, has_room, place_of};
use super::{Board, Holder, LockName, TOKENS, Want};
use crate::{Outcome, Timestamp};

/// The grants of a rate that are made in one commit, about.
const GRANTED_AT_ONCE: usize = 512;

impl Board {
    /// Grants what can be granted after something has changed about these locks.
    pub(super) fn serve(
        &mut self,
        mut changed: Vec<LockName>,
        now: Timestamp,
        least: u64,
        effects: &mut Vec<Effect>,
    ) {
        let began = effects.len();
        while let Some(name) = changed.pop() {
            let Some(lock) = self.locks.get(&name) else { continue };
            let Some((place, holder)) = lock.queue.first().copied() else { continue };
            let Some(entry) = self.entries.get(&holder) else { continue };
            let Some(want) = entry.ask.wants.iter().find(|want| want.lock == name) else { continue };
            // The slots may have become fewer since it asked.
            if want.weight > lock.slots() {
                let why = self.too_much_by_now(lock, want);
                let (asker, outcome) = (entry.ask.asker, Outcome::Failed);
                changed.extend(self.remove(holder));
                effects.extend([Effect::Delete(holder), Effect::Refuse { asker, outcome, why }]);
                continue;
            }
            if want.is_rate() {
                let free_at = self.rates.free_at(want, lock, now);
                if effects.len() - began >= 2 * GRANTED_AT_ONCE {
                    self.rates.look_at(&name, now);
                    continue;
                }
                if free_at.is_none_or(|at| at > now) {
                    free_at.into_iter().for_each(|at| self.rates.look_at(&name, at));
                    continue;
                }
            }
            let is_first_with_room = |want: &Want| {
                self.locks.get(&want.lock).is_some_and(|lock| {
                    lock.queue.first() == Some(&(place, holder))
                        && has_room(want, lock.slots(), lock.taken, lock.sharing)
                })
            };
            if entry.ask.wants.iter().all(is_first_with_room) {
                changed.extend(self.grant(holder, now, least).iter().map(|want| want.lock.clone()));
                effects.push(Effect::Put(holder));
                effects.extend(self.entries.get(&holder).and_then(Entry::told));
            }
        }
    }

    /// Makes the grant of one that waits; answers what it has then.
    fn grant(&mut self, holder: Holder, now: Timestamp, least: u64) -> Box<[Want]> {
        self.last_token = least.max(self.last_token + TOKENS);
        let Some(entry) = self.entries.get_mut(&holder) else { return Box::default() };
        let place = place_of(entry);
        entry.grant = Some(Grant { token: self.last_token, at: now, used_at: None });
        let wants = entry.ask.wants.clone();
        self.nested.remove(&(place, holder));
        for want in &wants {
            if let Some(lock) = self.locks.get_mut(&want.lock) {
                lock.queue.remove(&(place, holder));
            }
        }
        self.occupy(holder, &wants, false);
        self.tell_again(holder, now);
        wants
    }

    /// Why somebody is refused for whom there was enough when it asked.
    fn too_much_by_now(&self, lock: &Lock, want: &Want) -> String {
        let by = lock.declared.last().and_then(|last| self.entries.get(&last.holder));
        let by = by.map(|by| format!(", as {} says", by.ask.who())).unwrap_or_default();
        let (weight, slots, what) = (want.weight, lock.slots(), want.lock.in_words());
        match want.is_rate() {
            true => format!(
                "it costs {weight} of {what}, which allows {slots} by now{by}: let it cost no more than that"
            ),
            false => format!(
                "it wants {weight} slots of {what}, which has {slots} by now{by}: want no more than that"
            ),
        }
    }
}
