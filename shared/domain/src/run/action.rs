//! What the shell must do after an advance, once its commit holds.

use super::{ChildStart, Ended};
use crate::lock::{Ask, Asker, LockGroup, Used};
use crate::task::{Task, TaskResult};
use crate::{Outcome, StepIndex, Timestamp, Unit};

/// The effect of an event on a run.
#[derive(Debug, Default)]
pub struct Advanced {
    /// Whether the head changed.
    pub head: bool,
    /// The units that changed, each named once or more.
    pub units: Vec<Unit>,
    /// The ends of items: each is written down once, apart from the run, and leaves its memory.
    pub ended_items: Vec<(Unit, Box<Ended>)>,
    /// What steps keep apart from the run (JSON), each written down once: the list over which a step fans out, or the large
    /// outputs of one that does not.
    pub apart: Vec<(StepIndex, String)>,
    /// The bytes (JSON) of the params of children that are asked for.
    pub child_bytes: usize,
    /// The number of steps that failed, and so decide how the run ends.
    pub failed: u32,
    /// What the shell must do, in order.
    pub actions: Vec<Action>,
}

/// An action: something that the shell must do once the commit holds.
#[derive(Debug)]
pub enum Action {
    /// Queue this task. Its epoch and seq are the shell's to fill in.
    Dispatch(Box<Task>),
    /// This attempt is over: forget its claim. Its outcome is for the metrics.
    Retire {
        /// The unit.
        unit: Unit,
        /// The attempt.
        attempt: u32,
        /// The outcome of the attempt.
        outcome: Outcome,
    },
    /// Wake the run at this instant (replacing an earlier timer of the same kind).
    Set(Timestamp, RunTimer),
    /// Clear the timer of this kind.
    Clear(RunTimer),
    /// Take these attempts back where nobody has claimed them, and tell whoever runs them to stop.
    Stop {
        /// The attempts, by their units.
        tasks: Vec<(Unit, u32)>,
        /// Whether they are taken back even when claimed: their worker had its time.
        by_force: bool,
    },
    /// Take these attempts back where nobody has claimed them, and leave those alone that somebody runs.
    TakeBack {
        /// The attempts, by their units.
        tasks: Vec<(Unit, u32)>,
    },
    /// Ask for this child: the run that an attempt is.
    StartChild {
        /// What is asked for.
        start: Box<ChildStart>,
        /// Whether it was asked for before, and may have ended since without our having heard of it.
        again: bool,
    },
    /// Ask for the end of this child. One that has not begun is not to begin.
    StopChild {
        /// What was asked for, without the params.
        start: Box<ChildStart>,
        /// Why it is stopped.
        reason: String,
        /// Whether its hooks are to be stopped, too, where it is being stopped already.
        hooks: bool,
    },
    /// Tell the run of which this one is a step how it ended.
    TellParent(Box<TaskResult>),
    /// Ask for locks, or for a slot.
    AskLocks(Box<Ask>),
    /// Release what was granted to an attempt or to the run, or take back what it had asked for.
    ReleaseLocks {
        /// Who had asked.
        asker: Asker,
        /// The group of the locks.
        group: LockGroup,
        /// What was used of the reserve of a rate; `None` where nothing was, as far as is known.
        used: Option<Used>,
    },
    /// The run has ended.
    End,
}

/// A timer of a run: what it can be woken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunTimer {
    /// The delayed start of the run, the next time that its slot is asked for, the start of steps that became ready beside too many others, or the end of a run whose
    /// outputs use what is kept apart.
    Start,
    /// The next attempt of a unit, or the next time that its child is asked after, or its locks are asked for.
    Retry(Unit),
    /// The timeout of the run.
    Timeout,
    /// The next look at a stopped run, or at a paused one of which something is with the fleet.
    CancelCheck,
}
