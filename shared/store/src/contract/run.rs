//! What is stored of a run, and how it changes. Heads, definitions and step records are the producer's words:
//! the store keeps them as they are.

use millrace_domain::{RunId, StepIndex, Timestamp, WorkflowName};

use super::{Dispatched, TaskRecord, Timer};

/// A change to one run; only what changed is named. Without `create`, for a run that is not stored (any more),
/// it is left out.
#[derive(Debug, Clone)]
pub struct RunDelta {
    /// Which run.
    pub run: RunId,
    /// It is new. When it exists already, the whole delta is left out, and the verdict says so.
    pub create: Option<NewRun>,
    /// Its head (JSON), replaced.
    pub head: Option<String>,
    /// Records (JSON) of steps, replaced.
    pub steps: Vec<(StepIndex, String)>,
    /// Attempts that are dispatched by this commit: they become the current, unclaimed attempt of their step.
    pub dispatched: Vec<Dispatched>,
    /// Attempts that are over: forgotten, with what a worker stored of them.
    pub retired: Vec<(StepIndex, u32)>,
    /// Timers to set, by replacing, after those in `cleared` were cleared.
    pub timers: Vec<(Timestamp, Timer)>,
    /// Timers to clear.
    pub cleared: Vec<Timer>,
    /// It ended: it may be forgotten from this instant on.
    pub expires_at: Option<Timestamp>,
}

impl RunDelta {
    /// A delta that changes nothing yet.
    pub fn new(run: RunId) -> Self {
        Self {
            run,
            create: None,
            head: None,
            steps: Vec::new(),
            dispatched: Vec::new(),
            retired: Vec::new(),
            timers: Vec::new(),
            cleared: Vec::new(),
            expires_at: None,
        }
    }
}

/// What is written once, when a run is created.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// For lists, which show the newest first.
    pub created_at: Timestamp,
    /// For lists.
    pub workflow: WorkflowName,
    /// The run is the record of deduplication for its key: it stays for 24 h at least after `created_at`.
    pub keyed: bool,
    /// What it runs, and with which params (JSON).
    pub definition: String,
}

/// A run as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRun {
    /// Its head.
    pub head: String,
    /// What it runs.
    pub definition: String,
    /// Records of steps that have one, in order.
    pub steps: Vec<(StepIndex, String)>,
    /// Current attempts, in order of their steps.
    pub tasks: Vec<(StepIndex, u32, TaskRecord)>,
}
