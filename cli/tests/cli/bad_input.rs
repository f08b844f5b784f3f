//! Tasks and definitions that cannot work: each says what is wrong and what to do, and nothing hangs.

use serde_json::{Value, json};

use crate::binary::{Ended, file, millrace, step};
use crate::dev::Dev;

/// Runs a definition that must fail, and returns its run.
#[track_caller]
fn failed(text: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "w.yaml", text);
    millrace(folder.path(), &["run", &path, "-o", "json"]).with(3).json()
}

/// Runs a definition that must fail, and returns why the step `one` failed.
#[track_caller]
fn reason(text: &str) -> String {
    step(&failed(text), "one")["reason"].as_str().unwrap().to_owned()
}

/// Runs a definition that must be refused, and returns what was said.
#[track_caller]
fn refused(text: &str, arguments: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "w.yaml", text);
    let ended = millrace(folder.path(), &[&["run", &path], arguments].concat());
    assert!([1, 2].contains(&ended.code), "{ended:?}");
    ended
}

#[test]
fn a_program_that_is_missing_or_not_executable_is_named() {
    let missing = reason("name: w\nsteps: [{name: one, run: no_such_program --now}]\n");
    assert!(missing.contains("127") && missing.contains("no_such_program"), "{missing}");
    let missing = reason("name: w\nsteps: [{name: one, run: x, shell: [no_such_shell, -c]}]\n");
    assert!(missing.contains("`no_such_shell` was not found") && missing.contains("PATH="), "{missing}");
    let text = "name: w\nsteps: [{name: one, run: 'echo >plain; ./plain'}]\n";
    let blocked = reason(text);
    assert!(blocked.contains("126") && blocked.contains("plain"), "{blocked}");
    let text = "name: w\nsteps: [{name: one, run: x, shell: [./w.yaml, -c]}]\n";
    let blocked = reason(text);
    assert!(blocked.contains("is not executable: chmod +x"), "{blocked}");
}

#[test]
fn a_working_directory_that_is_missing_is_named_with_the_way_out() {
    let missing = reason("name: w\nsteps: [{name: one, run: 'true', working_dir: absent/deep}]\n");
    assert!(missing.contains("absent/deep does not exist") && missing.contains("working_dir"), "{missing}");
}

#[test]
fn output_over_its_bound_loses_its_middle_with_a_note_and_the_result_is_kept() {
    let dev = Dev::start(&[]);
    // 40 MB, past any log budget, and the cause last.
    let id = dev.submit("yes 'a line of text that is long enough to fill a log quickly' | head -c 40000000; echo rows=7 >> \"$MILLRACE_OUTPUT\"; echo the cause");
    let run = dev.ended(&id);
    assert_eq!((&run["state"], &run["steps"][0]["outputs"]), (&json!("succeeded"), &json!({"rows": "7"})));
    let log = dev.cli(&["runs", "logs", &id]).with(0).stdout;
    assert!((1_000_000..1_100_000).contains(&log.len()), "{} bytes are kept", log.len());
    assert!(log.starts_with("a line of text") && log.ends_with("the cause\n"));
    assert!(log.contains(" lines) are left out here\n"), "no marker between head and tail");
}

#[test]
fn outputs_over_their_bound_fail_the_step_with_the_bound() {
    let big = reason(
        "name: w\nsteps: [{name: one, run: 'printf x= >> \"$MILLRACE_OUTPUT\"; head -c 9000000 /dev/zero | tr \"\\0\" a >> \"$MILLRACE_OUTPUT\"'}]\n",
    );
    assert!(big.contains("outputs are larger than 8388608 bytes"), "{big}");
}

#[test]
fn a_payload_over_its_bound_is_refused_with_the_bound() {
    let dev = Dev::start(&[]);
    let big =
        format!("{{\"run\":\"true\",\"labels\":{{}},\"params\":{{\"x\":\"{}\"}}}}\n", "a".repeat(2_000_000));
    dev.cli_reading(&["submit", "--batch", "-"], &big).with(1).says(&["expected at most 1048576"]);
    let value = format!("x={}", "a".repeat(131_072));
    let folder = tempfile::tempdir().unwrap();
    let lines = format!("{{\"run\":\"true\",\"params\":{{\"x\":\"{}\"}}}}\n", &value[2..]);
    let path = file(folder.path(), "batch", &lines);
    dev.cli(&["submit", "--batch", &path]).with(1).says(&["params", "131072 bytes long: expected at most"]);
}

