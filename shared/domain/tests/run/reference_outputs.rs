//! What a run hands on as a whole. What is quoted is from `docs/definitions.md`.

use serde_json::{Map, Value, json};

use crate::reference::{End, Workflow};
use crate::reference_items::given_by;

/// An output of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunOutput {
    /// `outputs.<step>.v`, of a step that does not fan out.
    Number(usize),
    /// `outputs.<step>.v|default(0)`, of a step that does not fan out.
    NumberOrZero(usize),
    /// `outputs.<step>`.
    All(usize),
}

/// The outputs of a run whose steps have ended so, and all of which went well; `None` when one of them "cannot be rendered",
/// for which the run fails.
pub(crate) fn handed_on(workflow: &Workflow, ends: &[End]) -> Option<Map<String, Value>> {
    let value = |output: &RunOutput| match *output {
        RunOutput::Number(step) => ends[step].output.map(|v| json!(v)),
        RunOutput::NumberOrZero(step) => Some(json!(ends[step].output.unwrap_or(0))),
        RunOutput::All(step) if workflow.steps[step].fan().is_some() => {
            // "The list is empty where the step came to no items."
            Some(Value::from(given_by(&ends[step]).unwrap_or_default()))
        }
        RunOutput::All(step) => Some(workflow.steps[step].outputs(ends[step].output)),
    };
    let outputs = workflow.outputs.iter().enumerate();
    outputs.map(|(n, output)| Some((format!("o{n}"), value(output)?))).collect()
}
