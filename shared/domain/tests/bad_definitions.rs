//! What is said about a definition that is wrong: each mistake by its code, its place and its message.
#![expect(clippy::expect_used, reason = "a test fails by panicking, in its small functions too")]

use millrace_domain::definition::{self, Problem};

fn problems(source: &str) -> Vec<Problem> {
    definition::parse(source, "f.yaml").expect_err("expected problems").0
}

/// The only problem of `source`, as a user sees it.
fn only(source: &str) -> String {
    let problems = problems(source);
    assert_eq!(problems.len(), 1, "{source}\n{problems:#?}");
    problems[0].to_string()
}

/// A sound workflow with `fields` above its one step.
fn with(fields: &str) -> String {
    format!("name: w\n{fields}\nsteps: [{{name: a, run: x}}]\n")
}

/// A sound workflow with `fields` in its one step.
fn step(fields: &str) -> String {
    let fields = fields.replace('\n', "\n    ");
    format!("name: w\nsteps:\n  - name: a\n    {fields}\n")
}

#[test]
fn a_cycle_is_named_step_by_step() {
    let source = "
name: w
steps:
  - {name: a, run: x, depends_on: [c]}
  - {name: b, run: x, depends_on: [a]}
  - {name: c, run: x, depends_on: [b]}
";
    assert_eq!(
        only(source),
        "f.yaml:4:36: steps wait for each other: a -> c -> b -> a [dependency-cycle]\n  \
         hint: each depends on the next; remove one of these dependencies"
    );
}

#[test]
fn unknown_duplicate_and_self_dependencies_are_each_said_at_their_place() {
    let source = "
name: w
steps:
  - {name: extract, run: x}
  - {name: load, run: x, depends_on: [extrct, extract, extract, load]}
";
    let told: Vec<String> = problems(source).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "f.yaml:5:39: step `load` depends on `extrct`, which does not exist [unknown-dependency]\n  \
             hint: did you mean `extract`?",
            "f.yaml:5:56: step `load` depends on `extract` twice [duplicate-dependency]\n  \
             hint: remove one of them",
            "f.yaml:5:65: step `load` depends on itself [self-dependency]",
        ]
    );
}

#[test]
fn two_steps_of_one_name_and_two_workflows_of_one_name_are_refused() {
    assert!(
        only("name: w\nsteps:\n- {name: a, run: x}\n- {name: a, run: y}\n")
            .contains("4:10: step `a` is defined twice: it is in line 3 too [duplicate-step]")
    );
    let twice = format!("{}---\n{}", with(""), with(""));
    assert!(only(&twice).contains("workflow `w` is defined twice: it is in line 1 too [duplicate-workflow]"));
}

#[test]
fn an_unknown_field_is_answered_with_the_one_that_was_meant() {
    let told: Vec<String> = problems("name: w\nstesp: []\n").iter().map(ToString::to_string).collect();
    assert_eq!(told[1], "f.yaml:2:1: unknown field `stesp` [unknown-field]\n  hint: did you mean `steps`?");
    assert!(told[0].contains("a workflow needs `steps` [missing-field]"));
    assert!(only(&step("run: x\ntimeuot: 3s")).contains("did you mean `timeout`?"));
    assert!(only(&step("run: x\nneeds: [b]")).contains("write depends_on: [extract]"));
    assert!(only(&with("defaults: {priority: P1}")).contains("`priority` is a field of the workflow"));
    assert!(only(&with("\u{feff}zzz: 1")).contains("a byte order mark must not appear inside a document"));
    assert!(only(&with("zzz: 1")).contains("the fields of a workflow are name, description"));
}

#[test]
fn a_file_without_a_workflow_says_what_is_expected() {
    for source in ["", "# nothing\n", "---\n---\n", "\u{feff}"] {
        let told = only(source);
        assert!(told.starts_with(
            "f.yaml:1:1: no workflow here: expected a document with a name and steps [empty-file]"
        ));
    }
    assert!(only("- name: w\n").contains("expected a workflow, found a list"));
    assert!(only("hello\n").contains("expected a workflow, found `hello`"));
    assert!(only(&with("").replace("[{name: a, run: x}]", "[]")).contains("0 steps: expected 1 to 100000"));
}

