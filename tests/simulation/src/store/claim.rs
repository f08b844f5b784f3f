//! Who holds which attempt.

use std::time::Duration;

use millrace_domain::{ClaimToken, Epoch, PartitionId, TaskId, Timestamp};
use millrace_store::{
    Claim, ClaimVerdict, Finish, FinishVerdict, LOOK_AFTER_CLAIM_MS, LOOK_AFTER_HAND_BACK_MS, Revoke,
    Revoked, TaskRecord,
};

use super::memory::Memory;
use super::run::State;

impl Memory {
    pub(crate) fn claim(&mut self, claim: &Claim, now: Timestamp) -> ClaimVerdict {
        let guarded = self.guards.claim;
        if !self.runs.contains_key(&claim.task.run) {
            return ClaimVerdict::Unknown;
        }
        let Some(attempt) = self.attempt_mut(claim.task) else { return ClaimVerdict::Stale };
        match &attempt.state {
            State::Claimed { token, .. } if *token == claim.token => return ClaimVerdict::Granted,
            State::Claimed { session, .. } if guarded => return ClaimVerdict::Held { session: *session },
            State::Finished { result, .. } => return ClaimVerdict::Finished { result: result.clone() },
            State::Revoked { .. } => return ClaimVerdict::Stale,
            State::Queued | State::Claimed { .. } => {}
        }
        attempt.state = State::Claimed { token: claim.token, session: claim.session, at: now };
        self.look(claim.task, now + Duration::from_millis(LOOK_AFTER_CLAIM_MS));
        ClaimVerdict::Granted
    }

    pub(crate) fn finish(&mut self, finish: &Finish) -> FinishVerdict {
        let guarded = self.guards.finish;
        if guarded && !self.runs.contains_key(&finish.task.run) {
            return FinishVerdict::Unknown;
        }
        let Some(attempt) = self.attempt_mut(finish.task) else {
            return if guarded { FinishVerdict::Stale } else { FinishVerdict::Stored };
        };
        match &attempt.state {
            State::Finished { token, .. } if *token == finish.token => return FinishVerdict::Stored,
            State::Claimed { token, .. } if *token == finish.token => {}
            _ if guarded => return FinishVerdict::Stale,
            _ => {}
        }
        attempt.state = State::Finished { token: finish.token, result: finish.result.clone() };
        FinishVerdict::Stored
    }

    pub(crate) fn hand_back(&mut self, task: TaskId, token: ClaimToken, now: Timestamp) {
        let Some(attempt) = self.attempt_mut(task) else { return };
        if matches!(&attempt.state, State::Claimed { token: held, .. } if *held == token) {
            attempt.state = State::Queued;
            self.look(task, now + Duration::from_millis(LOOK_AFTER_HAND_BACK_MS));
        }
    }

    /// The state of an attempt; `None` for one that is not the current attempt of its step.
    pub(crate) fn task(&self, task: TaskId) -> Option<TaskRecord> {
        self.attempt(task).map(super::run::Attempt::record)
    }

    pub(crate) fn revoke(
        &mut self,
        partition: PartitionId,
        epoch: Epoch,
        task: TaskId,
        when: Revoke,
    ) -> Revoked {
        if !self.holds(partition, epoch) || task.run.partition() != partition {
            return Revoked::Gone;
        }
        let Some(attempt) = self.attempt_mut(task) else { return Revoked::Gone };
        match &attempt.state {
            State::Finished { result, .. } => return Revoked::Finished { result: result.clone() },
            State::Claimed { session, .. } => {
                let session = *session;
                if when != Revoke::Anyway && when != Revoke::HeldBy(session) {
                    return Revoked::Claimed { session };
                }
            }
            State::Queued | State::Revoked { .. } => {}
        }
        let unclaimed = matches!(attempt.state, State::Queued | State::Revoked { unclaimed: true });
        attempt.state = State::Revoked { unclaimed };
        if unclaimed { Revoked::Unclaimed } else { Revoked::Done }
    }
}
