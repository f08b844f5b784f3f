//! The input of each executor: `with`, and what a step with `run` says of the same.

use serde_json::{Value, json};

use super::super::parse::{
    APPROVAL_DEFAULTS, APPROVAL_INPUT, ASK, HTTP_INPUT, INPUT_INPUT, MAX_PARAMS, MAX_SCRIPT_BYTES,
    MAX_SHELL_WORDS, METHODS, NOOP_INPUT, REDIRECTS, SHELL_INPUT, STATUSES, WAIT_INPUT, WORKFLOW_INPUT,
};
use super::described::{Described, Field};
use super::values::{boolean, matching, name, one_of, plain, reference, text};
use crate::people::MAX_PEOPLE;
use crate::quantity::format_duration;
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

/// The input of `approval`.
pub(super) fn approval() -> Described {
    let mut of = json!({"type": "integer", "minimum": 1, "maximum": MAX_PEOPLE});
    of["default"] = 1.into();
    let mut by_default = one_of(APPROVAL_DEFAULTS);
    by_default["default"] = "reject".into();
    let mut fields = asked();
    fields.extend([
        ("of", "The number of different people who have to approve.", of),
        ("default", "What is so when too few have approved in time: approve, or reject.", by_default),
    ]);
    Described { name: "with_approval", table: &APPROVAL_INPUT, fields, rules: json!({}) }
}

/// The input of `input`.
pub(super) fn input() -> Described {
    let given = json!({"type": "object", "propertyNames": {"pattern": format!("^{}$", ParamName::PATTERN)}});
    let wanted = json!({"type": "array", "items": reference("param"), "minItems": 1, "maxItems": MAX_PARAMS});
    let mut fields = asked();
    fields.extend([
        ("fields", "The values that are asked for, declared as params are, without expressions.", wanted),
        ("default", "The values that count when nobody has given any in time.", given),
    ]);
    Described { name: "with_input", table: &INPUT_INPUT, fields, rules: json!({"required": ["fields"]}) }
}

/// What the two have in common that ask people.
fn asked() -> Vec<Field> {
    let who = json!({"type": "array", "items": text(), "minItems": 1, "maxItems": MAX_PEOPLE});
    let mut timeout = reference("duration");
    timeout["default"] = format_duration(ASK).into();
    vec![
        ("message", "What is asked. It may hold expressions.", text()),
        (
            "who",
            "The names of those who may answer; anybody when absent. They may hold expressions, or be one.",
            json!({"anyOf": [who, reference("expression")]}),
        ),
        ("timeout", "How long they have to answer.", timeout),
    ]
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
