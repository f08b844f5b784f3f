//! Params as they are typed: `name=value`, with the type that the definition declares.

use millrace_domain::definition::{self, Params, Workflow};
use serde_json::Value;

use crate::error::CliError;

/// The params of a run of `workflow`.
pub(crate) fn typed(given: &[String], workflow: &Workflow) -> Result<Params, CliError> {
    let mut params = Params::new();
    for text in given {
        let (name, value) = split(text)?;
        let declared = workflow.params.iter().find(|param| param.name.as_str() == name);
        let value = match declared {
            Some(param) => definition::from_text(&param.kind, value)
                .map_err(|e| CliError::Usage(format!("param {name}: {e}")))?,
            // Unknown ones are the producer's to refuse: it says what is declared.
            None => Value::String(value.to_owned()),
        };
        params.insert(name.to_owned(), value);
    }
    Ok(params)
}

/// The params of an ad-hoc task: texts.
pub(crate) fn texts(given: &[String]) -> Result<Params, CliError> {
    given.iter().map(|text| split(text).map(|(name, value)| (name.to_owned(), Value::from(value)))).collect()
}

fn split(text: &str) -> Result<(&str, &str), CliError> {
    text.split_once('=').ok_or_else(|| CliError::Usage(format!("--param {text:?}: expected NAME=VALUE")))
}
