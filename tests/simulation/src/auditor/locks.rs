//! Locks, and slots of workflows: nobody holds more of one than there is, whoever has an attempt under way with one holds it,
//! the first in the queue is served first, no more runs wait than may, and when all has ended nothing is held.

use std::collections::BTreeMap;

use millrace_domain::lock::{AtLimit, Entry, Gone, Holder, Need, Want};
use millrace_domain::run::record::StepRecord;
use millrace_domain::run::{Head, Holds};
use millrace_domain::{PartitionId, RunId, Unit};
use millrace_store::Table;
use serde_json::Value;

use super::Auditor;
use super::books::Book;

/// The table of locks.
pub(super) const LOCKS: Table = Table("locks");

impl Auditor {
    /// Notes what a unit holds that has an attempt under way, by its record.
    pub(super) fn note_hold(&mut self, run: RunId, unit: Unit, text: &str, record: &StepRecord) {
        let is_under_way = matches!(record, StepRecord::Dispatched(_) | StepRecord::Child { .. });
        let hold = serde_json::from_str::<Value>(text)
            .ok()
            .and_then(|mut record| serde_json::from_value::<Holds>(record["hold"].take()).ok())
            .and_then(|holds| holds.locks);
        let holder = Holder::of_unit(run, unit, Need::Locks);
        match hold.and_then(|hold| hold.token).filter(|_| is_under_way) {
            Some(token) => drop(self.holds.insert(holder, token)),
            None => drop(self.holds.remove(&holder)),
        }
    }

    /// Notes whether a run is under way with a slot of its workflow, by its head.
    pub(super) fn note_slot(&mut self, run: RunId, head: &Head) {
        let has_one = head.slot.as_ref().is_some_and(|slot| slot.granted_at.is_some());
        match has_one && !head.state.is_terminal() {
            true => self.slots.insert(run),
            false => self.slots.remove(&run),
        };
    }

    /// Notes that locks were granted, or are gone, by the row of a holder before and after a commit.
    pub(super) fn note_lock(&mut self, table: Table, key: &str, before: Option<&str>, after: Option<&str>) {
        if table != LOCKS {
            return;
        }
        let read = |row: &str| serde_json::from_str::<Entry>(row).ok();
        let Some(entry) = after.and_then(read) else { return };
        if before.is_some_and(|row| serde_json::from_str::<Gone>(row).is_ok()) {
            self.object(6, || format!("run {key} has asked for a slot once more, when that was over"));
        }
        let before = before.and_then(read);
        if before.as_ref().is_none_or(|before| before.ask.asker != entry.ask.asker) {
            self.just_asked.push(key.to_owned());
        }
        let was_replaced = before.as_ref().is_some_and(|before| before.replaced_by.is_some());
        self.replaced += u64::from(entry.replaced_by.is_some() && !was_replaced);
        let was_granted = before.is_some_and(|before| before.grant.is_some());
        if entry.grant.is_some() && !was_granted {
            match entry.ask.step {
                Some(_) => self.grants += 1,
                None => self.granted_slots += 1,
            }
            self.granted.push(key.to_owned());
        }
    }

    /// Checks what is held of the locks of a partition, and by whom, after a commit.
    pub(super) fn check_locks(&mut self, partition: PartitionId) {
        let rows = self.rows.range((partition, LOCKS, String::new())..);
        let rows = rows.take_while(|((of, table, _), _)| (*of, *table) == (partition, LOCKS));
        let entries: Vec<Entry> = rows.filter_map(|(_, row)| serde_json::from_str(row).ok()).collect();
        let mut held: BTreeMap<&str, Vec<&Want>> = BTreeMap::new();
        for entry in entries.iter().filter(|entry| entry.grant.is_some()) {
            // What is used of a rate comes back while its holder goes on.
            let locks = entry.ask.wants.iter().filter(|want| !want.is_rate());
            locks.for_each(|want| held.entry(want.lock.as_str()).or_default().push(want));
        }
        let over = held.into_iter().find(|(_, wants)| is_over(wants));
        let over = over.map(|(lock, wants)| format!("lock {lock} is held by too many: {wants:?}"));
        // What one commit takes in is served as it comes.
        let just_asked = std::mem::take(&mut self.just_asked);
        let passed_over = std::mem::take(&mut self.granted).into_iter().find_map(|key| {
            // One that has asked anew by the same commit, with another priority, waits again.
            let is_it = |entry: &&Entry| entry.grant.is_some() && entry.holder().to_string() == key;
            let granted = entries.iter().find(is_it)?;
            let is_new = |entry: &Entry| just_asked.contains(&entry.holder().to_string());
            let waits = |entry: &&Entry| entry.grant.is_none() && !is_new(entry) && share(entry, granted);
            let first = entries.iter().filter(waits).find(|other| place(other) < place(granted))?;
            Some(format!("{granted:?} was granted what {first:?} has waited for"))
        });
        if let Some(what) = over.or(passed_over).or_else(|| too_many(&self.runs, &entries)) {
            self.object(6, || what);
        }
    }

