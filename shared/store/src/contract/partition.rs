//! Ownership of a partition, and the one way in which its owner writes.

use std::fmt;
use std::str::FromStr;

use millrace_domain::{
    Epoch, IdError, PartitionId, ProducerId, RunId, Seq, StepIndex, Timestamp, WorkflowName,
};

use crate::{RunDelta, WorkflowDelta};

/// The answer to a taking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acquired {
    /// It is ours, from now on under this epoch.
    Owned {
        /// The new epoch.
        epoch: Epoch,
        /// Where the epoch before ended, if there was one.
        previous: Option<(Epoch, Seq)>,
        /// All that was dispatched before this instant has been confirmed by the broker.
        published_until: Timestamp,
    },
    /// Somebody else holds it.
    Held {
        /// Who.
        owner: ProducerId,
        /// Until when, unless renewed, by the store's clock.
        until: Timestamp,
    },
}

/// One atomic write to one partition.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Where.
    pub partition: PartitionId,
    /// The owner's fence.
    pub epoch: Epoch,
    /// The last one's seq + 1.
    pub seq: Seq,
    /// The outbox's watermark: all that was dispatched before this instant has been confirmed by the broker,
    /// so that whoever takes over publishes only what came later again.
    pub published_until: Timestamp,
    /// Changes to runs.
    pub runs: Vec<RunDelta>,
    /// Changes to workflows.
    pub workflows: Vec<WorkflowDelta>,
    /// Timers to set, by replacing, outside of runs (schedules).
    pub timers: Vec<(Timestamp, Timer)>,
    /// Timers to clear outside of runs.
    pub cleared: Vec<Timer>,
}

/// What became of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds (now, or since an earlier sending).
    Applied {
        /// Runs that were to be created and existed: their deltas were left out.
        duplicates: Vec<RunId>,
    },
    /// The partition has another epoch, or the seq does not follow: step down.
    Fenced {
        /// The epoch that holds.
        epoch: Epoch,
        /// Its last seq.
        seq: Seq,
    },
    /// The store is full, and this one creates runs or stores definitions: nothing of it was written, and nothing
    /// of those that follow it in its partition. Its seq is free for one that creates nothing, which full memory
    /// does not refuse.
    Full {
        /// What the store says, and what to do.
        why: String,
    },
}

/// How much a store holds, and how much it can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fullness {
    /// What it holds, in bytes.
    pub used_bytes: u64,
    /// What it can hold before it refuses, in bytes; `None` when nothing of the store's own bounds it.
    pub limit_bytes: Option<u64>,
}

impl Fullness {
    /// The part that is used, 0 to 1 and beyond; `None` when there is no limit.
    pub fn ratio(self) -> Option<f64> {
        self.limit_bytes.map(|limit| self.used_bytes as f64 / limit.max(1) as f64)
    }
}

/// What a timer is for. Its text form is what is stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// A delayed run is to start.
    Start(RunId),
    /// A retry is due.
    Retry(RunId, StepIndex),
    /// A run has taken too long.
    RunTimeout(RunId),
    /// See whether a cancelled run has ended, and tell the workers again.
    CancelCheck(RunId),
    /// A schedule fires: the workflow, and the place of the schedule in its list.
    Fire(WorkflowName, u32),
}

impl Timer {
    /// The run it belongs to.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::Start(run) | Self::Retry(run, _) | Self::RunTimeout(run) | Self::CancelCheck(run) => {
                Some(*run)
            }
            Self::Fire(..) => None,
        }
    }
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(run) => write!(f, "start:{run}"),
            Self::Retry(run, step) => write!(f, "retry:{run}:{}", step.0),
            Self::RunTimeout(run) => write!(f, "timeout:{run}"),
            Self::CancelCheck(run) => write!(f, "cancel:{run}"),
            Self::Fire(workflow, index) => write!(f, "fire:{workflow}:{index}"),
        }
    }
}

impl FromStr for Timer {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let unknown = || IdError(format!("{text:?} is not a timer"));
        let mut parts = text.split(':');
        let mut next = || parts.next().ok_or_else(unknown);
        let kind = next()?;
        Ok(match kind {
            "start" => Self::Start(next()?.parse()?),
            "retry" => Self::Retry(next()?.parse()?, StepIndex(next()?.parse().map_err(|_| unknown())?)),
            "timeout" => Self::RunTimeout(next()?.parse()?),
            "cancel" => Self::CancelCheck(next()?.parse()?),
            "fire" => Self::Fire(next()?.parse()?, next()?.parse().map_err(|_| unknown())?),
            _ => return Err(unknown()),
        })
    }
}
