//! A run as it is stored, with its attempts and their logs.

use std::collections::BTreeMap;

use millrace_domain::{ClaimToken, Lane, SessionId, StepIndex, Timestamp, Unit};
use millrace_store::{LogChunk, NewRun, TaskRecord};

/// A stored run.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) new: NewRun,
    pub(super) head: String,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) steps: BTreeMap<Unit, String>,
    /// The ends of items.
    pub(super) items: BTreeMap<Unit, String>,
    /// What steps keep apart.
    pub(super) apart: BTreeMap<StepIndex, String>,
    /// The entries of its history.
    pub(super) history: BTreeMap<u64, String>,
    pub(super) attempts: BTreeMap<Unit, Attempt>,
    pub(super) logs: BTreeMap<(Unit, u32), Log>,
}

/// The current attempt of a step.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) number: u32,
    pub(super) dispatched_at: Timestamp,
    pub(super) look_at: Timestamp,
    pub(super) lane: Lane,
    pub(super) state: State,
}

/// The state of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum State {
    /// It waits for a worker.
    Queued,
    /// A worker holds it.
    Claimed { token: ClaimToken, session: SessionId, at: Timestamp },
    /// Its result is stored.
    Finished { token: ClaimToken, result: String },
    /// It was taken back, and is nobody's any more.
    Revoked { unclaimed: bool },
}

/// The log of an attempt.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) chunks: Vec<LogChunk>,
    pub(super) bytes: u64,
}

impl Attempt {
    /// How the attempt stands, as the contract has it.
    pub(super) fn record(&self) -> TaskRecord {
        let dispatched_at = self.dispatched_at;
        match &self.state {
            State::Queued => TaskRecord::Queued { dispatched_at, lane: self.lane.clone() },
            State::Claimed { session, at, .. } => {
                TaskRecord::Claimed { session: *session, claimed_at: *at, dispatched_at }
            }
            State::Finished { result, .. } => {
                TaskRecord::Finished { result: result.clone(), dispatched_at: Some(dispatched_at) }
            }
            State::Revoked { unclaimed } => {
                TaskRecord::Revoked { dispatched_at: Some(dispatched_at), unclaimed: *unclaimed }
            }
        }
    }
}
