//! Every field with every kind of value: what the schema refuses, the parser refuses too. The fields come from the schema
//! itself, so that a new one is tried as soon as it is there.

use millrace_domain::definition;
use serde_json::Value;

use crate::{told, validator};

/// Values of all kinds, as they are written in a list or a map of YAML.
const VALUES: [&str; 96] = [
    "",
    "~",
    "null",
    "Null",
    "true",
    "false",
    "True",
    "yes",
    "no",
    "on",
    "\"true\"",
    "\"null\"",
    "\"\"",
    "\" \"",
    "0",
    "1",
    "5",
    "-1",
    "-0",
    "+3",
    "007",
    "\"5\"",
    "9",
    "10",
    "99",
    "100",
    "101",
    "200",
    "600",
    "1.5",
    "2.",
    ".5",
    "1e1",
    "1.10",
    "0x1F",
    "1_000",
    "9999999999",
    "99999999999999999999",
    "30s",
    "\"30s\"",
    "0s",
    "1h30m",
    "1m1h",
    "500ms",
    "4000d",
    "\" 10m \"",
    "1.5h",
    "08:00",
    "\"08:00\"",
    "08:00:30",
    "24:00",
    "8am",
    "\"2099-12-31T23:59:00+08:00\"",
    "2026-02-28",
    "UTC",
    "Asia/Shanghai",
    "\"0 2 * * *\"",
    "\"@daily\"",
    "5/15",
    "P0",
    "p3",
    "P9",
    "a",
    "b",
    "a-b",
    "a_b",
    "A",
    "GET",
    "POST",
    "get",
    "follow",
    "none",
    "latest",
    "failed",
    "timed_out",
    "lost",
    "success",
    "succeeded",
    "finished",
    "all_success",
    "all_done",
    "string",
    "int",
    "enum",
    "json",
    "shell",
    "noop",
    "https://x",
    "\"${{ 1 }}\"",
    "\"${{ params.p }}\"",
    "[]",
    "[a]",
    "[b]",
    "[failed]",
    "{}",
    "{a: b}",
];

/// More values: those that only fit together.
const MAPS: [&str; 22] = [
    "[a, b]",
    "[b, b]",
    "[200, 201]",
    "[1, true, null]",
    "[[a]]",
    "[sh, -c]",
    "[{step: b}]",
    "[{step: b, status: failed}]",
    "[{step: b, status: succeeded}, b]",
    "{limit: 1}",
    "{delay: 1s, max_delay: 2s}",
    "{A: 1}",
    "{A: null}",
    "{A: true}",
    "{A: [b]}",
    "{\"1\": b}",
    "{url: \"https://x\"}",
    "{for: 1s}",
    "{for: \"${{ params.p }}\"}",
    "{run: x, shell: [sh, -c]}",
    "{every: 5m}",
    "[{cron: \"@daily\"}, \"@hourly\"]",
];

/// Sound definitions into which a field of each kind of map is put: all fields are tried at each of these places.
const PLACES: [(&str, &str); 18] = [
    (
        "workflow",
        "name: w\nparams: [{name: p, default: x}]\nsteps: [{name: c, run: x}, {name: b, run: x}]\n@",
    ),
    ("workflow", "steps: [{name: c, run: x}]\n@"),
    ("workflow", "name: w\n@"),
    ("defaults", "name: w\ndefaults: {@}\nsteps: [{name: c, run: x}]"),
    ("param", "name: w\nparams: [{name: p, default: x}, {name: q, @}]\nsteps: [{name: c, run: x}]"),
    ("param", "name: w\nparams: [{name: q, type: int, @}]\nsteps: [{name: c, run: x}]"),
    (
        "param",
        "name: w\nparams: [{name: q, type: enum, values: [a, b, \"5\"], @}]\nsteps: [{name: c, run: x}]",
    ),
    ("param", "name: w\nparams: [{@}]\nsteps: [{name: c, run: x}]"),
    ("schedule", "name: w\nschedule: {@}\nsteps: [{name: c, run: x}]"),
    ("schedule", "name: w\nschedule: [{cron: \"0 2 * * *\", @}]\nsteps: [{name: c, run: x}]"),
    (
        "step",
        "name: w\nparams: [{name: p, default: x}]\nsteps: [{name: c, run: x, @}, {name: b, run: x}, {name: d, run: x}]",
    ),
    ("step", "name: w\nsteps: [{name: c, uses: noop, @}, {name: b, run: x}]"),
    ("step", "name: w\nsteps: [{run: x, @}, {name: b, run: x}]"),
    (
        "step",
        "name: w\nparams: [{name: p, default: x}]\nsteps: [{name: c, uses: http, @}, {name: d, uses: wait, @}]",
    ),
    ("step", "name: w\nparams: [{name: p, default: x}]\nsteps: [{name: c, @}]"),
    ("step", "name: w\nsteps: [{name: c, uses: workflow, with: {name: p}, @}, {name: b, run: x}]"),
    ("recursive", "name: w\nrecursive: {@}\nsteps: [{name: c, run: x}]"),
    ("concurrency", "name: w\nparams: [{name: p, default: x}]\nconcurrency: {@}\nsteps: [{name: c, run: x}]"),
];

