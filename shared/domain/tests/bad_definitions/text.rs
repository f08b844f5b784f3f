//! Texts that are not the YAML that a definition is.

use millrace_domain::definition;

use crate::fixture::{only, problems, step, with};

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
