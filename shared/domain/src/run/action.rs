//! What the shell must do after an advance, once its commit holds.

use crate::task::Task;
use crate::{Outcome, StepIndex, Timestamp};

/// What came of an event.
#[derive(Debug, Default)]
pub struct Advanced {
    /// The head changed.
    pub head: bool,
    /// These steps changed, each named once or more.
    pub steps: Vec<StepIndex>,
    /// To do, in order.
    pub actions: Vec<Action>,
}

/// Something to do.
#[derive(Debug)]
pub enum Action {
    /// Queue this attempt. Its epoch and seq are the shell's to fill in.
    Dispatch(Box<Task>),
    /// This attempt is over: forget its claim. Its outcome is for the metrics.
    Retire {
        /// Which step.
        step: StepIndex,
        /// Which attempt.
        attempt: u32,
        /// How it ended.
        outcome: Outcome,
    },
    /// Wake the run at this instant (replacing an earlier timer of the same kind).
    Set(Timestamp, RunTimer),
    /// Do not wake it.
    Clear(RunTimer),
    /// Take these attempts back where nobody has claimed them, and tell whoever runs them to stop.
    Stop {
        /// The attempts.
        tasks: Vec<(StepIndex, u32)>,
        /// Take them back even when claimed: their worker had its time.
        by_force: bool,
    },
    /// The run ended.
    End,
}

/// What a run can be woken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunTimer {
    /// Its delayed start.
    Start,
    /// A step's next attempt.
    Retry(StepIndex),
    /// Its timeout.
    Timeout,
    /// The next look at a stopped run.
    CancelCheck,
}
