//! What lists of items have in common, however a step comes to them.

use serde_json::Value;

use crate::expression::{Scope, Templated};

/// The greatest number of items of one step.
pub const MAX_ITEMS: usize = 100_000;

pub(super) fn rendered(value: &Templated, field: &str, scope: &Scope<'_>) -> Result<Value, String> {
    value.render(scope).map_err(|error| format!("`{field}` cannot be rendered: {error}"))
}

pub(super) fn too_many(field: &str, count: usize) -> String {
    format!("`{field}`: {count} items; expected at most {MAX_ITEMS}")
}

/// The kind of a value, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
