//! What the schema finds by itself: the slips that an editor can mark while somebody types.

use millrace_domain::definition;

use crate::{told, validator};

#[test]
fn slips_are_found_by_the_schema_and_refused_by_the_parser() {
    let validator = validator();
    let step = |fields: &str| format!("name: w\nsteps: [{{name: a, {fields}}}]\n");
    let with = |fields: &str| format!("name: w\n{fields}\nsteps: [{{name: a, run: x}}]\n");
    let bad = [
        "name: w\n".to_owned(),
        "steps: [{name: a, run: x}]\n".to_owned(),
        "name: My Flow\nsteps: [{name: a, run: x}]\n".to_owned(),
        "- name: w\n".to_owned(),
        "name: w\nsteps: []\n".to_owned(),
        "name: w\nsteps: [{run: x}]\n".to_owned(),
        "name: w\nsteps: [{name: load-data, run: x}]\n".to_owned(),
        with("stesp: []"),
        with("timeout: 30"),
        with("timeout: 1.5h"),
        with("priority: 11"),
        with("priority: high"),
        with("catchup: latest"),
        with("concurrency: 0"),
        with("concurrency: {limit: 1, policy: forbid}"),
        with("concurrency: {key: region}"),
        with("concurrency: {on_full: merge}"),
        with("concurrency: {group: a}"),
        with("schedule: []"),
        with("schedule: {every: 5m, timezone: UTC}"),
        with("schedule: {every: 5m, cron: \"0 2 * * *\"}"),
        with("params: {a: 1}"),
        with("params: [{name: a, type: integer}]"),
        with("params: [{name: a, type: enum}]"),
        with("params: [{name: a, values: [x]}]"),
        with("env: {MILLRACE_X: y}"),
        with("env: {A-B: y}"),
        with("defaults: {priority: P1}"),
        step("timeout: 3s"),
        step("run: x, uses: noop"),
        step("run: \"  \""),
        step("run: \"echo ${{ params.x }}\""),
        step("run: x, with: {a: 1}"),
        step("uses: noop, shell: [bash, -c]"),
        step("run: x, shell: bash"),
        step("run: x, depends_on: b"),
        step("run: x, depends_on: [{status: failed}]"),
        step("run: x, depends_on: [{step: b, status: failure}]"),
        step("run: x, trigger_rule: all_done"),
        step("run: x, not_before: 8am"),
        step("run: x, at_most_once: yes"),
        step("run: x, needs: [b]"),
        step("run: x, retry: 3"),
        step("run: x, retry: {limit: 101}"),
        step("run: x, retry: {backoff: 0.5}"),
        step("run: x, retry: {outcomes: [lost]}"),
        step("uses: docker"),
        step("uses: http"),
        step("uses: http, with: {url: example.com}"),
        step("uses: http, with: {url: \"https://x\", method: post}"),
        step("uses: http, with: {url: \"https://x\", expect: 99}"),
        step("uses: http, with: {url: \"https://x\"}, working_dir: /tmp"),
        step("uses: noop, with: {a: 1}"),
        step("uses: wait"),
        step("uses: wait, with: {for: 1s, until: \"08:00\"}"),
        step("uses: wait, with: {for: 30}"),
        step("uses: wait, with: {for: 1s}, pool: gpu"),
    ];
    for source in bad {
        assert!(definition::parse(&source, "f").is_err(), "the parser accepts:\n{source}");
        assert!(!told(&validator, &source).is_empty(), "the schema accepts:\n{source}");
    }
}

#[test]
fn what_is_not_supported_yet_is_in_no_place_of_the_schema() {
    let validator = validator();
    for field in ["triggers: []", "deadline: \"06:00\"", "namespace: x", "alerts: []"] {
        let source = format!("name: w\n{field}\nsteps: [{{name: a, run: x}}]\n");
        assert!(
            definition::parse(&source, "f").unwrap_err().to_string().contains("not supported yet"),
            "{field}"
        );
        assert!(!told(&validator, &source).is_empty(), "{field}");
    }
}
