//! `validate`: every problem of every file at once, each with its place and a stable code.

use serde_json::Value;

use crate::binary::{file, millrace};
use crate::dev::Dev;

#[test]
fn all_problems_of_all_files_are_listed_with_file_line_column_and_code() {
    let folder = tempfile::tempdir().unwrap();
    file(
        folder.path(),
        "one.yaml",
        "name: one\nschedule: \"61 * * * *\"\nsteps:\n  - {name: a-b, run: 'true'}\n  - {name: c, rnu: 'true'}\n",
    );
    file(
        folder.path(),
        "two.yaml",
        "name: two\nsteps:\n  - {name: a, run: 'true', depends_on: [b]}\n  - {name: b, run: 'true', depends_on: [a]}\n",
    );
    file(folder.path(), "good.yaml", "name: good\nsteps: [{name: a, run: 'true'}]\n");
    file(folder.path(), "three.yaml", "name: three\nsteps: [\n");
    let files = ["one.yaml", "two.yaml", "good.yaml", "three.yaml", "absent.yaml"];
    let ended = millrace(folder.path(), &[&["validate"], &files[..]].concat()).with(1);
    ended.says(&[
        "one.yaml:2:",
        "one.yaml:4:",
        "one.yaml:5:",
        "two.yaml:",
        "three.yaml:",
        "absent.yaml",
        "problems",
    ]);
    assert_eq!(ended.stdout, "good.yaml: ok (good)\n");

    let json = millrace(folder.path(), &[&["validate", "-o", "json"], &files[..]].concat()).with(1).json();
    let ok: Vec<&Value> = json.as_array().unwrap().iter().map(|file| &file["ok"]).collect();
    assert_eq!(ok, [false, false, true, false, false]);
    for file in json.as_array().unwrap() {
        for problem in file["problems"].as_array().unwrap() {
            assert!(problem["code"].is_string() && problem["message"].is_string(), "{problem}");
            assert!(file["file"] == "absent.yaml" || problem["line"].as_u64() > Some(0), "{problem}");
            assert!(file["file"] == "absent.yaml" || problem["column"].as_u64() > Some(0), "{problem}");
        }
    }
}

#[test]
fn what_other_schedulers_got_wrong_has_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let step = "steps: [{name: a, run: 'true'}]\n";
    let cases = [
        (format!("name: w\nschedule: @daily\n{step}"), "\"@daily\""),
        (format!("name: w\nschedule: */5 * * * *\n{step}"), "\"*/5 * * * *\""),
        (format!("name: w\ntimeout: 30\n{step}"), "30s"),
        (format!("name: w\ntimezone: Shanghai\n{step}"), "Shanghai"),
        ("name: w\nsteps: [{name: a, run: 'echo ${{ params.x }}'}]\n".to_owned(), "$x"),
        ("name: w\nsteps: [{name: a, run: 'true', env: {X: '${{ outputs.b.rows }}'}}]\n".to_owned(), "b"),
        ("name: w\nsteps: [{name: a, run: 'true', depends_on: [b]}]\n".to_owned(), "b"),
    ];
    for (text, hint) in cases {
        file(folder.path(), "w.yaml", &text);
        millrace(folder.path(), &["validate", "w.yaml"]).with(1).says(&["w.yaml:", hint]);
    }
}

#[test]
fn what_can_never_start_is_warned_of_by_each_command_that_reads_a_file_and_refused_by_none() {
    let dev = Dev::start(&[]);
    let text = "name: w\nsteps:\n  - {name: a, run: 'true', continue_on_error: true}\n  - {name: b, run: 'true', depends_on: [{step: a, status: failed}]}\n";
    let path = file(dev.folder(), "w.yaml", text);
    let warning =
        ["warning: ", "w.yaml:4:", "step `b` can never start", "[rule-never-holds]", "hint: `a` has"];
    let valid = millrace(dev.folder(), &["validate", &path]).with(0);
    valid.says(&warning);
    assert!(valid.stdout.contains("ok (w)"), "{}", valid.stdout);
    let json = millrace(dev.folder(), &["validate", "-o", "json", &path]).with(0).json();
    assert_eq!(json[0]["warnings"][0]["code"], "rule-never-holds");
    dev.cli(&["apply", &path]).with(0).says(&warning);
    dev.cli(&["run", &path]).with(0).says(&warning);
    let body = serde_json::json!({"definition": text, "file": "w.yaml"}).to_string();
    let answer = dev.post("/api/v1/workflows", &body).json(200)["workflows"][0].clone();
    assert_eq!(
        (answer["warnings"][0]["line"].as_u64(), answer["warnings"].as_array().map(Vec::len)),
        (Some(4), Some(1))
    );
}