    /// Checks that whoever has an attempt under way with locks holds them.
    pub(super) fn check_holds(&mut self, run: RunId) {
        let of_run = |holder: &Holder| holder.run == run;
        let rows = || self.rows.iter().filter(|((_, table, _), _)| *table == LOCKS);
        let lost = self.holds.iter().filter(|(holder, _)| of_run(holder)).find(|(holder, token)| {
            let key = holder.to_string();
            let row = rows().find(|((_, _, row), _)| *row == key).map(|(_, row)| row);
            let grant = row.and_then(|row| serde_json::from_str::<Entry>(row).ok()?.grant);
            grant.is_none_or(|grant| grant.token != **token)
        });
        let lost = lost.map(|(holder, token)| (*holder, *token));
        let has_slot =
            |row: &str| serde_json::from_str::<Entry>(row).is_ok_and(|entry| entry.grant.is_some());
        let key = run.to_string();
        let is_without =
            self.slots.contains(&run) && !rows().any(|((_, _, row), text)| *row == key && has_slot(text));
        if let Some((holder, token)) = lost {
            self.object(6, || format!("{holder} goes on with locks that it does not hold: token {token}"));
        }
        if is_without {
            self.object(6, || format!("run {run} goes on with a slot that it does not have"));
        }
    }

    /// Finds what is held, or waited for, when nothing is under way any more.
    pub(super) fn left_locked(&self) -> Option<String> {
        // Of runs it is remembered for a while that they have none any more.
        let is_entry = |row: &str| serde_json::from_str::<Entry>(row).is_ok();
        let mut rows = self.rows.iter().filter(|((_, table, _), row)| *table == LOCKS && is_entry(row));
        rows.next().map(|((partition, _, key), row)| format!("{key} has locks of {partition}: {row}"))
    }
}

/// What is wrong with the runs that wait: there are more of them than may, or such as should have made room.
fn too_many(runs: &BTreeMap<RunId, Book>, entries: &[Entry]) -> Option<String> {
    let mut by_slots: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.ask.step.is_none()) {
        by_slots.entry(entry.ask.wants[0].lock.as_str()).or_default().push(entry);
    }
    by_slots.into_iter().find_map(|(slots, entries)| {
        let waiting = entries.iter().filter(|entry| entry.grant.is_none()).count();
        let left = entries.iter().filter(|entry| entry.replaced_by.is_none()).count();
        let most = entries[0].ask.wants[0].slots as usize;
        let concurrency = runs.get(&entries[0].ask.asker.run)?.workflow.concurrency.as_ref()?;
        match concurrency.at_limit {
            AtLimit::Queue { max_queued: Some(most), .. } if waiting > most as usize => {
                Some(format!("{waiting} runs wait for {slots}, and {most} may"))
            }
            AtLimit::Skip | AtLimit::Fail if waiting > 0 => {
                Some(format!("{waiting} runs wait for {slots}, for which none may"))
            }
            AtLimit::Replace if left > most => {
                Some(format!("{left} runs of {slots} go on, and {most} may: {entries:?}"))
            }
            _ => None,
        }
    })
}

/// Whether more is held of a lock than there is.
fn is_over(wants: &[&Want]) -> bool {
    let slots = wants.iter().map(|want| want.slots).max().unwrap_or(1);
    let taken: u32 = wants.iter().filter(|want| !want.shared).map(|want| want.weight).sum();
    taken > slots || (taken > 0 && wants.iter().any(|want| want.shared))
}

/// Whether two want a lock that is the same.
fn share(one: &Entry, other: &Entry) -> bool {
    one.ask.wants.iter().any(|want| other.ask.wants.iter().any(|wanted| wanted.lock == want.lock))
}

/// The place of an entry among those that want the same.
fn place(entry: &Entry) -> impl Ord {
    (!entry.nested, entry.ask.priority, entry.ask.since, entry.holder())
}