#[test]
fn a_number_that_would_lose_digits_is_refused_on_every_way_in() {
    let dev = Dev::start(&[]);
    let long = "12345678901234567890123";
    let line = format!("{{\"run\":\"true\",\"params\":{{\"id\":{long}}}}}\n");
    dev.cli_reading(&["submit", "--batch", "-"], &line)
        .with(1)
        .says(&["-:1: `params.id`", "would lose digits"]);
    let message = dev.post("/api/v1/runs", &line).refusal(422, "bad-field");
    assert!(message.starts_with(&format!("`params.id`: {long} would lose digits")), "{message}");
    let text = "name: w\nparams: [{name: p, type: json, default: 1}]\nsteps: [{name: one, run: 'echo $p'}]\n";
    dev.cli(&["apply", &file(dev.folder(), "w.yaml", text)]).with(0);
    let message = dev.post("/api/v1/workflows/w/trigger", &format!("{{\"params\":{{\"p\":{long}}}}}"));
    assert!(message.refusal(422, "bad-field").starts_with("`params.p`"));
    dev.cli(&["workflows", "trigger", "w", "-p", &format!("p={{\"id\": {long}}}")])
        .with(2)
        .says(&["`id`", "would lose digits"]);
    let failed = reason(&format!(
        "name: w\nsteps: [{{name: one, run: 'echo ''{{\"id\": {long}}}'' >> \"$MILLRACE_OUTPUT\"'}}]\n"
    ));
    assert!(failed.contains("outputs: `id`"), "{failed}");
}

#[test]
fn byte_order_marks_in_a_batch_are_passed_over_and_another_encoding_is_named() {
    let dev = Dev::start(&[]);
    let lines = "\u{feff}{\"run\":\"true\"}\n\u{feff}{\"run\":\"true\"}\n";
    dev.cli_reading(&["submit", "--batch", "-"], lines).with(0).says(&["2 accepted, 0 refused"]);
    let path = dev.folder().join("wide.ndjson");
    std::fs::write(&path, b"\xff\xfe{\0}\0").unwrap();
    dev.cli(&["submit", "--batch", path.to_str().unwrap()])
        .with(1)
        .says(&[":1: not UTF-8: save the file as UTF-8"]);
}

#[test]
fn params_that_are_undeclared_or_of_another_type_are_refused_with_what_is_declared() {
    let text = "name: w\nparams: [{name: count, type: int}, {name: day, type: date, default: '2026-01-01'}]\nsteps: [{name: one, run: 'true'}]\n";
    refused(text, &["-p", "cuont=1"]).with(2).says(&["cuont", "count"]);
    refused(text, &["-p", "count=1.5"]).with(2).says(&["count", "1.5"]);
    refused(text, &["-p", "count=1", "-p", "day=tomorrow"]).with(2).says(&["day", "tomorrow"]);
    refused(text, &[]).says(&["count"]);
}

#[test]
fn the_api_refuses_the_same_params_with_the_same_words() {
    let dev = Dev::start(&[]);
    let text = "name: w\nparams: [{name: count, type: int}]\nsteps: [{name: one, run: 'true'}]\n";
    let body = |params: Value| json!({"definition": text, "params": params}).to_string();
    for (params, said) in
        [(json!({"cuont": 1}), "cuont"), (json!({"count": "1"}), "count"), (json!({}), "count")]
    {
        let message = dev.post("/api/v1/runs", &body(params)).refusal(422, "invalid-params");
        assert!(message.contains(said), "{message}");
    }
}

#[test]
fn an_undefined_name_in_an_expression_lists_what_there_is() {
    let text = "name: w\nparams: [{name: day, type: string, default: x}]\nsteps: [{name: one, env: {D: '${{ params.dya }}'}, run: 'true'}]\n";
    refused(text, &[]).with(1).says(&["w.yaml:3:", "dya", "day"]);
    let text = "name: w\nsteps:\n  - {name: first, run: 'echo rows=1 >> \"$MILLRACE_OUTPUT\"'}\n  - {name: one, depends_on: [first], env: {R: '${{ outputs.first.rosw }}'}, run: 'true'}\n";
    let reason = reason(text);
    assert!(reason.contains("rosw") && reason.contains("rows"), "{reason}");
}

#[test]
fn an_expression_in_run_is_refused_and_names_the_variable_to_use() {
    let text = "name: w\nparams: [{name: day, type: string, default: x}]\nsteps: [{name: one, run: 'echo ${{ params.day }}'}]\n";
    refused(text, &[]).with(1).says(&["w.yaml:3:", "$day"]);
    let dev = Dev::start(&[]);
    dev.cli(&["submit", "--", "echo ${{ params.day }}"]).with(1).says(&["$day"]);
}

#[test]
fn what_is_no_definition_is_refused_in_words() {
    for (text, said) in [
        ("", "name"),
        ("- a\n- b\n", "name"),
        ("name: w\n", "steps"),
        ("name: w\nsteps: []\n", "step"),
        ("name: W!\nsteps: [{name: one, run: 'true'}]\n", "W!"),
        ("name: w\nsteps: [{name: one}]\n", "run"),
        ("name: w\nsteps: [{name: one, run: 'true'}, {name: one, run: 'true'}]\n", "one"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = file(folder.path(), "w.yaml", text);
        millrace(folder.path(), &["validate", &path]).with(1).says(&["w.yaml", said]);
    }
}
