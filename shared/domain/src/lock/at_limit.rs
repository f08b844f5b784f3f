//! What becomes of a run of a workflow that already has as many runs under way as it allows.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Holder};
use super::queue::{Lock, Place};
use super::refusal::Refused;
use super::{Ask, Board, Effect, LockName};
use crate::{Outcome, RunId, Timestamp};

/// What becomes of a run for which there is no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtLimit {
    /// It waits for one.
    Queue {
        /// The number of runs that may wait; `None` where any number may.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_queued: Option<u32>,
        /// What becomes of one more.
        #[serde(default)]
        on_full: OnFull,
    },
    /// It is skipped.
    Skip,
    /// It takes the place of the oldest, which is cancelled: never of a run that waits for it.
    Replace,
    /// It fails.
    Fail,
}

/// What becomes of a run when as many wait as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFull {
    /// It fails.
    #[default]
    Reject,
    /// It waits, and the one that has waited longest is cancelled.
    DropOldest,
    /// It is skipped: one that waits already stands for both.
    Merge,
}

impl Default for AtLimit {
    fn default() -> Self {
        Self::Queue { max_queued: None, on_full: OnFull::Reject }
    }
}

impl AtLimit {
    /// The word for the policy in definitions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queue { .. } => "queue",
            Self::Skip => "skip",
            Self::Replace => "replace",
            Self::Fail => "fail",
        }
    }
}

impl OnFull {
    /// The word for the policy in definitions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::DropOldest => "drop_oldest",
            Self::Merge => "merge",
        }
    }
}

/// One that has to make room for another.
pub(super) struct Displaced {
    pub(super) holder: Holder,
    pub(super) why: String,
}

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
        if lock.queue.is_empty() && lock.taken < slots {
            return Ok(Vec::new());
        }
        let refuse = |outcome, why| Err(Refused { outcome, why });
        let of_key = want.lock.key_in_words().map(|key| format!(" ({key})")).unwrap_or_default();
        match policy {
            AtLimit::Skip => refuse(Outcome::Skipped, self.under_way(lock, slots, &of_key)),
            AtLimit::Fail => refuse(Outcome::Failed, self.under_way(lock, slots, &of_key)),
            AtLimit::Queue { max_queued: Some(most), on_full } if lock.queue.len() >= most as usize => {
                let waits = lock.queue.len();
                let runs = if waits == 1 { "run waits" } else { "runs wait" };
                let full = format!("{waits} {runs} already{of_key}, and no more may (max_queued: {most})");
                match (on_full, lock.queue.last(), oldest_waiter(lock)) {
                    (OnFull::DropOldest, _, Some(holder)) => {
                        let why = format!("dropped for run {}: {full}", ask.asker.run);
                        Ok(vec![Displaced { holder, why }])
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
                let displaced = self.to_be_replaced(ask, lock, slots);
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
            0 => format!("run {run} is under way{of_key}, and no other may be beside it"),
            others => {
                format!("run {run} and {others} more are under way{of_key}, and {slots} may be at a time")
            }
        }
    }

    /// Those that are to end so that, with one more, as many are left as there are slots: the oldest, but for the runs that
    /// wait for the new one, which would end with them. O(holders + waiters), of which there are no more than slots and those
    /// that are to end, where all have the same policy.
    fn to_be_replaced(&self, ask: &Ask, lock: &Lock, slots: u32) -> Vec<Holder> {
        let holders = lock.holders.iter().copied();
        let all = holders.chain(lock.queue.iter().map(|(_, holder)| *holder));
        let left: BTreeSet<(Timestamp, Holder)> = all
            .filter_map(|holder| self.entries.get(&holder))
            .filter(|entry| entry.replaced_by.is_none())
            .map(|entry| (entry.ask.since, entry.holder()))
            .collect();
        let many = (left.len() + 1).saturating_sub(slots as usize);
        let others = left.into_iter().map(|(_, holder)| holder).filter(|holder| !ask.above.contains(holder));
        others.take(many).collect()
    }

    /// Ends the entry of one that waits, or has one that holds a slot be told to end.
    pub(super) fn displace(
        &mut self,
        displaced: Displaced,
        by: &Ask,
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
        effects.extend([Effect::Delete(holder), Effect::Refuse { asker, outcome: Outcome::Cancelled, why }]);
        freed
    }
}

/// Why a run ends whose place another takes.
pub(super) fn replaced(by: RunId) -> String {
    format!("replaced by run {by}")
}

/// The one that has waited longest, whatever its priority: the first of each kind of places is the oldest of that.
fn oldest_waiter(lock: &Lock) -> Option<Holder> {
    let (_, any) = lock.queue.first()?;
    let firsts = Place::beginnings().filter_map(|place| lock.queue.range((place, *any)..).next());
    firsts.min_by_key(|(place, holder)| (place.since, *holder)).map(|(_, holder)| *holder)
}
