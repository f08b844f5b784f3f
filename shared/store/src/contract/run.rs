//! What is stored of a run, and how it changes. Heads, definitions and step records are the producer's words:
//! the store keeps them as they are.

use millrace_domain::{RunId, StepIndex, Timestamp, Unit, WorkflowId};

use super::{Dispatched, Letter, RowDelta, TaskRecord, Timer};

/// A change to one run; only what changed is named. Without `create`, for a run that is not stored (any more), it is
/// left out.
#[derive(Debug, Clone)]
pub struct RunDelta {
    /// The id of the run.
    pub run: RunId,
    /// The creation of a new run. When the run exists already, the whole delta is left out, and the verdict says so.
    pub create: Option<NewRun>,
    /// The head (JSON), replaced.
    pub head: Option<String>,
    /// The records (JSON) of units, replaced.
    pub steps: Vec<(Unit, String)>,
    /// The ends (JSON) of items of steps that fan out: kept apart from the run, see [`ReadStore::items`]. The record of such
    /// a unit, if it had one, is forgotten.
    ///
    /// [`ReadStore::items`]: crate::ReadStore::items
    pub ended_items: Vec<(Unit, String)>,
    /// What steps keep apart from the run (JSON), one value each, see [`ReadStore::apart`]: the list over which a step fans
    /// out, or the large outputs of one that does not.
    ///
    /// [`ReadStore::apart`]: crate::ReadStore::apart
    pub apart: Vec<(StepIndex, String)>,
    /// The entries (JSON) of its history, by the numbers of their advances, which rise: kept apart from the run, see
    /// [`ReadStore::history`].
    ///
    /// [`ReadStore::history`]: crate::ReadStore::history
    pub history: Vec<(u64, String)>,
    /// The attempts that are dispatched by this commit: they become the current, unclaimed attempt of their unit.
    pub dispatched: Vec<Dispatched>,
    /// The attempts that are over: forgotten, with what a worker stored of them.
    pub retired: Vec<(Unit, u32)>,
    /// The timers to set, by replacing, after those in `cleared` were cleared.
    pub timers: Vec<(Timestamp, Timer)>,
    /// The timers to clear.
    pub cleared: Vec<Timer>,
    /// The instant from which on a run that has ended may be forgotten.
    pub expires_at: Option<Timestamp>,
    /// The letters that the run sends: left out with the delta.
    pub letters: Vec<Letter>,
    /// The rows that the run puts and deletes: left out with the delta. The last change to a row holds.
    pub tables: Vec<RowDelta>,
}

impl RunDelta {
    /// A delta that changes nothing yet.
    pub fn new(run: RunId) -> Self {
        Self {
            run,
            create: None,
            head: None,
            steps: Vec::new(),
            ended_items: Vec::new(),
            apart: Vec::new(),
            history: Vec::new(),
            dispatched: Vec::new(),
            retired: Vec::new(),
            timers: Vec::new(),
            cleared: Vec::new(),
            expires_at: None,
            letters: Vec::new(),
            tables: Vec::new(),
        }
    }
}

/// A new run: what is written once, when it is created.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// When the run was created, for lists, which show the newest first.
    pub created_at: Timestamp,
    /// The name of its workflow, for lists.
    pub workflow: WorkflowId,
    /// Whether the run is the record of deduplication for its key: it stays for 24 h at least after `created_at`.
    pub keyed: bool,
    /// The definition of the run: what it runs, and with which params (JSON).
    pub definition: String,
}

/// A run as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRun {
    /// The head of the run.
    pub head: String,
    /// The definition of the run.
    pub definition: String,
    /// The records of the units that have one, in order.
    pub steps: Vec<(Unit, String)>,
    /// The current attempts, in order of their units.
    pub tasks: Vec<(Unit, u32, TaskRecord)>,
    /// The names of what else is stored of it, which a newer version has written: who reads the rest does not know how
    /// the run stands.
    pub unknown: Vec<String>,
}

impl StoredRun {
    /// The current attempts, with when each was dispatched: the beginning of time where version 0.1 has not kept it.
    pub fn attempts(&self) -> Vec<(Unit, u32, Timestamp)> {
        let dispatched_at = |record: &TaskRecord| record.dispatched_at().unwrap_or_default();
        self.tasks.iter().map(|(unit, attempt, record)| (*unit, *attempt, dispatched_at(record))).collect()
    }
}
