//! The fields of a workflow, of its `defaults`, of its params and of its schedules.

use serde_json::{Value, json};

use super::super::parse::{
    CONCURRENCY, DEFAULTS, ENTRY, KINDS, MAX_CHOICES, MAX_OUTPUTS, MAX_PARAMS, MAX_QUEUED, MAX_RECURSION,
    MAX_SCHEDULES, MAX_STEPS, ON_FULL, OUTPUT, PARAM, POLICIES, RECURSIVE, WORKFLOW,
};
use super::described::Described;
use super::values::{directory, labels, matching, name, one_of, reference, text};
use crate::lock::{MAX_SLOTS, OnFull};
use crate::{ParamName, PoolName, Priority, WorkflowName};

/// A workflow: one document.
pub(super) fn workflow() -> Described {
    let hooks = || json!({"type": "array", "items": reference("step")});
    Described {
        name: "workflow",
        table: &WORKFLOW,
        fields: vec![
            ("name", "The name of the workflow. `adhoc` is taken.", name(WorkflowName::PATTERN)),
            ("description", "What the workflow is for, for people.", text()),
            ("labels", "Names and texts, for people and filters.", labels()),
            (
                "schedule",
                "When runs start by themselves: a cron text in quotes, {cron: ...}, {every: ...}, {at: ...}, or a list of these.",
                schedules(),
            ),
            (
                "timezone",
                "The IANA name of the time zone of schedules, of `fire` and of times of day. UTC when absent.",
                json!({"type": "string", "examples": ["Asia/Shanghai", "Europe/Berlin"]}),
            ),
            (
                "catchup",
                "What becomes of fires that were missed: they are not made up for.",
                one_of(["none"]),
            ),
            (
                "timeout",
                "The timeout of a whole run: when it is over, what runs is stopped, and the run ends timed_out.",
                reference("duration"),
            ),
            (
                "priority",
                "How urgent the tasks are: P0 (urgent) to P3 (idle), or a number from 0 to 9.",
                priority(),
            ),
            (
                "params",
                "What a run may be given. Scripts get each param as an environment variable.",
                json!({"type": "array", "items": reference("param"), "maxItems": MAX_PARAMS}),
            ),
            ("env", "The environment of every step. Values may hold expressions.", reference("env")),
            ("defaults", "What holds of every step that does not say otherwise.", reference("defaults")),
            (
                "steps",
                "The steps of the workflow. Those that wait for no other start at once, beside each other.",
                json!({"type": "array", "items": reference("step"), "minItems": 1, "maxItems": MAX_STEPS}),
            ),
            (
                "outputs",
                "What a run hands on when it succeeds: keys and values, which may use the outputs of all steps.",
                json!({
                    "type": "object",
                    "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$"},
                    "maxProperties": MAX_OUTPUTS,
                }),
            ),
            (
                "concurrency",
                "How many runs may be under way at a time, and what becomes of one more: 1, or {limit: 3, policy: skip}.",
                json!({"anyOf": [slots(), reference("concurrency")]}),
            ),
            (
                "recursive",
                "That runs of it may be within runs of it, and how often: {max: 5}.",
                reference("recursive"),
            ),
            ("on_success", "Steps that start when all others have ended, and the run succeeds.", hooks()),
            (
                "on_failure",
                "Steps that start when all others have ended, and the run fails or times out.",
                hooks(),
            ),
            (
                "on_finish",
                "Steps that start when all others have ended, also when the run is stopped.",
                hooks(),
            ),
        ],
        rules: json!({"required": ["name", "steps"]}),
    }
}

/// How often a workflow may be in itself.
pub(super) fn recursive() -> Described {
    let max = json!({"type": "integer", "minimum": 1, "maximum": MAX_RECURSION});
    Described {
        name: "recursive",
        table: &RECURSIVE,
        fields: vec![("max", "How many runs of the workflow there may be above a run of it.", max)],
        rules: json!({"required": ["max"]}),
    }
}

/// How many runs of a workflow may be under way at a time.
pub(super) fn concurrency() -> Described {
    let key = json!({"type": "string", "pattern": r"\$\{\{"});
    Described {
        name: "concurrency",
        table: &CONCURRENCY,
        fields: vec![
            ("limit", "How many runs may be under way at a time; 1 when absent.", slots()),
            ("key", "What tells runs apart that do not limit each other: an expression.", key),
            ("policy", "What becomes of one more; queue when absent.", one_of(POLICIES)),
            (
                "max_queued",
                "How many may wait with policy queue. Any number when absent.",
                json!({"type": "integer", "minimum": 0, "maximum": MAX_QUEUED}),
            ),
            (
                "on_full",
                "What becomes of one more when so many wait; reject when absent.",
                one_of(ON_FULL.map(OnFull::as_str)),
            ),
        ],
        rules: json!({"dependentRequired": {"on_full": ["max_queued"]}}),
    }
}