#[test]
fn a_key_that_is_given_twice_is_said_at_the_second() {
    assert_eq!(
        only(&with("timeout: 3s\ntimeout: 4s")),
        "f.yaml:3:1: `timeout` is given twice: expected each key once [duplicate-key]"
    );
    let labels: String = (0..40).map(|n| format!("  l{}: x\n", n % 39)).collect();
    assert!(only(&with(&format!("labels:\n{labels}"))).contains("42:3: `l0` is given twice"));
}

#[test]
fn deep_nesting_ends_with_an_error_and_not_with_the_stack() {
    for source in [
        format!("a: {}", "[".repeat(5000)),
        "- ".repeat(500_000),
        format!("{}1", "{a: ".repeat(200)),
        (0..200).map(|n| format!("{}a:\n", " ".repeat(n))).collect(),
    ] {
        let told = only(&source);
        assert!(told.contains("nested too deep: expected at most 64 levels [nested-too-deep]"), "{told}");
    }
}

#[test]
fn aliases_anchors_tags_and_directives_are_refused_so_nothing_can_explode() {
    let mut bomb = "a0: &a0 [x, x]\n".to_owned();
    for n in 1..40 {
        bomb.push_str(&format!("a{n}: &a{n} [*a{}, *a{}]\n", n - 1, n - 1));
    }
    let told = problems(&bomb);
    assert!(told.len() <= 100, "{}", told.len());
    assert!(told.iter().any(|p| p.message == "anchors (`&name`) are not supported"));
    assert!(told.iter().any(|p| p.message == "aliases (`*name`) are not supported"));
    assert!(only(&with("description: !!str 5")).contains("tags (`!name`) are not supported"));
    assert!(
        only(&format!("%YAML 1.2\n---\n{}", with(""))).contains("1:1: YAML directives are not supported")
    );
    let second = format!("{}...\n%YAML 1.2\n---\n{}", with(""), with("").replace("name: w", "name: v"));
    assert!(only(&second).contains("f.yaml:5:1: YAML directives are not supported"));
}

#[test]
fn a_huge_file_is_refused_by_its_size_alone() {
    let huge = vec![b'x'; 10 * 1024 * 1024];
    let told = definition::parse_bytes(&huge, "f.yaml").unwrap_err().to_string();
    assert_eq!(
        told,
        "f.yaml:1:1: the file is 10485760 bytes long: expected at most 4194304 [file-too-large]"
    );
    assert!(only(&String::from_utf8(huge).unwrap()).contains("[file-too-large]"));
}

#[test]
fn bytes_that_are_no_utf8_are_said_with_line_column_and_offset() {
    let mut bytes = "name: w\ndescription: é".as_bytes().to_vec();
    bytes.push(0xff);
    let told = definition::parse_bytes(&bytes, "f.yaml").unwrap_err().to_string();
    assert_eq!(told, "f.yaml:2:15: byte 23 is not UTF-8 [invalid-utf8]\n  hint: save the file as UTF-8");
}

#[test]
fn a_duration_without_unit_and_a_negative_one_say_what_to_write() {
    assert_eq!(
        only(&with("timeout: 30")),
        "f.yaml:2:10: `timeout`: a bare number has no unit; write 30s [bad-duration]"
    );
    assert!(only(&with("timeout: -5s")).contains("`timeout`: \"-5s\" must be positive; write 5s"));
    assert!(only(&step("run: x\ntimeout: 0s")).contains("must be positive"));
    assert!(
        only(&step("run: x\ntimeout: [1s]"))
            .contains("`timeout` must be a duration such as 30s, found a list")
    );
    assert!(
        only(&step("run: x\ntimeout:")).contains("`timeout` has no value: expected a duration such as 30s")
    );
    assert!(only(&with("schedule: {every: 5}")).contains("write 5s"));
}

