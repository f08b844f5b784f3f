//! A partition that is ours.

use millrace_domain::run::{Action, Advanced, Run};
use millrace_domain::task::Task;
use millrace_domain::{Epoch, Seq};

use crate::partition::dispatch::bundles::Open;

/// What the loop knows of it.
#[derive(Debug)]
pub(crate) struct Owned {
    /// Our fence.
    pub(crate) epoch: Epoch,
    /// The last commit's number.
    pub(crate) seq: Seq,
    /// Something may be dispatched: the watch looks at it.
    pub(crate) watching: bool,
    /// It holds plans of a clock that was ahead: its watermark stays ahead, so that whoever takes it over knows.
    pub(crate) is_ahead: bool,
    /// What was dispatched since it is ours, and has not ended.
    pub(crate) open: Open,
}

impl Owned {
    /// These tasks are under way now.
    pub(crate) fn note_dispatched(&mut self, tasks: &[Task]) {
        for task in tasks {
            match self.open.get_mut(&task.pool) {
                Some(open) => *open += 1,
                None => drop(self.open.insert(task.pool.clone(), 1)),
            }
        }
    }

    /// Attempts of a run ended.
    pub(crate) fn note_ended(&mut self, run: &Run, advanced: &Advanced) {
        for action in &advanced.actions {
            if let Action::Retire { step, .. } = action
                && let Some(definition) = run.workflow.step(*step)
                && let Some(open) = self.open.get_mut(&definition.pool)
            {
                *open = open.saturating_sub(1);
            }
        }
    }
}
