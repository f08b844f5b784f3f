//! Params as they are typed: `name=value`, with the type that the definition declares.

use millrace_domain::definition::{self, Params, Workflow};
use serde_json::Value;

use crate::error::CliError;

/// A param as it was typed.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    name: String,
    value: String,
}

/// Reads `name=value`.
pub(crate) fn pair(text: &str) -> Result<Pair, String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok(Pair { name: name.to_owned(), value: value.to_owned() })
}

/// The params of a run of `workflow`, with the types that it declares.
pub(crate) fn typed(given: &[Pair], workflow: &Workflow) -> Result<Params, CliError> {
    let mut params = Params::new();
    for Pair { name, value } in given {
        let Some(param) = workflow.params.iter().find(|param| param.name.as_str() == *name) else {
            return Err(CliError::Usage(undeclared(name, workflow)));
        };
        let value = definition::from_text(&param.kind, value);
        let value = value.map_err(|e| CliError::Usage(format!("param {name}: {e}")))?;
        params.insert(name.clone(), value);
    }
    Ok(params)
}

/// The params of an ad-hoc task, as texts.
pub(crate) fn texts(given: &[Pair]) -> Params {
    given.iter().map(|pair| (pair.name.clone(), Value::from(pair.value.as_str()))).collect()
}

fn undeclared(name: &str, workflow: &Workflow) -> String {
    let declared: Vec<&str> = workflow.params.iter().map(|param| param.name.as_str()).collect();
    match declared.is_empty() {
        true => format!("param {name}: workflow {} declares no params", workflow.id),
        false => format!("param {name}: workflow {} declares {}", workflow.id, declared.join(", ")),
    }
}
