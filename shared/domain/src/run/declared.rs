//! What an attempt gave, held against the outputs that its step declares.

use super::Run;
use crate::Outcome;
use crate::definition::check_outputs;
use crate::task::TaskResult;

/// The result with outputs of the declared kinds. An attempt that succeeded and has not given what its step declares has
/// failed, with a reason that says so.
pub(super) fn as_declared(run: &Run, mut result: TaskResult) -> TaskResult {
    let Some(step) = run.workflow.step(result.step) else { return result };
    if result.outcome != Outcome::Succeeded || step.outputs.is_empty() {
        return result;
    }
    match check_outputs(&step.outputs, &mut result.outputs, result.is_typed) {
        Ok(()) => result,
        Err(reason) => TaskResult { outcome: Outcome::Failed, reason: Some(reason), ..result },
    }
}
