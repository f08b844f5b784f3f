//! When a worker may be given up: only after it was silent for a whole lease, died, or said so itself.

use std::time::Duration;

use millrace_domain::{SessionId, TaskId, Timestamp};

use super::Auditor;
use super::books::{LEASE, Presence};

impl Auditor {
    /// Notes that the store heard of a session.
    pub(crate) fn renewed(&mut self, session: SessionId, process: u16, now: Timestamp) {
        let seen = self.seen(session, process, now);
        seen.gap(now);
        seen.renewed = now;
    }

    /// Notes that a session knows that the store heard of it.
    pub(crate) fn heard_of_renewal(&mut self, session: SessionId, now: Timestamp) {
        if let Some(seen) = self.sessions.get_mut(&session) {
            seen.gap(now);
            seen.heard = now;
        }
    }

    pub(super) fn seen(&mut self, session: SessionId, process: u16, now: Timestamp) -> &mut Presence {
        let new = || Presence { process, renewed: now, heard: now, silences: Vec::new() };
        self.sessions.entry(session).or_insert_with(new)
    }

    /// Notes that a process died.
    pub(crate) fn died(&mut self, process: u16) {
        self.dead.insert(process);
    }

    /// Was this session silent for a lease at some time within `within` before `now`, or is it dead?
    pub(super) fn was_silent(&self, session: SessionId, now: Timestamp, within: Duration) -> bool {
        let Some(seen) = self.sessions.get(&session) else { return true };
        self.dead.contains(&seen.process)
            || now.since(seen.renewed) >= LEASE
            || now.since(seen.heard) >= LEASE
            || seen.silences.iter().any(|end| now.since(*end) <= within)
    }

    /// Checks that the worker of an attempt that counts as lost has given cause.
    pub(super) fn check_loss(&mut self, task: TaskId, now: Timestamp) {
        let Some(held) = self.claims.get(&task).copied() else { return };
        let since = now.since(held.since);
        if !self.was_silent(held.session, now, since) {
            let seen = self.sessions.get(&held.session).cloned();
            self.object(5, || format!("{task} was taken from {held:?}, which was not silent: {seen:?}"));
        }
    }
}
