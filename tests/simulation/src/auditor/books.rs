//! What the auditor remembers: of runs, claims, schedules and sessions.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use millrace_domain::definition::Workflow;
use millrace_domain::run::RunState;
use millrace_domain::{ClaimToken, Outcome, SessionId, TaskId, Timestamp, TriggerId};
use millrace_store::SESSION_LEASE_MS;

/// What the auditor knows of a run.
pub(crate) struct Book {
    pub(super) workflow: Arc<Workflow>,
    pub(super) state: RunState,
    pub(super) stopping: bool,
    /// The number of the last advance that a record of it has named.
    pub(super) advance: u64,
    pub(super) steps: Vec<Step>,
}

/// What the auditor knows of a step.
#[derive(Debug, Clone, Default)]
pub(super) struct Step {
    /// The last attempt that was dispatched.
    pub(super) attempt: u32,
    /// When that was.
    pub(super) dispatched_at: Timestamp,
    /// Whether that attempt is with the fleet.
    pub(super) current: bool,
    pub(super) retries: u32,
    pub(super) lost: u32,
    pub(super) ended: Option<Outcome>,
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}, stopping: {}, {:?}", self.workflow.id, self.state, self.stopping, self.steps)
    }
}

impl Book {
    /// Has the run ended?
    pub(crate) fn has_ended(&self) -> bool {
        self.state.is_terminal()
    }

    /// Has the run ended in this state?
    pub(super) fn ended_as(&self, state: RunState) -> bool {
        self.state == state
    }

    /// The number of attempts that were lost.
    pub(super) fn lost(&self) -> u64 {
        self.steps.iter().map(|step| u64::from(step.lost)).sum()
    }

    /// Is this the attempt that is with the fleet?
    pub(super) fn is_current(&self, task: TaskId) -> bool {
        let step = self.steps.get(task.unit.step.at());
        step.is_some_and(|step| step.current && step.attempt == task.attempt)
    }
}

/// What the auditor knows of a claim: somebody's hold on an attempt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) token: ClaimToken,
    pub(super) session: SessionId,
    pub(super) since: Timestamp,
    pub(super) finished: bool,
}

/// What the auditor knows of the schedules of a workflow, by their places: their ids, and when each fires next.
pub(super) struct Fires {
    pub(super) workflow: Workflow,
    pub(super) version: u64,
    pub(super) triggers: Vec<TriggerId>,
    pub(super) next: Vec<Option<Timestamp>>,
}

impl Fires {
    /// The schedules that are to fire, and when.
    pub(super) fn due(&self) -> impl Iterator<Item = (TriggerId, Timestamp)> {
        self.triggers.iter().zip(&self.next).filter_map(|(trigger, next)| Some((*trigger, (*next)?)))
    }
}

/// What the auditor knows of a session.
#[derive(Debug, Clone)]
pub(super) struct Presence {
    pub(super) process: u16,
    /// The times at which the store last heard of it, and at which it last heard that the store had.
    pub(super) renewed: Timestamp,
    pub(super) heard: Timestamp,
    /// The ends of the times of a whole lease in which one of the two did not happen.
    pub(super) silences: Vec<Timestamp>,
}

/// The lease of a session.
pub(super) const LEASE: Duration = Duration::from_millis(SESSION_LEASE_MS);

impl Presence {
    /// Notes when a time of a whole lease ends in which one of the two did not happen.
    pub(super) fn gap(&mut self, now: Timestamp) {
        if now.since(self.renewed) >= LEASE || now.since(self.heard) >= LEASE {
            self.silences.push(now);
        }
    }
}
