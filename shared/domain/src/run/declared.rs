//! What an attempt gave, held against the outputs that its step declares.

use serde_json::{Map, Value};

use super::Run;
use crate::Outcome;
use crate::definition::check_outputs;
use crate::task::TaskResult;

/// The result with outputs of the declared kinds. An attempt that succeeded and has not given what its step declares has
/// failed, with a reason that says so.
pub(super) fn as_declared(run: &Run, mut result: TaskResult) -> TaskResult {
    let Some(step) = run.workflow.step(result.step) else { return result };
    if let (Outcome::Succeeded, true, Err(why)) =
        (result.outcome, step.rate.is_some(), cost_of(&result.outputs))
    {
        return TaskResult { outcome: Outcome::Failed, reason: Some(why), ..result };
    }
    if result.outcome != Outcome::Succeeded || step.outputs.is_empty() {
        return result;
    }
    match check_outputs(&step.outputs, &mut result.outputs, result.is_typed) {
        Ok(()) => result,
        Err(reason) => TaskResult { outcome: Outcome::Failed, reason: Some(reason), ..result },
    }
}

/// What an attempt says that it has used of its rate, in the output `cost`; `None` where it says nothing. A part counts as
/// a whole.
///
/// # Errors
/// A text that says what was expected.
pub(super) fn cost_of(outputs: &Map<String, Value>) -> Result<Option<u64>, String> {
    let Some(cost) = outputs.get("cost") else { return Ok(None) };
    let number = match cost {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match number {
        Some(number) if (0.0..=f64::from(u32::MAX)).contains(&number) => Ok(Some(number.ceil() as u64)),
        _ => Err(format!(
            "output `cost` is {cost}: expected a number from 0 on, since the step has a rate and says so what it has used of that"
        )),
    }
}