/// The same for the maps within a step.
const WITHIN: [(&str, &str); 25] = [
    ("dependency", "name: w\nsteps: [{name: c, run: x, depends_on: [{@}]}, {name: b, run: x}]"),
    ("dependency", "name: w\nsteps: [{name: c, run: x, depends_on: [{step: b, @}]}, {name: b, run: x}]"),
    ("retry", "name: w\nsteps: [{name: c, run: x, retry: {@}}]"),
    ("foreach", "name: w\nsteps: [{name: c, run: x, foreach: {items: [a], @}}]"),
    ("foreach", "name: w\nsteps: [{name: c, run: x, foreach: {@}}]"),
    ("lock", "name: w\nsteps: [{name: c, run: x, locks: [{name: a, @}]}]"),
    ("lock", "name: w\nparams: [{name: p, default: x}]\nsteps: [{name: c, run: x, locks: {@}}]"),
    ("rate", "name: w\nparams: [{name: p, default: x}]\nsteps: [{name: c, run: x, rate: {@}}]"),
    (
        "rate",
        "name: w\nparams: [{name: p, default: x}]\nsteps: [{name: c, run: x, rate: {limit: 2, per: 1m, @}}]",
    ),
    ("output", "name: w\nsteps: [{name: c, run: x, outputs: {a: {@}}}]"),
    ("shards", "name: w\nsteps: [{name: c, run: x, shards: {count: 2, @}}]"),
    ("matrix", "name: w\nsteps: [{name: c, run: x, matrix: {a: [1], @}}]"),
    ("repeat", "name: w\nsteps: [{name: c, run: x, repeat: {until: \"true\", max: 2, @}}]"),
    ("repeat", "name: w\nsteps: [{name: c, run: x, repeat: {@}}]"),
    ("with_shell", "name: w\nsteps: [{name: c, uses: shell, with: {run: x, @}}]"),
    ("with_shell", "name: w\nsteps: [{name: c, uses: shell, with: {@}}]"),
    (
        "with_http",
        "name: w\nparams: [{name: p, default: x}]\nsteps: [{name: c, uses: http, with: {url: \"http://x\", @}}]",
    ),
    ("with_http", "name: w\nparams: [{name: p, default: x}]\nsteps: [{name: c, uses: http, with: {@}}]"),
    ("with_noop", "name: w\nsteps: [{name: c, uses: noop, with: {@}}]"),
    (
        "with_workflow",
        "name: w\nparams: [{name: p, default: x}]\nsteps: [{name: c, uses: workflow, with: {name: p, @}}]",
    ),
    (
        "with_workflow",
        "name: w\nparams: [{name: p, default: x}]\nsteps: [{name: c, uses: workflow, with: {@}}]",
    ),
    ("with_wait", "name: w\nparams: [{name: p, default: 1s}]\nsteps: [{name: c, uses: wait, with: {@}}]"),
    (
        "with_approval",
        "name: w\nparams: [{name: p, default: 1s}]\nsteps: [{name: c, uses: approval, with: {@}}]",
    ),
    (
        "with_input",
        "name: w\nparams: [{name: p, default: 1s}]\nsteps: [{name: c, uses: input, with: {fields: [{name: x, type: json, default: 1}], @}}]",
    ),
    ("with_input", "name: w\nparams: [{name: p, default: 1s}]\nsteps: [{name: c, uses: input, with: {@}}]"),
];

#[test]
fn what_the_schema_refuses_of_a_field_the_parser_refuses_too() {
    let validator = validator();
    let schema = definition::json_schema();
    let (mut tried, mut accepted, mut refused) = (0, 0, 0);
    for (kind, place) in PLACES.iter().chain(&WITHIN) {
        let fields = schema["$defs"][kind]["properties"].as_object().unwrap();
        for field in fields.keys().map(String::as_str).chain(["unknown"]) {
            for value in VALUES.iter().chain(&MAPS) {
                let source = place.replace('@', &format!("{field}: {value}"));
                let by_schema = told(&validator, &source);
                tried += 1;
                refused += usize::from(!by_schema.is_empty());
                if definition::parse(&source, "f").is_ok() {
                    accepted += 1;
                    assert_eq!(by_schema, [""; 0], "the parser accepts this:\n{source}");
                }
            }
        }
    }
    // Otherwise nothing was tried.
    assert!(accepted > 500 && refused > 5_000 && tried > 10_000, "{tried} {accepted} {refused}");
}

#[test]
fn each_kind_of_map_is_tried() {
    let schema = definition::json_schema();
    let with_fields = |(_, kind): &(&String, &Value)| kind["properties"].is_object();
    let kinds =
        schema["$defs"].as_object().unwrap().iter().filter(with_fields).map(|(name, _)| name.as_str());
    for kind in kinds {
        assert!(PLACES.iter().chain(&WITHIN).any(|(tried, _)| *tried == kind), "add a place for `{kind}`");
    }
}
