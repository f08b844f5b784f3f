//! What was done to the fleet, on record: when, to whom, and which repeated work it excuses.

use std::time::{Duration, Instant};

use crate::kind::Kind;

/// Time since the suite began.
#[derive(Debug, Clone, Copy)]
pub struct Epoch(Instant);

impl Epoch {
    /// It begins now.
    #[expect(clippy::new_without_default, reason = "a beginning is no default")]
    pub fn new() -> Self {
        Self(Instant::now())
    }

    /// How long ago that was.
    pub fn now(self) -> Duration {
        self.0.elapsed()
    }
}

/// Why an attempt may have been followed by another one: its worker died, was stopped, or was cut off past its
/// lease. Nothing else is an excuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excuse {
    /// The worker's process; none for all of them.
    pub pid: Option<u32>,
    /// Since the suite began.
    pub from: Duration,
    /// Since the suite began; work that was started before this may be hit.
    pub until: Duration,
    /// In a word.
    pub why: Kind,
}

/// One fault that happened.
#[derive(Debug, Clone)]
pub struct Incident {
    /// The number in the plan.
    pub number: usize,
    /// What was done.
    pub kind: Kind,
    /// To whom.
    pub target: String,
    /// Since the suite began.
    pub began: Duration,
    /// When the server accepted again, the process was gone, or went on: recovery is counted from here.
    pub over: Duration,
    /// How long recovery took; none when it was not seen within its bound.
    pub recovery: Option<Duration>,
    /// Nothing else was wrong at the time.
    pub is_single: bool,
}
