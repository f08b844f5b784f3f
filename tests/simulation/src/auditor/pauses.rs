//! Pauses: a worker starts nothing of a pool that it knows to be paused; nothing of a paused run is dispatched, and no child of it begins, from the commit of the pause to that of the resume.

use std::time::Duration;

use millrace_domain::run::history::Entry;
use millrace_domain::run::{Event, Head, RunDeed};
use millrace_domain::{SessionId, TaskId, Timestamp};
use millrace_store::RunDelta;

use super::Auditor;
use super::books::Book;

/// A worker has begun by then what it had been handed, however long the store took.
const LONG_KNOWN: Duration = Duration::from_secs(15);

impl Auditor {
    /// Notes whether a run is paused.
    pub(super) fn note_pause(&mut self, book: &mut Book, head: &Head) {
        let paused = head.paused.as_ref().map(|paused| paused.at);
        self.pauses += u64::from(paused.is_some() && paused != book.paused);
        book.paused = paused;
    }

    /// Notes that a worker was told whether its pool is paused.
    pub(crate) fn heard_of_pause(&mut self, session: SessionId, is_paused: bool, now: Timestamp) {
        match is_paused {
            true => drop(self.told_of_pause.entry(session).or_insert(now)),
            false => drop(self.told_of_pause.remove(&session)),
        }
    }

    /// Checks that a worker starts nothing when it knows for long that its pool is paused.
    pub(super) fn check_pool(&mut self, task: TaskId, session: SessionId, now: Timestamp) {
        let told = self.told_of_pause.get(&session).copied();
        if told.is_some_and(|told| now.since(told) > LONG_KNOWN) {
            self.object(7, || format!("{session} starts {task}, and knows that its pool is paused"));
        }
    }

    /// Whether a run was paused before a change to it, and nobody has resumed or stopped it by that.
    pub(super) fn is_held(&self, book: &Book, delta: &RunDelta) -> bool {
        let is_paused = |head: &String| {
            serde_json::from_str::<Head>(head).is_ok_and(|head| head.paused.map(|one| one.at) == book.paused)
        };
        let is_resumed = |entry: Entry| match entry.event {
            Event::RunAct(act) => act.deed == RunDeed::Resume,
            Event::Cancel { .. } | Event::TimedOut | Event::Displaced { .. } | Event::Poisoned { .. } => true,
            _ => false,
        };
        let mut entries = delta.history.iter().filter_map(|(_, entry)| serde_json::from_str(entry).ok());
        book.paused.is_some() && delta.head.as_ref().is_none_or(is_paused) && !entries.any(is_resumed)
    }
}
