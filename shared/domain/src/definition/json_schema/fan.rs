//! How a step fans out, and how often it is repeated.

use serde_json::{Value, json};

use super::super::fan::MAX_PARALLEL;
use super::super::items::MAX_ITEMS;
use super::super::parse::{DELAY, FOREACH, MATRIX, MAX_TIMES, REPEAT, SHARDS};
use super::described::{Described, Field};
use super::values::{boolean, reference};
use crate::ParamName;
use crate::quantity::format_duration;

/// An expression that is the whole text, so that its value keeps its type.
fn expression() -> Value {
    json!({"type": "string", "pattern": r"^\$\{\{[\s\S]*\}\}$"})
}

/// A list, or an expression that gives one.
fn list() -> Value {
    json!({"anyOf": [{"type": "array", "maxItems": MAX_ITEMS}, expression()]})
}

/// A number of shards, or an expression that gives it.
fn count() -> Value {
    json!({"anyOf": [{"type": "integer", "minimum": 1, "maximum": MAX_ITEMS}, expression()]})
}

/// The value of `foreach`: what it is over, or a map that says more.
pub(super) fn foreach_value() -> Value {
    json!({"anyOf": [list(), reference("foreach")]})
}

/// The value of `shards`: their number, or a map that says more.
pub(super) fn shards_value() -> Value {
    json!({"anyOf": [count(), reference("shards")]})
}

/// A condition.
pub(super) fn condition() -> Value {
    json!({"type": ["string", "boolean", "number"], "examples": ["outputs.extract.rows > 0"]})
}

/// The fields that are the same however a step fans out.
fn options() -> [Field; 3] {
    let parallel = json!({"type": "integer", "minimum": 1, "maximum": MAX_ITEMS, "default": MAX_PARALLEL});
    let tolerate = json!({"type": ["integer", "string"], "examples": [3, "5%"], "default": 0});
    [
        ("max_parallel", "How many items are under way at once.", parallel),
        (
            "fail_fast",
            "Whether the items that are left are given up once more have failed than are tolerated.",
            boolean(),
        ),
        (
            "tolerate",
            "How many items may fail without the step failing: a number, or a share such as 5%.",
            tolerate,
        ),
    ]
}

/// `foreach` as a map.
pub(super) fn foreach() -> Described {
    let items = ("items", "The list, or an expression that gives it when the step starts.", list());
    Described {
        name: "foreach",
        table: &FOREACH,
        fields: [items].into_iter().chain(options()).collect(),
        rules: json!({"required": ["items"]}),
    }
}

/// `shards` as a map.
pub(super) fn shards() -> Described {
    let count = ("count", "The number of shards.", count());
    Described {
        name: "shards",
        table: &SHARDS,
        fields: [count].into_iter().chain(options()).collect(),
        rules: json!({"required": ["count"]}),
    }
}

/// `matrix`: what is no option is an axis.
pub(super) fn matrix() -> Described {
    let maps = || json!({"type": "array", "items": {"type": "object"}, "maxItems": MAX_ITEMS});
    let own = [
        ("include", "Maps that extend the combinations they match, or are items of their own.", maps()),
        ("exclude", "Maps; combinations that have all values of one of them are left out.", maps()),
    ];
    Described {
        name: "matrix",
        table: &MATRIX,
        fields: own.into_iter().chain(options()).collect(),
        rules: json!({
            "additionalProperties": list(),
            "propertyNames": {"pattern": format!("^{}$", ParamName::PATTERN)},
            "minProperties": 1,
        }),
    }
}

/// A repetition.
pub(super) fn repeat() -> Described {
    let max = json!({"type": "integer", "minimum": 1, "maximum": MAX_TIMES});
    let mut delay = reference("duration");
    delay["default"] = format_duration(DELAY).into();
    Described {
        name: "repeat",
        table: &REPEAT,
        fields: vec![
            ("until", "The condition that ends it; it may use the outputs of the step itself.", condition()),
            ("max", "How many times it may be done; it fails when the condition is still not true.", max),
            ("delay", "The wait before the next time, in which no worker is held.", delay),
        ],
        rules: json!({"required": ["until", "max"]}),
    }
}
