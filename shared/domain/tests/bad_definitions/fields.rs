//! Fields: unknown ones, and values that do not fit.

use crate::fixture::{only, problems, step, with};

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
fn what_a_later_release_will_do_is_refused_as_such() {
    for field in [
        "triggers: [{event: x}]",
        "deadline: \"06:00\"",
        "calendar: c",
        "catchup: latest",
        "catchup: all",
        "catchup_window: 10m",
        "dst_gap: skip",
        "dst_fold: first",
        "schedule: {cron: \"0 2 * * *\", dst_gap: skip}",
        "schedule: {cron: \"0 2 * * *\", calendar: c}",
    ] {
        let told = only(&with(field));
        assert!(told.contains("is not supported yet [not-supported-yet]"), "{told}");
    }
    for field in ["broadcast: true", "resources: {cpu: 1}"] {
        let told = only(&step(&format!("run: x\n{field}")));
        assert!(told.contains("is not supported yet") && told.contains("[not-supported-yet]"), "{told}");
    }
    for executor in ["docker", "kubernetes", "sql", "handler", "email"] {
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
fn when_a_step_starts_is_said_in_words_that_there_are() {
    for (field, told) in [
        ("trigger_rule: all_done", "write all_finished"),
        ("trigger_rule: one_succes", "did you mean `one_success`?"),
        ("trigger_rule: one_failed", "give it `depends_on`"),
        ("trigger_rule: none_failed_min_one_success", "write a `status` for each dependency"),
        ("if: 3", "`3` is neither true nor false"),
        ("if: params.x > 3", "`params.x` is not declared"),
        ("if: outputs.b.n > 3", "does not depend on `b`"),
        ("if: \"${{ 1 == 1 }} and\"", "expected one expression that is true or false"),
        ("if: 1 +", "cannot be read"),
        ("not_before: 8am", "expected a time of day in quotes, such as \"08:00\""),
        ("not_before: \"25:00\"", "expected a time of day in quotes"),
        ("continue_on_error: yes", "write true"),
        ("depends_on: [{step: b, status: failure}]", "write failed"),
        ("depends_on: [{step: b, status: always}]", "write finished"),
        ("depends_on: [{step: b, status: sucess}]", "did you mean `success`?"),
        ("depends_on: [{status: failed}]", "write {step: extract, status: failed}"),
        ("depends_on: [{step: b}, b]", "depends on `b` twice"),
        ("depends_on: {step: b}", "write a list"),
        ("allow_failure: true", "write continue_on_error: true"),
        ("when: x", "write if: outputs.extract.rows > 0"),
    ] {
        let told_of = only(&format!("{}  - {{name: b, run: x}}\n", step(&format!("run: x\n{field}"))));
        assert!(told_of.contains(told), "{field}: {told_of}");
    }
}

#[test]
fn a_wait_says_for_how_long_or_until_when_and_takes_nothing_of_a_task() {
    for (fields, told) in [
        ("uses: wait", "`wait` needs `for` or `until`"),
        ("uses: wait\nwith: {}", "needs either `for` or `until`, found neither"),
        ("uses: wait\nwith: {for: 1s, until: \"08:00\"}", "found both"),
        ("uses: wait\nwith: {for: 30}", "30s"),
        ("uses: wait\nwith: {for: 400d}", "expected at most 366d"),
        ("uses: wait\nwith: {until: soon}", "neither a time of day"),
        ("uses: wait\nwith: {until: \"2026-03-01T08:00:00\"}", "does not say which time zone"),
        ("uses: wait\nwith: {for: 1s}\npool: gpu", "`pool` does not go with `uses: wait`"),
        ("uses: wait\nwith: {for: 1s}\nretry: {limit: 1}", "`retry` does not go with `uses: wait`"),
    ] {
        let told_of = only(&step(fields));
        assert!(told_of.contains(told), "{fields}: {told_of}");
    }
}

#[test]
fn limits_of_a_param_fit_its_type_and_its_default_fits_them() {
    for (fields, told) in [
        ("type: int, min: x", "`min`: expected a whole number"),
        ("type: int, min: 1.5", "`min`: expected a whole number"),
        ("type: int, min: 3, max: 2", "`max` is below `min`"),
        ("type: date, max: tomorrow", "`max`: expected a date"),
        ("type: bool, min: 1", "`min` goes with the types int, float and date only"),
        ("type: int, pattern: x", "`pattern` goes with the types string and path only"),
        ("pattern: \"(\"", "`pattern`: "),
        ("pattern: \"a)|(?:b\"", "`pattern`: "),
        ("type: int, max: 3, default: 4", "`default`: expected at most 3, found 4"),
        ("pattern: \"[a-z]+\", default: A", "`default`: expected a text that matches `[a-z]+`"),
    ] {
        let told_of =
            only(&format!("name: w\nparams: [{{name: p, {fields}}}]\nsteps: [{{name: a, run: x}}]\n"));
        assert!(told_of.contains(told), "{fields}: {told_of}");
    }
}

/// What is wrong with a param is told once, and not again wherever it is used.
#[test]
fn a_param_of_which_something_is_wrong_is_declared_all_the_same() {
    let source = "name: w\nschedule: \"@daily\"\nparams:\n  - {name: a, type: integer, default: 1}\n  - {name: b, type: int, default: x}\n\
                  steps: [{name: s, run: x, env: {A: \"${{ params.a }}\", B: \"${{ params.b }}\"}}]\n";
    let codes: Vec<&str> = problems(source).iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["bad-value", "bad-default"]);
}