#[test]
fn a_priority_out_of_range_is_answered_with_the_range() {
    assert_eq!(
        only(&with("priority: 11")),
        "f.yaml:2:11: priority 11 is out of range: expected P0 to P3, or a number from 0 to 9 (9 is the most \
         urgent) [bad-priority]"
    );
    assert!(only(&with("priority: high")).contains("expected P0 to P3"));
}

#[test]
fn booleans_are_true_and_false_only() {
    for (word, hint) in [("yes", "write true"), ("No", "write false"), ("\"true\"", "remove the quotes")] {
        let told = only(&step(&format!("run: x\nat_most_once: {word}")));
        assert!(told.contains("must be true or false") && told.contains(hint), "{told}");
    }
}

#[test]
fn an_undefined_name_in_an_expression_is_found_before_anything_runs() {
    let told = only(&step("run: x\nenv: {A: \"${{ item }}\"}"));
    assert!(
        told.starts_with(
            "f.yaml:5:14: unknown name `item` in an expression: expected one of params, outputs, run, fire [unknown-name]"
        ),
        "{told}"
    );
    assert!(only(&with("env: {A: \"${{ 1 + }}\"}")).contains("[expression-syntax]"));
    assert!(only(&with("env: {A: \"${{ params.x\"}")).contains("never closed"));
}

#[test]
fn an_undeclared_param_is_answered_with_those_that_are_declared() {
    let source =
        with("params: [{name: date, default: x}, {name: n, default: y}]\nenv: {A: \"${{ params.dat }}\"}");
    assert_eq!(
        only(&source),
        "f.yaml:3:10: `params.dat` is not declared; params: date, n [undeclared-param]\n  hint: did you mean `date`?"
    );
    assert!(only(&with("env: {A: \"${{ params.x }}\"}")).contains("no params are declared"));
    let later = with("params: [{name: a, default: \"${{ params.b }}\"}, {name: b, default: y}]");
    assert!(only(&later).contains("no params are declared before this one"));
}

