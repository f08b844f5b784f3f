//! The fields of a step, of a dependency and of a retry policy. What goes with which executor is a rule of the step.

use serde_json::{Value, json};

use super::super::parse::{
    ASK, DEPENDENCY, EXECUTORS, HTTP, KINDS, LOCK, MAX_BACKOFF, MAX_LIMIT, MAX_OUTPUTS, NOOP,
    NOT_OF_CHILDREN, NOT_OF_QUESTIONS, OF_TASKS, RATE, RETRIED, RETRY, SHELL, STEP, SUCCEEDED,
};
use super::described::Described;
use super::executors::{argv, script};
use super::fan::{condition, foreach_value, shards_value};
use super::values::{boolean, directory, name, one_of, quoted, reference, text};
use crate::child::WORKFLOW;
use crate::lock::{LockName, MAX_LOCKS, MAX_RATE, MAX_SLOTS};
use crate::people::{APPROVAL, INPUT};
use crate::quantity::format_duration;
use crate::rule::Status;
use crate::wait::WAIT;
use crate::{Outcome, PoolName, RetryPolicy, StepName, TriggerRule};

/// A step.
pub(super) fn step() -> Described {
    let dependency = json!({"anyOf": [text(), reference("dependency")]});
    let mut rule = one_of(TriggerRule::ALL.map(TriggerRule::as_str));
    rule["default"] = TriggerRule::default().as_str().into();
    let outputs = json!({
        "type": "object",
        "additionalProperties": {"anyOf": [one_of(KINDS), reference("output")]},
        "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$"},
        "maxProperties": MAX_OUTPUTS,
    });
    let lock = json!({"anyOf": [lock_name(), reference("lock")]});
    let many = json!({"type": "array", "items": lock, "minItems": 1, "maxItems": MAX_LOCKS});
    let locks = json!({"anyOf": [many, lock_name(), reference("lock")]});
    let hooks = || json!({"type": "array", "items": reference("step")});
    let pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$";
    let told = "expected a time of day in quotes, such as \"08:00\"";
    let time = quoted(pattern, told);
    Described {
        name: "step",
        table: &STEP,
        fields: vec![
            (
                "name",
                "The name of the step, unique in the workflow. It is used in expressions.",
                name(StepName::PATTERN),
            ),
            (
                "depends_on",
                "The steps that it waits for: names, or {step, status} where not success is wanted.",
                json!({"type": "array", "items": dependency, "uniqueItems": true}),
            ),
            ("trigger_rule", "What the step makes of how those that it waits for have ended.", rule),
            (
                "if",
                "An expression that must be true for the step to start; otherwise it is skipped.",
                condition(),
            ),
            (
                "not_before",
                "A time of day, before which the step does not start, on the day of the run's fire.",
                time,
            ),
            (
                "continue_on_error",
                "Whether, when the step fails, all that waits for it, and the run, go on as if it had succeeded.",
                boolean(),
            ),
            (
                "run",
                "A shell script. It is never templated: params and `env` arrive as environment variables.",
                script(),
            ),
            (
                "shell",
                "The program that gets the script as its last argument; [sh, -e, -c] when absent.",
                argv(),
            ),
            ("uses", "The executor of the step, in place of `run`.", one_of(EXECUTORS)),
            ("with", "The input of the executor that `uses` names.", json!({"type": "object"})),
            ("env", "The environment of the step. Values may hold expressions.", reference("env")),
            (
                "pool",
                "The pool in which the step's tasks run; `default` when absent.",
                name(PoolName::PATTERN),
            ),
            ("timeout", "The timeout of one attempt; none when absent.", reference("duration")),
            ("retry", "When, and how often, the step is tried again.", reference("retry")),
            (
                "working_dir",
                "The directory in which the script starts, relative to the file's folder when embedded, to the worker's --work-dir in a fleet.",
                directory(),
            ),
            ("at_most_once", "Whether no other attempt is started after one that was lost.", boolean()),
            (
                "foreach",
                "The list for each item of which the step has an attempt of its own.",
                foreach_value(),
            ),
            (
                "matrix",
                "Names and lists: the step has an attempt of its own for each combination of their values.",
                reference("matrix"),
            ),
            ("shards", "The number of attempts that share the work, each with SHARD_INDEX.", shards_value()),
            (
                "repeat",
                "Until when the step is done again although it succeeded: a poll that holds no worker in between.",
                reference("repeat"),
            ),
            (
                "outputs",
                "The outputs that it must give, and their types: each attempt that succeeds is held against them.",
                outputs,
            ),
            (
                "locks",
                "The locks and semaphores, of one group, that each attempt holds: names, or {name, slots, weight, shared}.",
                locks,
            ),
            (
                "rate",
                "How much there is in any period, of which each attempt takes its part.",
                reference("rate"),
            ),
            ("on_success", "Steps that start when this one has succeeded.", hooks()),
            ("on_failure", "Steps that start when this one has failed.", hooks()),
            ("on_finish", "Steps that start when this one has ended, unless it was skipped.", hooks()),
        ],
        rules: json!({
            "required": ["name"],
            "oneOf": [{"required": ["run"]}, {"required": ["uses"]}],
            "dependentRequired": {"shell": ["run"], "with": ["uses"]},
            "allOf": [
                with(SHELL, true, &[]),
                with(HTTP, true, &["working_dir"]),
                with(NOOP, false, &["working_dir"]),
                with(WAIT, true, &OF_TASKS),
                with(WORKFLOW, true, &[&NOT_OF_CHILDREN[..], &["working_dir"]].concat()),
                with(APPROVAL, false, &NOT_OF_QUESTIONS),
                with(INPUT, true, &NOT_OF_QUESTIONS),
                {"not": {"required": ["foreach", "matrix"]}},
                {"not": {"required": ["foreach", "shards"]}},
                {"not": {"required": ["matrix", "shards"]}},
            ],
        }),
    }
}

