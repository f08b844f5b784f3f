//! Outputs that were lent lately.

use std::sync::Arc;

use millrace_domain::{RunId, StepIndex};
use serde_json::Value;

/// The outputs that are kept for the next batches, at most: a step whose items use those of another needs them again and again.
const KEPT: usize = 4;

/// The outputs of steps that were read last. A step that has ended never changes.
#[derive(Debug, Default)]
pub(crate) struct Lent(Vec<(RunId, StepIndex, Arc<Value>)>);

impl Lent {
    pub(super) fn find(&self, run: RunId, step: StepIndex) -> Option<Arc<Value>> {
        let found = self.0.iter().find(|(of, at, _)| (*of, *at) == (run, step));
        found.map(|(.., outputs)| Arc::clone(outputs))
    }

    pub(super) fn keep(&mut self, run: RunId, step: StepIndex, outputs: Value) -> Arc<Value> {
        if self.0.len() == KEPT {
            self.0.remove(0);
        }
        let outputs = Arc::new(outputs);
        self.0.push((run, step, Arc::clone(&outputs)));
        outputs
    }

    /// Drops what belongs to a run that has ended.
    pub(crate) fn forget(&mut self, run: RunId) {
        self.0.retain(|(of, ..)| *of != run);
    }
}