#[test]
fn outputs_must_come_from_a_step_that_is_waited_for() {
    let source = "
name: w
steps:
  - {name: a, run: x}
  - {name: b, run: x, env: {A: \"${{ outputs.a.rows }}\"}}
";
    assert_eq!(
        only(source),
        "f.yaml:5:32: step `b` does not depend on `a`, whose outputs it uses [not-a-dependency]\n  \
         hint: add `a` to depends_on of `b`"
    );
    assert!(only(&source.replace("outputs.a", "outputs.aa")).contains("`outputs.aa`: there is no such step"));
    assert!(only(&source.replace("outputs.a", "outputs.b")).contains("step `b` cannot use its own outputs"));
    assert!(only(&with("env: {A: \"${{ outputs.a.x }}\"}")).contains("there are no outputs yet"));
    assert!(
        only(&with("params: [{name: p, default: \"${{ run.id }}\"}]"))
            .contains("`run` cannot be used in a default")
    );
}

#[test]
fn an_expression_in_run_names_the_variable_to_use_instead() {
    let source = step("run: python3 x.py --date ${{ params.date }}");
    assert_eq!(
        only(&source),
        "f.yaml:4:10: `run` is never templated: `${{ params.date }}` would stay as it is [expression-in-run]\n  \
         hint: params are environment variables: write \"$date\""
    );
    assert!(
        only(&step("run: echo ${{ outputs.a.rows }}")).contains("env: {NAME: \"${{ outputs.a.rows }}\"}")
    );
    assert!(only(&step("run: echo ${{")).contains("[expression-in-run]"));
}

#[test]
fn a_hyphen_in_the_name_of_a_step_or_param_is_answered_with_an_underscore() {
    let told = only("name: w\nsteps: [{name: load-data, run: x}]\n");
    assert!(told.contains("use _ instead of -: \"load_data\" [bad-name]"), "{told}");
    assert!(only(&with("params: [{name: a-b, default: x}]")).contains("\"a_b\""));
    assert!(only(&with("").replace("name: w", "name: My Flow")).contains("hint: write my_flow"));
    assert!(only(&with("").replace("name: w", "name: adhoc")).contains("the name `adhoc` is taken"));
}

#[test]
fn a_schedule_that_yaml_cannot_read_unquoted_is_answered_with_the_quotes() {
    for (value, quoted) in
        [("@daily", "\"@daily\""), ("*/5 * * * *", "\"*/5 * * * *\""), ("* * * * *", "\"* * * * *\"")]
    {
        let told = only(&with(&format!("schedule: {value}")));
        assert!(told.starts_with("f.yaml:2:"), "{told}");
        assert!(told.contains("unless it is quoted [yaml-syntax]"), "{told}");
        assert!(told.contains(&format!("hint: write {quoted}")), "{told}");
    }
    assert!(only(&with("schedule: {cron: @daily}")).contains("write \"@daily\""));
}

#[test]
fn text_that_is_not_yaml_is_one_problem_at_its_place() {
    let told = only("name: w\nsteps:\n  - name: a\n    run: echo a: b\n");
    assert!(
        told.starts_with("f.yaml:4:") && told.contains("[yaml-syntax]") && told.contains("quote a text"),
        "{told}"
    );
    assert!(only("name: w\nsteps:\n\t- name: a\n").contains("indent with spaces"));
    assert!(only("name: \"w\nsteps: []\n").contains("[yaml-syntax]"));
    assert!(only(&step("run: x\nenv: {A: ${{ params.x }}}")).contains("quote the expression"));
    assert!(only(&step("run: x\nenv:\n  A: {{ params.x }}")).contains("expected a name before the colon"));
}

#[test]
fn documents_before_a_syntax_error_are_still_checked() {
    let source = format!("{}---\nname: v\nsteps: [\n---\nname: [", with("timeout: 30"));
    let codes: Vec<&str> = problems(&source).iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["bad-duration", "yaml-syntax"]);
}

#[test]
fn all_problems_are_told_at_once_in_the_order_of_the_file() {
    let source = "
name: W
timeout: 30
priority: 11
colour: red
steps:
  - name: load-data
    run: x
  - name: b
    depends_on: [zzz]
    uses: docker
    retry: {limit: 1000}
";
    let told: Vec<(u32, &str)> =
        problems(source).iter().map(|problem| (problem.line, problem.code)).collect();
    assert_eq!(
        told,
        [
            (2, "bad-name"),
            (3, "bad-duration"),
            (4, "bad-priority"),
            (5, "unknown-field"),
            (7, "bad-name"),
            (10, "unknown-dependency"),
            (11, "not-supported-yet"),
            (12, "out-of-range"),
        ]
    );
}

#[test]
fn a_hundred_problems_are_shown_and_the_rest_is_counted() {
    let steps: String =
        (0..5000).map(|n| format!("  - {{name: s{n}, run: x, depends_on: [t{n}]}}\n")).collect();
    let told = problems(&format!("name: w\nsteps:\n{steps}"));
    assert_eq!(told.len(), 100);
    assert_eq!(told[99].message, "4901 more problems are not shown");
    assert_eq!(told[0].line, 3);
}

#[test]
fn what_a_later_release_will_do_is_refused_as_such() {
    for field in [
        "triggers: [{event: x}]",
        "concurrency: {limit: 1}",
        "deadline: \"06:00\"",
        "calendar: c",
        "catchup: latest",
        "catchup: all",
        "catchup_window: 10m",
        "dst_gap: skip",
        "dst_fold: first",
        "on_failure: []",
        "on_success: []",
        "schedule: {cron: \"0 2 * * *\", dst_gap: skip}",
        "schedule: {cron: \"0 2 * * *\", calendar: c}",
    ] {
        let told = only(&with(field));
        assert!(told.contains("is not supported yet [not-supported-yet]"), "{told}");
    }
    for field in [
        "foreach: {items: x}",
        "if: true",
        "trigger_rule: all_success",
        "shards: 4",
        "broadcast: true",
        "locks: [a]",
        "resources: {cpu: 1}",
        "on_failure: []",
        "depends_on: [{step: b, status: failed}]",
    ] {
        let told = only(&step(&format!("run: x\n{field}")));
        assert!(told.contains("is not supported yet") && told.contains("[not-supported-yet]"), "{told}");
    }
    for executor in ["docker", "kubernetes", "sql", "handler", "wait", "approval", "workflow"] {
        let told = only(&step(&format!("uses: {executor}\nwith: {{anything: 1}}")));
        assert!(told.contains(&format!("`uses: {executor}` is not supported yet")), "{told}");
    }
}

#[test]
fn a_step_needs_exactly_one_of_run_and_uses_and_what_goes_with_it() {
    assert!(only(&step("timeout: 3s")).contains("found neither [one-of-run-uses]"));
    assert!(only(&step("run: x\nuses: noop")).contains("found both [one-of-run-uses]"));
    assert!(only(&step("uses: htp")).contains("did you mean `http`?"));
    assert!(only(&step("uses: noop\nshell: [bash, -c]")).contains("`shell` goes with `run` only"));
    assert!(only(&step("run: x\nwith: {a: 1}")).contains("`with` goes with `uses` only"));
    assert!(only(&step("uses: noop\nworking_dir: /tmp")).contains("`working_dir` goes with `run` only"));
    assert!(only(&step("run: \" \"")).contains("`run` is empty"));
    assert!(only(&step("run: x\nshell: bash")).contains("write [bash, -e, -c]"));
    assert!(only(&step("run: x\ndepends_on: b")).contains("hint: write [b]"));
    assert!(
        only("name: w\nsteps: [{run: x}]\n").contains("f.yaml:2:9: a step needs a `name` [missing-field]")
    );
}

#[test]
fn the_input_of_an_executor_is_checked_field_by_field() {
    for (with, said) in [
        ("{}", "`http` needs `url`"),
        ("{url: example.com}", "must begin with http:// or https://"),
        ("{url: \"https://x\", method: post}", "hint: write POST"),
        ("{url: \"https://x\", method: FETCH}", "must be one of GET, HEAD, POST, PUT, PATCH, DELETE"),
        ("{url: \"https://x\", expect: 99}", "must be a whole number from 100 to 599, found 99"),
        ("{url: \"https://x\", expect: [200, ok]}", "must be a whole number from 100 to 599, found `ok`"),
        ("{url: \"https://x\", expect: []}", "`expect` is empty"),
        ("{url: \"https://x\", headers: [a]}", "`headers` must be a map of names and values"),
        ("{url: \"https://x\", headers: {A: [b]}}", "`A` must be a text"),
        ("{url: \"https://x\", boby: 1}", "did you mean `body`?"),
        ("{url: \"https://x\", body: {a: [\"${{ params.z }}\"]}}", "`params.z` is not declared"),
    ] {
        let told = only(&step(&format!("uses: http\nwith: {with}")));
        assert!(told.contains(said), "{with}: {told}");
    }
    assert!(only(&step("uses: http")).contains("`http` needs `url`"));
    assert!(only(&step("uses: noop\nwith: {a: 1}")).contains("unknown field `a`"));
    assert!(only(&step("uses: shell\nwith: {run: \"${{ params.x }}\"}")).contains("[expression-in-run]"));
}

#[test]
fn names_of_environment_variables_and_params_keep_the_rules() {
    assert!(only(&step("run: x\nenv: {MILLRACE_X: y}")).contains("reserved"));
    assert!(only(&step("run: x\nenv: {HTTP_PROXY: y}")).contains("*_proxy"));
    assert!(only(&step("run: x\nenv: {\"A-B\": y}")).contains("must match [A-Za-z_]"));
    assert!(only(&step("run: x\nenv: {A: }")).contains("write \"\" for an empty value"));
    assert!(only(&step("run: x\nenv: {A: \"a\\0b\"}")).contains("NUL"));
    assert!(only(&with(&format!("env: {{A: {}}}", "x".repeat(200_000)))).contains("expected at most 131069"));
    assert!(only(&with("params: [{name: http_proxy, default: x}]")).contains("*_proxy"));
}

#[test]
fn a_param_is_checked_with_its_default() {
    for (param, said) in [
        ("{name: a, type: integer, default: 1}", "hint: write int"),
        ("{name: a, type: int, default: \"5\"}", "expected a whole number of 64 bits, found the text `5`"),
        ("{name: a, type: int, default: 1.5}", "expected a whole number"),
        ("{name: a, type: bool, default: yes}", "expected true or false"),
        (
            "{name: a, type: date, default: 2026-02-30}",
            "expected a date as YYYY-MM-DD, found the text `2026-02-30`",
        ),
        ("{name: a, type: enum, default: c, values: [x, y]}", "expected one of x, y"),
        ("{name: a, type: enum, default: c}", "needs `values`"),
        ("{name: a, values: [x], default: c}", "`values` goes with `type: enum` only"),
        ("{name: a, default: [1]}", "expected a text"),
        ("{name: a, required: true, default: x}", "a param without a default is required"),
        ("{type: int}", "a param needs a `name`"),
    ] {
        let told = only(&with(&format!("params: [{param}]")));
        assert!(told.contains(said), "{param}: {told}");
    }
    assert!(only(&with("params: [{name: a}, {name: a}]")).contains("declared twice"));
    assert!(only(&with("params: {a: 1}")).contains("write - {name: ..., type: ...}"));
    let many: String = (0..257).map(|n| format!("  - {{name: p{n}}}\n")).collect();
    assert!(only(&with(&format!("params:\n{many}"))).contains("257 params: expected at most 256"));
    assert!(
        only(&with("schedule: \"0 2 * * *\"\nparams: [{name: a}]"))
            .contains("scheduled runs cannot start: param `a` has no default")
    );
}

#[test]
fn a_retry_policy_is_checked_field_by_field() {
    for (retry, said) in [
        ("3", "hint: write {limit: 3}"),
        ("{limit: 101}", "must be a whole number from 0 to 100, found 101"),
        ("{limit: -1}", "must be a whole number from 0 to 100"),
        ("{backoff: 0.5}", "must be a number from 1 to 100, found 0.5"),
        ("{delay: 10}", "write 10s"),
        ("{delay: 10s, max_delay: 1s}", "must not be shorter than `delay`"),
        ("{outcomes: failed}", "write [failed]"),
        ("{outcomes: [fialed]}", "did you mean `failed`?"),
        ("{outcomes: [lost]}", "see at_most_once"),
        ("{attempts: 3}", "counts the retries after the first attempt"),
    ] {
        let told = only(&step(&format!("run: x\nretry: {retry}")));
        assert!(told.contains(said), "{retry}: {told}");
    }
}

#[test]
fn a_schedule_entry_is_one_thing_and_a_zone_goes_with_cron() {
    assert!(only(&with("schedule: {}")).contains("exactly one of cron, every and at"));
    assert!(
        only(&with("schedule: {every: 5m, cron: \"0 2 * * *\"}"))
            .contains("exactly one of cron, every and at")
    );
    assert!(only(&with("schedule: {every: 5m, timezone: UTC}")).contains("`timezone` goes with `cron` only"));
    assert!(only(&with("schedule: []")).contains("`schedule` is empty"));
    assert!(only(&with("schedule: \"0 2 *\"")).starts_with("f.yaml:2:11: "));
    assert!(only(&with("timezone: Asia/Shangai")).starts_with("f.yaml:2:11: "));
}

#[test]
fn problems_are_json_for_programs() {
    let problems = definition::parse(&with("timeout: 30"), "f.yaml").unwrap_err();
    let json = serde_json::to_value(&problems).unwrap();
    assert_eq!(json[0]["code"], "bad-duration");
    assert_eq!(json[0]["line"], 2);
    assert_eq!(json[0].get("hint"), None);
}
