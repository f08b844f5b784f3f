//! What a test asks of a [`Fleet`]: how its run and its steps stand, and what was dispatched.

use std::time::Duration;

use millrace_domain::run::{Ended, StepState};
use millrace_domain::task::Task;

use crate::fleet::Fleet;

impl Fleet {
    /// What was dispatched since the last time this was asked: step and attempt.
    pub(crate) fn sent(&mut self) -> Vec<String> {
        let new = self.tasks[self.seen..]
            .iter()
            .map(|task| format!("{} {}", name_of(task), task.attempt))
            .collect();
        self.seen = self.tasks.len();
        new
    }

    /// How a step stands, in one word.
    pub(crate) fn stands(&self, name: &str) -> &'static str {
        match &self.run.steps[self.index(name).at()] {
            StepState::Waiting => "waiting",
            StepState::Dispatched(_) => "dispatched",
            StepState::Backoff { .. } => "backoff",
            StepState::Locking { .. } => "locking",
            StepState::Child { .. } => "child",
            StepState::Fanned(_) => "fanned",
            StepState::Asking { .. } => "asking",
            StepState::Ended(end) => end.outcome.as_str(),
        }
    }

    /// How a step ended, and why.
    pub(crate) fn ended(&self, name: &str) -> &Ended {
        match &self.run.steps[self.index(name).at()] {
            StepState::Ended(end) => end,
            other => panic!("{name} has not ended: {other:?}"),
        }
    }

    /// The last task that was dispatched for the step called `name`.
    pub(crate) fn task(&self, name: &str) -> &Task {
        self.tasks.iter().rev().find(|task| task.step.as_str() == name).unwrap()
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
    }

    pub(crate) fn state(&self) -> &'static str {
        self.run.head.state.as_str()
    }

    pub(crate) fn reason(&self) -> &str {
        self.run.head.reason.as_deref().unwrap_or_default()
    }
}

/// The name of the step of a task, with its item.
fn name_of(task: &Task) -> String {
    match task.item {
        None => task.step.to_string(),
        Some(item) => format!("{}.{item}", task.step),
    }
}
