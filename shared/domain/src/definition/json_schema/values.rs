//! The values that many fields share. A text may be any scalar, as it may for the parser: `1.10` and `NO` are what is
//! written there. Where a pattern leaves no number that fits, only a text is one.

use serde_json::{Value, json};

use super::super::parse::{MAX_DIR_BYTES, MAX_LABEL_BYTES, MAX_LABELS, MAX_VARIABLES};
use crate::quantity;

/// A reference to a definition of the schema.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

/// Any text.
pub(super) fn text() -> Value {
    json!({"type": ["string", "number", "boolean", "null"]})
}

/// A text that matches `pattern`; a scalar of another type is left to the parser. `told` is what an editor says of others.
pub(super) fn matching(pattern: &str, told: &str) -> Value {
    let mut value = text();
    value["pattern"] = pattern.into();
    value["patternErrorMessage"] = told.into();
    value
}

/// A text, and no other scalar, that matches `pattern`, with one answer to all else: a bare number is the usual slip.
pub(super) fn quoted(pattern: &str, told: &str) -> Value {
    json!({"type": "string", "pattern": pattern, "patternErrorMessage": told, "errorMessage": told})
}

/// A name that matches `pattern` as a whole.
pub(super) fn name(pattern: &str) -> Value {
    matching(&format!("^{pattern}$"), &format!("expected a name that matches {pattern}"))
}

/// A text that is not empty and in which nothing is an expression.
pub(super) fn plain() -> Value {
    let mut value = matching(r"^(?![\s\S]*\$\{\{)", "no expression is evaluated here");
    value["minLength"] = 1.into();
    value
}

/// A directory.
pub(super) fn directory() -> Value {
    let mut value = plain();
    value["maxLength"] = MAX_DIR_BYTES.into();
    value
}

/// One of these words.
pub(super) fn one_of<'w>(words: impl IntoIterator<Item = &'w str>) -> Value {
    json!({"enum": words.into_iter().collect::<Vec<_>>()})
}

/// Either `true` or `false`.
pub(super) fn boolean() -> Value {
    json!({"type": "boolean"})
}

/// A map of names and texts, as the labels are.
pub(super) fn labels() -> Value {
    let mut value = text();
    value["maxLength"] = MAX_LABEL_BYTES.into();
    json!({
        "type": "object",
        "additionalProperties": value,
        "propertyNames": {"maxLength": MAX_LABEL_BYTES},
        "maxProperties": MAX_LABELS,
    })
}

/// The definitions that fields refer to.
pub(super) fn shared() -> Vec<(String, Value)> {
    let told = "expected a duration such as 500ms, 30s, 10m, 2h, 7d or 1h30m";
    let duration = quoted(&quantity::duration_pattern(), told);
    let expression = json!({"type": "string", "pattern": r"\$\{\{"});
    let env = json!({
        "type": "object",
        "additionalProperties": text(),
        "propertyNames": {"pattern": "^(?!MILLRACE_)[A-Za-z_][A-Za-z0-9_]*$"},
        "maxProperties": MAX_VARIABLES,
    });
    [("duration", duration), ("expression", expression), ("env", env)]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}
