//! What becomes of a run for which there is no slot: a part of the model, gone through as the documentation says it.

use millrace_domain::Timestamp;
use millrace_domain::lock::{AtLimit, Entry, Holder, OnFull};

use crate::model::{Model, Told, Why, want};

/// Which of several runs is the oldest.
fn age(entry: &Entry) -> (Timestamp, Holder) {
    (entry.ask.since, entry.holder())
}

impl Model {
    /// Those of the same slots that hold one, or wait for one.
    fn beside(&self, entry: &Entry, holds: bool) -> Vec<Entry> {
        let all = self.entries.iter().filter(|other| want(other, &entry.ask.wants[0].lock).is_some());
        all.filter(|other| other.grant.is_some() == holds).cloned().collect()
    }

    /// Has others make room for a run, as its policy says.
    pub(crate) fn make_room(&mut self, entry: &Entry) -> Result<Vec<Told>, Why> {
        let Some(policy) = entry.ask.at_limit else { return Ok(Vec::new()) };
        let (holding, waiting) = (self.beside(entry, true), self.beside(entry, false));
        let mut with = self.clone();
        with.entries.push(entry.clone());
        let slots = with.slots()[&entry.ask.wants[0].lock] as usize;
        // "A run that asks while a slot is free gets it at once, whatever the policy", after those that wait and have room by now.
        if waiting.len() + holding.len() < slots {
            return Ok(Vec::new());
        }
        let waits = waiting.len() - waiting.len().min(slots.saturating_sub(holding.len()));
        match policy {
            AtLimit::Skip => Err(Why::Skip),
            AtLimit::Fail => Err(Why::Fail),
            AtLimit::Queue { max_queued: Some(most), on_full } if waits >= most as usize => {
                match (on_full, waiting.iter().min_by_key(|other| age(other))) {
                    (OnFull::Merge, Some(_)) => Err(Why::Merged),
                    // "The one that has waited longest, whatever its priority", which may be the newcomer.
                    (OnFull::DropOldest, Some(oldest)) if age(entry) < age(oldest) => Err(Why::Dropped),
                    (OnFull::DropOldest, Some(oldest)) => Ok(vec![self.refuse(oldest, Why::Dropped)]),
                    _ => Err(Why::Full),
                }
            }
            AtLimit::Queue { .. } => Ok(Vec::new()),
            AtLimit::Replace => self.replace(entry, holding, waiting, slots),
        }
    }

    /// "Of all that hold, and were not replaced yet, and wait, with the newcomer, only as many go on as there are slots: the
    /// oldest make room", but for the runs that wait for the newcomer.
    fn replace(
        &mut self,
        by: &Entry,
        holding: Vec<Entry>,
        waiting: Vec<Entry>,
        slots: usize,
    ) -> Result<Vec<Told>, Why> {
        let mut go_on: Vec<Entry> = holding.into_iter().chain(waiting).chain([by.clone()]).collect();
        go_on.retain(|other| other.replaced_by.is_none());
        go_on.sort_by_key(age);
        let newest = go_on.last().map(Entry::holder);
        let many = go_on.len().saturating_sub(slots);
        go_on.retain(|other| !by.ask.above.contains(&other.holder()));
        let ends: Vec<Entry> = go_on.into_iter().take(many).collect();
        // A newcomer whose letter came late may be among the oldest.
        let is_newcomer = |other: &Entry| other.holder() == by.holder();
        if newest != Some(by.holder()) && ends.iter().any(is_newcomer) {
            return Err(Why::Replaced);
        }
        let mut told = Vec::new();
        for oldest in ends.into_iter().filter(|other| !is_newcomer(other)) {
            if oldest.grant.is_none() {
                told.push(self.refuse(&oldest, Why::Replaced));
                continue;
            }
            let same = self.entries.iter_mut().find(|entry| entry.holder() == oldest.holder());
            same.unwrap().replaced_by = Some(by.ask.asker.run);
            told.push(Told::Displaced(oldest.ask.asker, by.ask.asker.run));
        }
        Ok(told)
    }

    /// Removes one that waits.
    fn refuse(&mut self, other: &Entry, why: Why) -> Told {
        self.entries.retain(|entry| entry.holder() != other.holder());
        Told::Refused(other.ask.asker, why)
    }
}
