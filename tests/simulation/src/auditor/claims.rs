//! Who may hold, start and finish an attempt.

use std::time::Duration;

use millrace_domain::{ClaimToken, Epoch, PartitionId, SessionId, TaskId, Timestamp};
use millrace_store::{Claim, ClaimVerdict, Finish, FinishVerdict, Revoke};

use super::Auditor;
use super::books::{Book, Held};

impl Auditor {
    /// Notes how a claim was answered.
    pub(crate) fn claimed(&mut self, claim: &Claim, verdict: &ClaimVerdict, process: u16, now: Timestamp) {
        if *verdict != ClaimVerdict::Granted {
            return;
        }
        let task = claim.task;
        self.seen(claim.session, process, now);
        if !self.is_current(task) {
            self.object(5, || format!("{task} was granted and is not current"));
        }
        if self.revoked.contains(&task) {
            self.object(5, || format!("{task} was granted after it was taken back"));
        }
        let held = Held { token: claim.token, session: claim.session, since: now, finished: false };
        match self.claims.get(&task) {
            Some(before) if before.token == claim.token => {}
            Some(before) => {
                let before = *before;
                self.object(5, || format!("{task} was granted to {held:?} while {before:?}"));
            }
            None => drop(self.claims.insert(task, held)),
        }
    }

    /// Notes whether an outcome was stored.
    pub(crate) fn finished(&mut self, finish: &Finish, verdict: FinishVerdict, _now: Timestamp) {
        if verdict != FinishVerdict::Stored {
            return;
        }
        let task = finish.task;
        match self.claims.get_mut(&task) {
            Some(held) if held.token == finish.token => {
                held.finished = true;
                self.note_spared(task, &finish.result);
            }
            held => {
                let held = held.copied();
                let by = finish.token;
                self.object(5, || format!("{task} was finished by {by}, but it is {held:?}'s"));
            }
        }
    }

    /// Notes that an attempt was taken back.
    pub(crate) fn revoked(
        &mut self,
        partition: PartitionId,
        epoch: Epoch,
        task: TaskId,
        when: Revoke,
        now: Timestamp,
    ) {
        if self.partitions.get(&partition).is_some_and(|(held, _)| *held != epoch) {
            self.object(5, || format!("epoch {} took {task} back, but the partition is another's", epoch.0));
        }
        if let Revoke::HeldBy(session) = when
            && self.claims.get(&task).is_some_and(|held| held.session == session && !held.finished)
        {
            self.check_loss(task, now);
        }
        self.revoked.insert(task);
        self.claims.remove(&task);
    }

    /// Notes that a worker gave an attempt back unfinished.
    pub(crate) fn handed_back(&mut self, task: TaskId, token: ClaimToken) {
        if self.claims.get(&task).is_some_and(|held| held.token == token && !held.finished) {
            self.claims.remove(&task);
            *self.handed_back.entry(task).or_default() += 1;
        }
    }

    /// Notes that a worker starts a task.
    pub(crate) fn started(&mut self, task: TaskId, session: SessionId, now: Timestamp) {
        let before = self.starts.entry(task).or_default();
        *before += 1;
        let (starts, allowed) = (*before, 1 + self.handed_back.get(&task).copied().unwrap_or_default());
        if starts > allowed {
            self.object(5, || format!("{task} was started {starts} times"));
        }
        // A worker that was cut off for a lease may not know yet that the attempt is not its own any more.
        if self.was_silent(session, now, Duration::from_secs(3_600)) {
            return;
        }
        self.check_pool(task, session, now);
        let held = self.claims.get(&task).copied();
        if held.is_none_or(|held| held.session != session) {
            self.object(5, || format!("{session} starts {task}, which is {held:?}'s"));
        }
        if !self.is_current(task) {
            self.object(5, || format!("{task} starts and is not current"));
        }
        self.note_use(task, now);
        if self.runs.get(&task.run).is_none_or(Book::has_ended) {
            self.object(7, || format!("{task} starts after its run ended"));
        }
    }

    fn is_current(&self, task: TaskId) -> bool {
        self.runs.get(&task.run).is_some_and(|book| book.is_current(task))
    }
}
