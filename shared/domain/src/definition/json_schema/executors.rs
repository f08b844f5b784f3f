//! The input of each executor: `with`, and what a step with `run` says of the same.

use serde_json::{Value, json};

use super::super::parse::{
    HTTP_INPUT, MAX_SCRIPT_BYTES, MAX_SHELL_WORDS, METHODS, NOOP_INPUT, REDIRECTS, SHELL_INPUT, STATUSES,
    WAIT_INPUT, WORKFLOW_INPUT,
};
use super::described::Described;
use super::values::{boolean, matching, name, one_of, plain, reference, text};
use crate::{ParamName, WorkflowName};

/// The input of `shell`.
pub(super) fn shell() -> Described {
    Described {
        name: "with_shell",
        table: &SHELL_INPUT,
        fields: vec![
            ("run", "A shell script. It is never templated.", script()),
            (
                "shell",
                "The program that gets the script as its last argument; [sh, -e, -c] when absent.",
                argv(),
            ),
        ],
        rules: json!({"required": ["run"]}),
    }
}

/// The input of `http`.
pub(super) fn http() -> Described {
    let status = json!({"type": "integer", "minimum": STATUSES.start(), "maximum": STATUSES.end()});
    let statuses = json!({"anyOf": [status, {"type": "array", "items": status, "minItems": 1}]});
    let url = matching(r"^(https?://|\$\{\{)", "expected http:// or https://, or an expression");
    Described {
        name: "with_http",
        table: &HTTP_INPUT,
        fields: vec![
            ("url", "The URL, or an expression that gives it.", url),
            ("method", "The method; GET when absent, or POST when there is a body.", one_of(METHODS)),
            (
                "headers",
                "The headers. Values may hold expressions.",
                json!({"type": "object", "additionalProperties": text()}),
            ),
            (
                "body",
                "The body: a text is sent as it is, anything else as JSON. It may hold expressions.",
                json!({}),
            ),
            ("expect", "The status, or the list of them, that is success; any 2xx when absent.", statuses),
            (
                "redirects",
                "Whether redirects are followed: all, or none. When absent, all that keep the method and the body.",
                one_of(REDIRECTS),
            ),
        ],
        rules: json!({"required": ["url"]}),
    }
}

/// The input of `noop`: nothing.
pub(super) fn noop() -> Described {
    Described { name: "with_noop", table: &NOOP_INPUT, fields: Vec::new(), rules: json!({}) }
}

/// The input of `wait`.
pub(super) fn wait() -> Described {
    let duration = json!({"anyOf": [reference("duration"), reference("expression")]});
    let until = json!({"type": "string", "examples": ["08:00", "2099-12-31T23:59:00+08:00"]});
    Described {
        name: "with_wait",
        table: &WAIT_INPUT,
        fields: vec![
            (
                "for",
                "For how long, from when the step starts: 1ms to 366d. It may be an expression.",
                duration,
            ),
            (
                "until",
                "An instant, or the next such time of day in the workflow's zone. It may be an expression.",
                until,
            ),
        ],
        rules: json!({"oneOf": [{"required": ["for"]}, {"required": ["until"]}]}),
    }
}

/// The input of `workflow`.
pub(super) fn workflow() -> Described {
    let called = json!({"anyOf": [name(WorkflowName::PATTERN), reference("expression")]});
    let given = json!({"type": "object", "propertyNames": {"pattern": format!("^{}$", ParamName::PATTERN)}});
    Described {
        name: "with_workflow",
        table: &WORKFLOW_INPUT,
        fields: vec![
            ("name", "The name of the workflow, or an expression that gives it.", called),
            (
                "params",
                "The params of its run: names and values, or an expression that gives them all.",
                json!({"anyOf": [given, reference("expression")]}),
            ),
            (
                "wait",
                "Whether the step ends with the run, and gives its outputs; otherwise it ends as soon as the run is there, and gives its run_id.",
                boolean(),
            ),
        ],
        rules: json!({"required": ["name"]}),
    }
}

/// A script.
pub(super) fn script() -> Value {
    let told =
        "expected a shell command without expressions: write env: {NAME: \"${{ ... }}\"} and use \"$NAME\"";
    let mut script = matching(r"^(?![\s\S]*\$\{\{)[\s\S]*\S", told);
    script["maxLength"] = MAX_SCRIPT_BYTES.into();
    script
}

/// The program that a script is given to.
pub(super) fn argv() -> Value {
    json!({"type": "array", "items": plain(), "minItems": 1, "maxItems": MAX_SHELL_WORDS})
}
