//! `uses: workflow`: a step that is a run of another workflow. It makes no task and holds no worker: the run that it
//! starts, its child, lives in a partition of its own, and tells how it ended.

use serde_json::Value;

use crate::nesting::{MAX_NESTING, check_nesting};
use crate::params::Params;
use crate::{ParamName, WorkflowId, WorkflowName};

/// The name under which a step uses another workflow.
pub const WORKFLOW: &str = "workflow";

/// How deep runs may be nested: the number of runs above the innermost, at most.
pub const MAX_DEPTH: usize = 16;

/// The most bytes (JSON) that the params of a child may take: they travel in a message.
const MAX_PARAM_BYTES: usize = 1024 * 1024;

/// What a step asks of another workflow: its input, rendered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// The workflow.
    pub(crate) workflow: WorkflowId,
    /// The params of its run, as they are given: not yet held against those that it declares.
    pub(crate) params: Params,
    /// Whether the step ends with that run, and not as soon as it has been created.
    pub(crate) waits: bool,
}

/// Reads the name of a workflow that is to be called.
///
/// # Errors
/// A fragment that says what was expected.
pub(crate) fn read_name(name: &str) -> Result<WorkflowId, String> {
    match name.parse::<WorkflowName>() {
        Ok(name) if name.as_str() == WorkflowName::ADHOC => {
            Err("`adhoc` is no workflow: it is what tasks without a definition are called".to_owned())
        }
        Ok(name) => Ok(name.into()),
        Err(error) => Err(error.to_string()),
    }
}

impl Call {
    /// Reads the rendered input of a step.
    ///
    /// # Errors
    /// A fragment that says what was expected of an expression.
    pub(crate) fn read(with: &Value) -> Result<Self, String> {
        let name = &with["name"];
        let text = name.as_str().ok_or_else(|| format!("`name`: expected a text, found {name}"))?;
        let workflow = read_name(text).map_err(|why| format!("`name`: {why}"))?;
        let params = match &with["params"] {
            Value::Null => Params::new(),
            Value::Object(given) => given.clone().into_iter().collect(),
            other => return Err(format!("`params`: expected a map of names and values, found {other}")),
        };
        for (name, value) in &params {
            name.parse::<ParamName>().map_err(|error| format!("`params`: {error}"))?;
            check_nesting(value, MAX_NESTING).map_err(|why| format!("`params.{name}` is {why}"))?;
        }
        let bytes = serde_json::to_vec(&params).map_or(usize::MAX, |text| text.len());
        if bytes > MAX_PARAM_BYTES {
            return Err(format!(
                "`params` take {bytes} bytes: expected at most {MAX_PARAM_BYTES}; hand big data on in a file"
            ));
        }
        Ok(Self { workflow, params, waits: with["wait"] != Value::Bool(false) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_says_which_workflow_with_which_params_and_whether_it_is_waited_for() {
        let call = Call::read(&json!({"name": "load", "params": {"day": "2026-03-01"}})).unwrap();
        assert_eq!((call.workflow.to_string().as_str(), call.waits), ("load", true));
        assert_eq!(call.params["day"], "2026-03-01");
        assert!(!Call::read(&json!({"name": "load", "wait": false})).unwrap().waits);
    }

    #[test]
    fn what_an_expression_gave_that_is_no_call_is_told() {
        for (with, told) in [
            (json!({"name": 7}), "`name`: expected a text, found 7"),
            (json!({"name": "adhoc"}), "`name`: `adhoc` is no workflow"),
            (json!({"name": "No Name"}), "`name`: "),
            (
                json!({"name": "load", "params": [1]}),
                "`params`: expected a map of names and values, found [1]",
            ),
            (json!({"name": "load", "params": {"a b": 1}}), "`params`: "),
            (json!({"name": "load", "params": {"a": "x".repeat(MAX_PARAM_BYTES)}}), "`params` take "),
        ] {
            let why = Call::read(&with).unwrap_err();
            assert!(why.starts_with(told), "{why}");
        }
    }
}
