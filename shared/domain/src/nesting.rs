//! How deep JSON may be nested. Readers of JSON give up at 128 levels, and what is read here is written again inside of
//! other JSON: a result among others, a task with its input. So what comes in from outside, and what expressions make of
//! it, is held to less, where there is somebody to tell.

use serde_json::Value;

/// The most levels of lists and maps in outputs, and in params.
pub const MAX_NESTING: usize = 64;

/// The most levels in what is rendered of a definition: outputs and params, within other JSON.
pub const MAX_RENDERED_NESTING: usize = 96;

/// A value is nested too deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nested too deep: expected at most {0} levels of lists and maps")]
pub struct NestedTooDeep(pub usize);

/// Checks that a value has at most so many levels of lists and maps.
///
/// # Errors
/// When it has more.
pub fn check_nesting(value: &Value, levels: usize) -> Result<(), NestedTooDeep> {
    if has_at_most(value, levels) { Ok(()) } else { Err(NestedTooDeep(levels)) }
}

fn has_at_most(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| has_at_most(item, levels - 1)),
        Value::Object(fields) => levels > 0 && fields.values().all(|value| has_at_most(value, levels - 1)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn levels_are_counted_of_lists_and_maps_alike() {
        for (value, levels) in
            [(json!("a"), 0), (json!([]), 1), (json!({"a": 1}), 1), (json!([1, {"a": [2]}]), 3)]
        {
            assert_eq!(check_nesting(&value, levels), Ok(()), "{value}");
            if levels > 0 {
                assert_eq!(check_nesting(&value, levels - 1), Err(NestedTooDeep(levels - 1)), "{value}");
            }
        }
    }
}