fn slots() -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": MAX_SLOTS})
}

/// What holds of every step.
pub(super) fn defaults() -> Described {
    Described {
        name: "defaults",
        table: &DEFAULTS,
        fields: vec![
            ("pool", "The pool in which tasks run.", name(PoolName::PATTERN)),
            ("timeout", "The timeout of one attempt.", reference("duration")),
            ("retry", "When, and how often, a step is tried again.", reference("retry")),
            ("env", "The environment of every step. Values may hold expressions.", reference("env")),
            ("working_dir", "The directory in which scripts start.", directory()),
        ],
        rules: json!({}),
    }
}

/// A declared param.
pub(super) fn param() -> Described {
    let is_enum = json!({"properties": {"type": {"const": "enum"}}, "required": ["type"]});
    let choices = json!({"type": "array", "items": text(), "minItems": 1, "maxItems": MAX_CHOICES});
    Described {
        name: "param",
        table: &PARAM,
        fields: vec![
            (
                "name",
                "The name of the param, which is also that of its environment variable.",
                name(ParamName::PATTERN),
            ),
            ("type", "The type of its values; string when absent.", one_of(KINDS)),
            (
                "default",
                "The value when a run gives none; it may hold expressions. Without a default, every run must give a value.",
                json!({}),
            ),
            ("values", "The values that there are, with `type: enum`.", choices),
            ("min", "The least value of an int, a float or a date.", text()),
            ("max", "The greatest value of an int, a float or a date.", text()),
            ("pattern", "The regular expression that a string or a path matches as a whole.", text()),
            ("description", "What the param is for, for people.", text()),
        ],
        rules: json!({
            "required": ["name"],
            "if": is_enum,
            "then": {"required": ["values"]},
            "else": {"properties": {"values": false}},
        }),
    }
}

/// An output that is declared as a map.
pub(super) fn output() -> Described {
    let choices = json!({"type": "array", "items": text(), "minItems": 1, "maxItems": MAX_CHOICES});
    Described {
        name: "output",
        table: &OUTPUT,
        fields: vec![
            ("type", "The type of its value; string when absent.", one_of(KINDS)),
            ("values", "The values that there are, with `type: enum`.", choices),
            ("description", "What the output is, for people.", text()),
        ],
        rules: json!({}),
    }
}

/// A schedule that is written as a map.
pub(super) fn schedule() -> Described {
    let only = |field: &str| json!({"required": [field]});
    Described {
        name: "schedule",
        table: &ENTRY,
        fields: vec![
            ("cron", "Five fields, or six with seconds first, or @daily and the like, in quotes.", cron()),
            ("every", "The interval between two runs, 100ms to 366d.", reference("duration")),
            (
                "at",
                "The instant of the only run, with an offset or Z.",
                json!({"type": "string", "examples": ["2099-12-31T23:59:00+08:00"]}),
            ),
            ("timezone", "The time zone of `cron`, in place of the workflow's.", json!({"type": "string"})),
        ],
        rules: json!({
            "oneOf": [only("cron"), only("every"), only("at")],
            "dependentRequired": {"timezone": ["cron"]},
        }),
    }
}

fn schedules() -> Value {
    let entry = json!({"anyOf": [cron(), reference("schedule")]});
    let several = json!({"type": "array", "items": entry, "minItems": 1, "maxItems": MAX_SCHEDULES});
    json!({"anyOf": [cron(), reference("schedule"), several]})
}

fn cron() -> Value {
    json!({"type": "string", "examples": ["0 2 * * *", "*/5 * * * *", "@daily"]})
}

fn priority() -> Value {
    let words = Priority::ALL.map(|priority| Value::String(priority.to_string()));
    let number = json!({"type": "integer", "minimum": 0, "maximum": 9});
    let other = matching("^(p[0-3]|[-+]?[0-9]+)$", "expected P0 to P3, or a number from 0 to 9");
    let mut other = other;
    other["type"] = "string".into();
    json!({"default": Priority::default().to_string(), "anyOf": [{"enum": words}, number, other]})
}