/// What holds of a step with this executor: its input, and the fields that do not go with it.
fn with(executor: &str, is_required: bool, refused: &[&str]) -> Value {
    let mut then = json!({"properties": {"with": reference(&format!("with_{executor}"))}});
    for field in refused {
        then["properties"][*field] = false.into();
    }
    if is_required {
        then["required"] = json!(["with"]);
    }
    json!({"if": {"properties": {"uses": {"const": executor}}, "required": ["uses"]}, "then": then})
}

/// The name of a lock, or an expression that gives one.
fn lock_name() -> Value {
    json!({"anyOf": [name(LockName::PATTERN), reference("expression")]})
}

/// A rate.
pub(super) fn rate() -> Described {
    let cost =
        json!({"anyOf": [{"type": "integer", "minimum": 0, "maximum": MAX_RATE}, reference("expression")]});
    Described {
        name: "rate",
        table: &RATE,
        fields: vec![
            (
                "limit",
                "How much there is in any period: all who use the rate say the same.",
                json!({"type": "integer", "minimum": 1, "maximum": MAX_RATE}),
            ),
            ("per", "The period.", reference("duration")),
            (
                "name",
                "The name, where steps share the rate. Without one it is the step's own.",
                name(LockName::RATE_PATTERN),
            ),
            ("key", "The key: each has as much.", text()),
            ("cost", "How much an attempt takes: 1 where nothing is said.", cost),
        ],
        rules: json!({"required": ["limit", "per"]}),
    }
}

/// A lock that is written as a map.
pub(super) fn lock() -> Described {
    let number = || json!({"type": "integer", "minimum": 1, "maximum": MAX_SLOTS, "default": 1});
    let mut shared = boolean();
    shared["default"] = false.into();
    Described {
        name: "lock",
        table: &LOCK,
        fields: vec![
            (
                "name",
                "The name of the lock: `group/lock`, or one word, which is a group of its own.",
                lock_name(),
            ),
            ("slots", "The number of slots that the lock has: all who use it say the same.", number()),
            ("weight", "The number of slots that the step takes.", number()),
            ("shared", "Whether the lock is held together with others that share it.", shared),
        ],
        rules: json!({"required": ["name"]}),
    }
}

/// A dependency that is written as a map.
pub(super) fn dependency() -> Described {
    let mut status = one_of(Status::ALL.map(Status::as_str).into_iter().chain([SUCCEEDED]));
    status["default"] = Status::default().as_str().into();
    Described {
        name: "dependency",
        table: &DEPENDENCY,
        fields: vec![
            ("step", "The name of the step that is waited for.", name(StepName::PATTERN)),
            ("status", "How that step is to end.", status),
        ],
        rules: json!({"required": ["step"]}),
    }
}

/// A retry policy.
pub(super) fn retry() -> Described {
    let policy = RetryPolicy::default();
    let or = |mut value: Value, default: Value| {
        value["default"] = default;
        value
    };
    let limit = json!({"type": "integer", "minimum": 0, "maximum": MAX_LIMIT});
    let backoff = json!({"type": "number", "minimum": 1, "maximum": MAX_BACKOFF});
    let outcomes = json!({"type": "array", "items": one_of(RETRIED.map(Outcome::as_str))});
    let duration = |default| or(reference("duration"), format_duration(default).into());
    Described {
        name: "retry",
        table: &RETRY,
        fields: vec![
            ("limit", "The number of retries after the first attempt.", or(limit, policy.limit.into())),
            ("delay", "The wait before the first retry.", duration(policy.delay)),
            (
                "backoff",
                "The factor by which each further wait is longer.",
                or(backoff, policy.backoff.into()),
            ),
            ("max_delay", "The longest wait.", duration(policy.max_delay)),
            (
                "jitter",
                "Whether each wait is drawn between half of it and the whole.",
                or(boolean(), policy.jitter.into()),
            ),
            ("outcomes", "The outcomes that are retried; both when absent.", outcomes),
            (
                "then",
                "What becomes of the step when no retry is left: it fails, or somebody is asked.",
                or(one_of(["ask", "fail"]), "fail".into()),
            ),
            ("ask_timeout", "How long somebody is asked before the step fails.", duration(ASK)),
        ],
        rules: json!({}),
    }
}
