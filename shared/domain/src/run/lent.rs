//! Outputs that are not in memory: those of a step's items, and large ones of a step. Whoever applies events to a run asks which of them
//! an event needs, and lends them for that time; a step that needs some and has them not is woken at once, with them.

use std::sync::Arc;

use serde_json::Value;

use super::{Event, Run, StepState};
use crate::definition::Step;
use crate::{StepIndex, Unit};

/// What a step keeps apart from its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apart {
    /// The outputs of so many items.
    Items(u32),
    /// Large outputs.
    Outputs,
}

impl Run {
    /// The steps whose outputs have to be lent before `event` is applied. O(1) for a run without such outputs.
    pub fn wants_lent(&self, event: &Event) -> Vec<StepIndex> {
        let unit = match event {
            _ if self.elsewhere == 0 => return Vec::new(),
            Event::Lost { unit, .. }
            | Event::RetryDue { unit }
            | Event::Revoked { unit, .. }
            | Event::Granted { unit, .. }
            | Event::LockRefused { unit, .. } => *unit,
            Event::Result(result) | Event::ChildEnded(result) => result.id().unit,
            // One that asks is to be tried again, perhaps.
            Event::Act(act) => return self.tasks_want(act.unit.step).collect(),
            Event::StartDue if self.owes_outputs() => return self.outputs_want().collect(),
            Event::StartDue
            | Event::RunAct(_)
            | Event::Cancel { .. }
            | Event::TimedOut
            | Event::CancelCheckDue
            | Event::LockTaken { .. }
            | Event::SlotGranted { .. }
            | Event::SlotRefused { .. }
            | Event::Displaced { .. }
            | Event::SlotTaken { .. }
            | Event::Poisoned { .. } => return Vec::new(),
        };
        self.wants_lent_for(unit)
    }

    /// The steps whose outputs have to be lent before a task of `unit` is made, or the unit begins.
    pub fn wants_lent_for(&self, unit: Unit) -> Vec<StepIndex> {
        match self.state_of(unit.step.into()) {
            Some(
                StepState::Dispatched(_)
                | StepState::Locking { .. }
                | StepState::Child { .. }
                | StepState::Fanned(_),
            ) => self.tasks_want(unit.step).collect(),
            Some(StepState::Waiting | StepState::Backoff { .. }) => self.wants(unit.step).collect(),
            Some(StepState::Asking { .. } | StepState::Ended(_)) | None => Vec::new(),
        }
    }

    /// The steps whose outputs `step` uses, and which are neither in memory nor lent.
    pub(super) fn wants(&self, step: StepIndex) -> impl Iterator<Item = StepIndex> + '_ {
        self.missing(step, |step| &step.inputs)
    }

    /// The same for what the tasks of `step` use.
    pub(super) fn tasks_want(&self, step: StepIndex) -> impl Iterator<Item = StepIndex> + '_ {
        self.missing(step, |step| &step.task_inputs)
    }

    /// The same for what the outputs of the run use.
    pub(super) fn outputs_want(&self) -> impl Iterator<Item = StepIndex> + '_ {
        self.not_here(self.workflow.outputs.as_ref().map_or(&[], |outputs| &outputs.inputs))
    }

    fn missing(
        &self,
        step: StepIndex,
        inputs: fn(&Step) -> &[StepIndex],
    ) -> impl Iterator<Item = StepIndex> + '_ {
        self.not_here(self.workflow.steps.get(step.at()).map_or(&[], inputs))
    }

    /// Those of these steps whose outputs are neither in memory nor lent.
    fn not_here<'s>(&'s self, steps: &'s [StepIndex]) -> impl Iterator<Item = StepIndex> + 's {
        let steps = if self.elsewhere > 0 { steps } else { &[] };
        steps.iter().copied().filter(|step| self.is_elsewhere(*step) && !self.lent.contains_key(step))
    }

    /// Whether any step has ended whose outputs are kept apart from the run.
    pub fn keeps_apart(&self) -> bool {
        self.elsewhere > 0
    }

    /// Whether a step uses outputs that are kept apart, lent or not.
    pub(super) fn uses_apart(&self, step: StepIndex) -> bool {
        self.elsewhere > 0
            && self
                .workflow
                .steps
                .get(step.at())
                .is_some_and(|step| step.inputs.iter().any(|input| self.is_elsewhere(*input)))
    }

    /// Whether the outputs of a step are kept apart from the run.
    fn is_elsewhere(&self, step: StepIndex) -> bool {
        matches!(self.steps.get(step.at()), Some(StepState::Ended(end)) if end.is_apart())
    }

    /// What a step that has ended keeps apart from the run, and is lent.
    pub fn apart(&self, step: StepIndex) -> Option<Apart> {
        let Some(StepState::Ended(end)) = self.steps.get(step.at()) else { return None };
        match &end.items {
            Some(items) => Some(Apart::Items(items.total)),
            None => (end.outputs_bytes > 0).then_some(Apart::Outputs),
        }
    }

    /// Lends the outputs of a step: a map, or a list with those of each item in order, and null for one that did not succeed.
    pub fn lend(&mut self, step: StepIndex, outputs: Arc<Value>) {
        self.lent.insert(step, outputs);
    }

    /// Takes back all that was lent.
    pub fn take_back_lent(&mut self) {
        self.lent.clear();
    }
}
