//! How long tasks take, as far as was learnt from their results.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use millrace_domain::run::Run;
use millrace_domain::task::Task;
use millrace_domain::{StepIndex, WorkflowId};

/// A task is taken to last at least so long: stamps are whole milliseconds.
const LEAST_MICROS: u64 = 500;

/// Kinds of tasks whose durations are remembered, at most.
const KINDS: usize = 10_000;

/// How fast a kind of task that once took long is trusted again: a share of `1 / 2^DECAY` with each result.
const DECAY: u32 = 4;

/// How long each kind of task takes, in microseconds.
#[derive(Debug, Default)]
pub(crate) struct Durations(HashMap<u64, u64>);

impl Durations {
    /// Learns from a result how long the task of a step took.
    pub(crate) fn note(&mut self, run: &Run, step: StepIndex, took: Duration) {
        let Some(definition) = run.workflow.step(step) else { return };
        self.learn(kind(&run.head.workflow, definition.name.as_str(), definition.uses), took);
        self.learn(any_of(definition.uses), took);
    }

    pub(super) fn learn(&mut self, kind: u64, took: Duration) {
        if self.0.len() >= KINDS && !self.0.contains_key(&kind) {
            self.0.clear();
        }
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(LEAST_MICROS);
        let known = self.0.entry(kind).or_insert(took);
        // What may take long counts as long: a slow one at once, a fast one step by step.
        *known = took.max(*known - ((*known - took.min(*known)) >> DECAY));
    }

    /// How long a task is expected to take, in microseconds; `None` when nothing like it has run yet.
    pub(super) fn micros(&self, task: &Task) -> Option<u64> {
        let known = self.0.get(&kind(&task.workflow, task.step.as_str(), &task.uses));
        known.or_else(|| self.0.get(&any_of(&task.uses))).copied()
    }
}

/// The tasks of a step are a kind.
pub(super) fn kind(workflow: &WorkflowId, step: &str, uses: &str) -> u64 {
    hash((workflow.as_str(), step, uses))
}

/// All tasks of an executor are a kind as well.
pub(super) fn any_of(uses: &str) -> u64 {
    hash(uses)
}

fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
