//! How the units of a run stand: its steps, and the items of those that have fanned out.

use super::{Attempts, Fan, Run, RunState, StepState};
use crate::rule::Readiness;
use crate::{StepIndex, Unit};

impl Run {
    /// The attempts that are with the fleet now, by their units.
    pub fn dispatched(&self) -> impl Iterator<Item = (Unit, Attempts)> + '_ {
        self.open_units().filter_map(|(unit, state)| match state {
            StepState::Dispatched(attempts) => Some((unit, *attempts)),
            _ => None,
        })
    }

    /// The steps, each with its items that are open.
    pub(super) fn open_units(&self) -> impl Iterator<Item = (Unit, &StepState)> {
        self.steps.iter().enumerate().flat_map(|(step, state)| {
            let step = StepIndex::from(step);
            let items = match state {
                StepState::Fanned(fan) => Some(fan.open.iter()),
                _ => None,
            };
            let items = items.into_iter().flatten();
            let items = items.map(move |(item, state)| (Unit { step, item: Some(*item) }, state));
            std::iter::once((step.into(), state)).chain(items)
        })
    }

    /// The state of a unit: a step, or an item that has begun and not ended.
    pub fn state_of(&self, unit: Unit) -> Option<&StepState> {
        let step = self.steps.get(unit.step.at())?;
        match (unit.item, step) {
            (None, step) => Some(step),
            (Some(item), StepState::Fanned(fan)) => fan.open.get(&item),
            (Some(_), _) => None,
        }
    }

    /// The attempt of a unit that is with the fleet now.
    pub fn current_attempt(&self, unit: Unit) -> Option<u32> {
        match self.state_of(unit) {
            Some(StepState::Dispatched(attempts)) => Some(attempts.attempt),
            _ => None,
        }
    }

    /// Sets the state of a unit that is open.
    pub(super) fn set_state(&mut self, unit: Unit, state: StepState) {
        match (unit.item, &mut self.steps[unit.step.at()]) {
            (None, step) => *step = state,
            (Some(item), StepState::Fanned(fan)) => drop(fan.open.insert(item, state)),
            (Some(_), _) => {}
        }
    }

    /// Whether a unit has begun: an item of a step that has fanned out, whether or not it has ended since.
    pub(super) fn has_begun(&self, unit: Unit) -> bool {
        let counts = match self.steps.get(unit.step.at()) {
            Some(StepState::Fanned(fan)) => Some(fan.fanned.counts),
            Some(StepState::Ended(end)) => end.items.as_deref().copied(),
            _ => None,
        };
        unit.item.zip(counts).is_some_and(|(item, counts)| item < counts.begun)
    }

    /// Whether anything of the run may begin now: nobody stops it, or has paused it.
    pub(super) fn may_begin(&self) -> bool {
        !self.head.is_stopping() && self.head.paused.is_none()
    }

    /// Whether a unit gets no further attempt: its run is being stopped, or its step gives its items up.
    pub(super) fn is_given_up(&self, unit: Unit) -> bool {
        let is_given_up = |fan: &Fan| fan.fanned.stopping_since.is_some();
        self.head.is_stopping()
            || matches!(&self.steps[unit.step.at()], StepState::Fanned(fan) if is_given_up(fan))
    }

    /// Whether a step waits although its rule holds, since too many others became ready with it: the run's start timer
    /// starts it. One that uses outputs which are kept apart is woken with them, by a timer of its own.
    pub(super) fn is_held_over(&self, step: StepIndex) -> bool {
        matches!(self.steps[step.at()], StepState::Waiting) && self.is_woken(step) && !self.uses_apart(step)
    }

    /// Whether a step that waits would begin if its run were not paused.
    pub(super) fn is_held(&self, step: StepIndex) -> bool {
        let is_first = self.head.state == RunState::Waiting
            && !self.is_held_back(step)
            && self.waits_for(step).next().is_none();
        self.head.paused.is_some() && (is_first || self.is_woken(step))
    }

    /// Whether a step that waits is only waiting to be woken, with outputs that are not in memory or after others that
    /// became ready with it: its rule holds.
    pub(super) fn is_woken(&self, step: StepIndex) -> bool {
        let rule = self.workflow.steps[step.at()].rule;
        self.head.state == RunState::Running
            && !self.is_held_back(step)
            && rule.readiness(self.tally(step)) == Readiness::Starts
    }

    /// Whether a step that has fanned out has room for items which have not begun.
    pub(super) fn wants_items(&self, step: StepIndex, fan: &Fan) -> bool {
        let policy = self.workflow.steps[step.at()].fan.as_deref();
        !self.head.is_stopping() && policy.is_some_and(|policy| fan.has_room(policy))
    }

    /// Whether a step is a hook of the run whose turn has not come.
    pub(super) fn is_held_back(&self, step: StepIndex) -> bool {
        self.head.hooks_since.is_none() && self.workflow.steps[step.at()].is_run_hook()
    }

    /// Whether the outputs of the run are to be made: its steps have ended, and none of them decides that it fails. Where
    /// they use outputs that are kept apart, the run's start timer has these read.
    pub(super) fn owes_outputs(&self) -> bool {
        let head = &self.head;
        self.workflow.outputs.is_some()
            && self.open_steps() == 0
            && head.state == RunState::Running
            && (head.hooks_since, head.stopping) == (None, None)
            && head.outputs.is_none()
            && self.verdict_before_hooks().is_none()
    }

    /// The number of steps that have not ended and are no hooks of the run, before those have their turn.
    pub(super) fn open_steps(&self) -> u32 {
        match self.head.hooks_since {
            None => self.open.saturating_sub(self.workflow.run_hooks),
            Some(_) => 0,
        }
    }
}
