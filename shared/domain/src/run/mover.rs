//! What moves a run and its steps on. Each state that is not terminal names it: that no run can stick is then a
//! property that a test holds every run to, and a reader can say what a run waits for.

use super::{Run, RunState, RunTimer, StepState};
use crate::{StepIndex, Unit};

/// The mover of a run or of a step: what will take it out of the state in which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mover {
    /// A timer of the run, which is set.
    Timer(RunTimer),
    /// Somebody who resumes the run: it is paused.
    Resume,
    /// An attempt that is with the fleet: its worker reports how it ended, or the watch finds that it never will.
    Attempt {
        /// The unit.
        unit: Unit,
        /// The attempt.
        attempt: u32,
    },
    /// Items of the step, which are open: each has a mover of its own.
    Items,
    /// Steps of the same run that have not ended. A step waits for its dependencies ([`Run::waits_for`]), a
    /// run for any of its steps.
    Steps,
}

impl Run {
    /// The mover of the run; `None` when the run has ended.
    pub fn mover(&self) -> Option<Mover> {
        match (self.head.state, self.head.stopping.filter(|_| self.head.is_stopping())) {
            (RunState::Waiting, _) if self.head.paused.is_some() => Some(Mover::Resume),
            (RunState::Waiting, _) => Some(Mover::Timer(RunTimer::Start)),
            // What they use is being read.
            (RunState::Running, None) if self.owes_outputs() => Some(Mover::Timer(RunTimer::Start)),
            (RunState::Running, None) => Some(Mover::Steps),
            // Workers are asked to end what they run, and in the end not asked any more.
            (RunState::Running, Some(_)) => Some(Mover::Timer(RunTimer::CancelCheck)),
            (
                RunState::Succeeded
                | RunState::Failed
                | RunState::TimedOut
                | RunState::Cancelled
                | RunState::Skipped,
                _,
            ) => None,
        }
    }

    /// The mover of a unit; `None` when it has ended, has not begun as an item, or does not exist.
    pub fn mover_of(&self, unit: Unit) -> Option<Mover> {
        let step = unit.step;
        match self.state_of(unit)? {
            // A hook of the run is told whether the outputs of that could be made.
            StepState::Waiting if self.is_held_back(step) && self.owes_outputs() => {
                Some(Mover::Timer(RunTimer::Start))
            }
            StepState::Waiting if self.is_held(step) => Some(Mover::Resume),
            StepState::Backoff { .. } if self.head.paused.is_some() => Some(Mover::Resume),
            StepState::Waiting if self.is_held_over(step) => Some(Mover::Timer(RunTimer::Start)),
            // It is woken with outputs that are kept elsewhere; by the start timer, where they came to be so after it was
            // left to that.
            StepState::Waiting if self.is_woken(step) => Some(Mover::Timer(RunTimer::Retry(unit))),
            StepState::Waiting if self.waits_for(step).next().is_some() => Some(Mover::Steps),
            // A step that waits for no other, or only for what was carried over, is dispatched when its run starts.
            StepState::Waiting => Some(Mover::Timer(RunTimer::Start)),
            StepState::Dispatched(attempts) => Some(Mover::Attempt { unit, attempt: attempts.attempt }),
            // It is told to stop, again and again, until it has told of its end.
            StepState::Child { .. } if self.is_given_up(unit) => Some(Mover::Timer(RunTimer::CancelCheck)),
            // It tells of its end, and is asked after until it has.
            // It is granted what it asked for, and asks again until it is.
            StepState::Backoff { .. }
            | StepState::Asking { .. }
            | StepState::Locking { .. }
            | StepState::Child { .. } => Some(Mover::Timer(RunTimer::Retry(unit))),
            StepState::Fanned(fan) if fan.open.is_empty() && self.head.paused.is_some() => {
                Some(Mover::Resume)
            }
            StepState::Fanned(fan) if fan.open.is_empty() => Some(Mover::Timer(RunTimer::Retry(unit))),
            StepState::Fanned(_) => Some(Mover::Items),
            StepState::Ended(_) => None,
        }
    }

    /// The dependencies of a step that have not ended, in the order they were given. A hook of the run waits for all steps
    /// that are none.
    pub fn waits_for(&self, step: StepIndex) -> impl Iterator<Item = StepIndex> + '_ {
        let dependencies = self.workflow.graph.dependencies(step).iter().copied();
        let is_held_back = self.steps.get(step.at()).is_some() && self.is_held_back(step);
        let all = self
            .workflow
            .steps
            .iter()
            .enumerate()
            .filter(move |(_, step)| is_held_back && !step.is_run_hook());
        let dependencies = dependencies.chain(all.map(|(place, _)| place.into()));
        dependencies.filter(|on| !matches!(self.steps.get(on.at()), Some(StepState::Ended(_)) | None))
    }
}
