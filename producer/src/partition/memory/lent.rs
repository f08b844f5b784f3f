//! Outputs that were lent lately.

use std::sync::Arc;

use millrace_domain::{RunId, StepIndex};
use serde_json::Value;

use super::runs::size_of_value;

/// The outputs that are kept for the next batches, at most: a step whose items use those of another needs them again and again.
const KEPT: usize = 4;

/// The bytes that they may take together, about; those that were lent last are kept however large they are.
const KEPT_BYTES: usize = 32 * 1024 * 1024;

/// The outputs of steps that were read last, the oldest first, with about how many bytes they take. A step that has ended
/// never changes.
#[derive(Debug, Default)]
pub(crate) struct Lent(Vec<(RunId, StepIndex, Arc<Value>, usize)>);

impl Lent {
    pub(super) fn find(&self, run: RunId, step: StepIndex) -> Option<Arc<Value>> {
        let found = self.0.iter().find(|(of, at, ..)| (*of, *at) == (run, step));
        found.map(|(_, _, outputs, _)| Arc::clone(outputs))
    }

    pub(super) fn keep(&mut self, run: RunId, step: StepIndex, outputs: Value) -> Arc<Value> {
        let bytes = size_of_value(&outputs);
        let others = |kept: &Self| kept.0.iter().map(|(.., bytes)| bytes).sum::<usize>();
        while !self.0.is_empty() && (self.0.len() == KEPT || others(self) + bytes > KEPT_BYTES) {
            self.0.remove(0);
        }
        let outputs = Arc::new(outputs);
        self.0.push((run, step, Arc::clone(&outputs), bytes));
        outputs
    }

    /// Drops what belongs to a run that has ended.
    pub(crate) fn forget(&mut self, run: RunId) {
        self.0.retain(|(of, ..)| *of != run);
    }
}

#[cfg(test)]
mod tests {
    use millrace_domain::WorkflowId;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_lent_last_is_kept_as_far_as_it_is_few_and_small() {
        let mut lent = Lent::default();
        let run = RunId::of_key(&WorkflowId::adhoc(), "a run", 8);
        let kept = |lent: &Lent| {
            (0..9).filter(|step| lent.find(run, StepIndex(*step)).is_some()).collect::<Vec<u32>>()
        };
        for step in 0..6 {
            lent.keep(run, StepIndex(step), json!({"n": step}));
        }
        assert_eq!(kept(&lent), [2, 3, 4, 5]);
        let large = || json!({"text": "x".repeat(KEPT_BYTES / 2)});
        lent.keep(run, StepIndex(6), large());
        assert_eq!(kept(&lent), [3, 4, 5, 6]);
        lent.keep(run, StepIndex(7), large());
        assert_eq!(kept(&lent), [7], "together they would be too large");
        lent.keep(run, StepIndex(8), json!({"text": "x".repeat(2 * KEPT_BYTES)}));
        assert_eq!(kept(&lent), [8], "the last one is needed at once");
        lent.forget(run);
        assert!(kept(&lent).is_empty());
    }
}
