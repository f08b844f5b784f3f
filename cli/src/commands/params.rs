//! Params as they are typed: `name=value`, with the type that the definition declares.

use millrace_domain::definition::{self, Params, Workflow};
use serde_json::Value;

use crate::error::CliError;

/// The params of a run of `workflow`.
pub(crate) fn typed(given: &[String], workflow: &Workflow) -> Result<Params, CliError> {
    let mut params = Params::new();
    for text in given {
        let (name, value) = split(text)?;
        let Some(param) = workflow.params.iter().find(|param| param.name.as_str() == name) else {
            return Err(CliError::Usage(undeclared(name, workflow)));
        };
        let value = definition::from_text(&param.kind, value);
        let value = value.map_err(|e| CliError::Usage(format!("param {name}: {e}")))?;
        params.insert(name.to_owned(), value);
    }
    Ok(params)
}

/// The params of an ad-hoc task: texts.
pub(crate) fn texts(given: &[String]) -> Result<Params, CliError> {
    given.iter().map(|text| split(text).map(|(name, value)| (name.to_owned(), Value::from(value)))).collect()
}

fn undeclared(name: &str, workflow: &Workflow) -> String {
    let declared: Vec<&str> = workflow.params.iter().map(|param| param.name.as_str()).collect();
    match declared.is_empty() {
        true => format!("param {name}: workflow {} declares no params", workflow.name),
        false => format!("param {name}: workflow {} declares {}", workflow.name, declared.join(", ")),
    }
}

fn split(text: &str) -> Result<(&str, &str), CliError> {
    text.split_once('=').ok_or_else(|| CliError::Usage(format!("--param {text:?}: expected NAME=VALUE")))
}
