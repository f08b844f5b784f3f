//! What was done to the fleet, on record: when, to whom, and which repeated work it excuses.

use std::time::{Duration, Instant};

use crate::kind::Kind;

/// The clock of the suite: the time since it began.
#[derive(Debug, Clone, Copy)]
pub struct Epoch(Instant);

impl Epoch {
    /// A clock that begins now.
    #[expect(clippy::new_without_default, reason = "a beginning is no default")]
    pub fn new() -> Self {
        Self(Instant::now())
    }

    /// The time since the suite began.
    pub fn now(self) -> Duration {
        self.0.elapsed()
    }
}

/// An excuse for an attempt that was followed by another one: its worker died, was stopped, or was cut off past its
/// lease. Nothing else is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excuse {
    /// The pid of the worker; `None` for all of them.
    pub pid: Option<u32>,
    /// The beginning of the fault, since the suite began.
    pub from: Duration,
    /// The end of the fault, since the suite began; work that was started before this may be hit.
    pub until: Duration,
    /// The kind of the fault.
    pub why: Kind,
}

/// A fault that happened.
#[derive(Debug, Clone)]
pub struct Incident {
    /// The number of the fault in the plan.
    pub number: usize,
    /// The kind of the fault.
    pub kind: Kind,
    /// The name of the member or node that it was done to.
    pub target: String,
    /// The beginning of the fault, since the suite began.
    pub began: Duration,
    /// The time at which the server accepted again, the process was gone, or went on: recovery is counted from here.
    pub over: Duration,
    /// How long recovery took; `None` when it was not seen within its bound.
    pub recovery: Option<Duration>,
    /// Whether nothing else was wrong at the time.
    pub is_single: bool,
}
