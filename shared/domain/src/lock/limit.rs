//! What becomes of a run of a workflow that already has as many runs under way as it allows, and of those beside it.

use super::effect::Effect;
use super::entry::Entry;
use super::queue::{Lock, Place};
use super::verdict::{Displaced, Refused, replaced};
use super::{Ask, AtLimit, Board, Holder, LockName, OnFull};
use crate::{Outcome, Timestamp};

impl Board {
    /// What a run brings about for which there is no slot: those that make room for it.
    ///
    /// # Errors
    /// When the run itself is not to wait.
    pub(super) fn at_limit(&self, ask: &Ask) -> Result<Vec<Displaced>, Refused> {
        let (Some(policy), Some(want)) = (ask.at_limit, ask.wants.first()) else { return Ok(Vec::new()) };
        let Some(lock) = self.locks.get(&want.lock) else { return Ok(Vec::new()) };
        let own = Entry { ask: ask.clone(), grant: None, nested: false, replaced_by: None };
        let slots = lock.slots_with(&own, want);
        // Those that have room by now go first: a newer version may allow more.
        let waits = lock.queue.len().saturating_sub(slots.saturating_sub(lock.taken) as usize);
        if lock.taken as usize + lock.queue.len() < slots as usize {
            return Ok(Vec::new());
        }
        let refuse = |outcome, why| Err(Refused { outcome, why });
        let of_key = want.lock.key_in_words().map(|key| format!(" ({key})")).unwrap_or_default();
        match policy {
            AtLimit::Skip => refuse(Outcome::Skipped, self.under_way(lock, slots, &of_key)),
            AtLimit::Fail => refuse(Outcome::Failed, self.under_way(lock, slots, &of_key)),
            AtLimit::Queue { max_queued: Some(most), on_full } if waits >= most as usize => {
                let runs = if waits == 1 { "run waits" } else { "runs wait" };
                let full = match waits {
                    0 => format!("no run may wait{of_key} (max_queued: 0)"),
                    _ => format!("{waits} {runs} already{of_key}, and no more may (max_queued: {most})"),
                };
                match (on_full, lock.queue.last(), self.oldest_waiter(lock)) {
                    // Its letter came late.
                    (OnFull::DropOldest, Some((_, last)), Some(oldest)) if age(&own) < age(oldest) => {
                        refuse(Outcome::Cancelled, format!("dropped for run {}: {full}", last.run))
                    }
                    (OnFull::DropOldest, _, Some(oldest)) => {
                        let why = format!("dropped for run {}: {full}", ask.asker.run);
                        Ok(vec![Displaced { holder: oldest.holder(), why }])
                    }
                    (OnFull::Merge, Some((_, last)), _) => {
                        refuse(Outcome::Skipped, format!("merged into run {}: {full}", last.run))
                    }
                    _ => refuse(Outcome::Failed, full),
                }
            }
            AtLimit::Queue { .. } => Ok(Vec::new()),
            AtLimit::Replace => {
                let why = replaced(ask.asker.run);
                let displaced = self.to_be_replaced(&own, lock, slots)?;
                Ok(displaced.into_iter().map(|holder| Displaced { holder, why: why.clone() }).collect())
            }
        }
    }

    /// Why a run is not to wait, in words.
    fn under_way(&self, lock: &Lock, slots: u32, of_key: &str) -> String {
        let oldest = lock.holders.iter().filter_map(|holder| self.entries.get(holder));
        let oldest = oldest.min_by_key(|entry| (entry.ask.since, entry.holder()));
        let run = oldest.map(|entry| entry.ask.asker.run.to_string()).unwrap_or_default();
        match lock.holders.len().saturating_sub(1) {
            0 if slots == 1 => format!("run {run} is under way{of_key}, and no other may be beside it"),
            others => {
                format!("run {run} and {others} more are under way{of_key}, and {slots} may be at a time")
            }
        }
    }

    /// Those that are to end so that, with one more, as many are left as there are slots: the oldest, but for the runs that
    /// wait for the new one, which would end with them. O(holders + waiters), of which there are no more than slots and those
    /// that are to end, where all have the same policy.
    ///
    /// # Errors
    /// When the new one is among the oldest itself: its letter came late.
    fn to_be_replaced(&self, own: &Entry, lock: &Lock, slots: u32) -> Result<Vec<Holder>, Refused> {
        let all = lock.holders.iter().chain(lock.queue.iter().map(|(_, holder)| holder));
        let left = all.filter_map(|holder| self.entries.get(holder));
        let mut left: Vec<&Entry> = left.filter(|entry| entry.replaced_by.is_none()).collect();
        left.push(own);
        let many = left.len().saturating_sub(slots as usize);
        let newest = left.iter().copied().max_by_key(|entry| age(entry)).unwrap_or(own).ask.asker.run;
        left.retain(|entry| !own.ask.above.contains(&entry.holder()));
        left.sort_unstable_by_key(|entry| age(entry));
        left.truncate(many);
        if left.iter().any(|entry| entry.holder() == own.holder()) && newest != own.ask.asker.run {
            return Err(Refused { outcome: Outcome::Cancelled, why: replaced(newest) });
        }
        Ok(left.into_iter().map(Entry::holder).filter(|holder| *holder != own.holder()).collect())
    }

    /// The one that has waited longest, whatever its priority: the first of each kind of places is the oldest of that.
    fn oldest_waiter(&self, lock: &Lock) -> Option<&Entry> {
        let (_, any) = lock.queue.first()?;
        let firsts = Place::beginnings().filter_map(|place| lock.queue.range((place, *any)..).next());
        let (_, oldest) = firsts.min_by_key(|(place, holder)| (place.since, *holder))?;
        self.entries.get(oldest)
    }

    /// Ends the entry of one that waits, or has one that holds a slot be told to end.
    pub(super) fn displace(
        &mut self,
        displaced: Displaced,
        by: &Ask,
        now: Timestamp,
        effects: &mut Vec<Effect>,
    ) -> Vec<LockName> {
        let Displaced { holder, why } = displaced;
        let Some(entry) = self.entries.get_mut(&holder) else { return Vec::new() };
        let asker = entry.ask.asker;
        if entry.grant.is_some() {
            entry.replaced_by = Some(by.asker.run);
            effects.extend([Effect::Put(holder), Effect::Displace { asker, why }]);
            return Vec::new();
        }
        let freed = self.remove(holder);
        self.note_gone(holder, Some((Outcome::Cancelled, why.clone())), now, effects);
        effects.push(Effect::Refuse { asker, outcome: Outcome::Cancelled, why });
        freed
    }
}

/// Since when somebody holds or waits, and of those of the same instant who.
fn age(entry: &Entry) -> (Timestamp, Holder) {
    (entry.ask.since, entry.holder())
}
