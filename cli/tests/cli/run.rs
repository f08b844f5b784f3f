//! `run` on one machine: what it prints, and with which status it ends.

use serde_json::Value;

use crate::binary::{command, file, finish, millrace, step, until};

const FAILS: &str = "name: fails
steps:
  - name: broken
    run: |
      echo 'the disk is full' >&2
      exit 7
  - {name: next, depends_on: [broken], run: 'true'}
";

#[test]
fn without_follow_it_prints_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "w.yaml", "name: w\nsteps: [{name: one, run: echo seen}]\n");
    let ended = millrace(folder.path(), &["run", &path]).with(0);
    assert!(ended.stdout.starts_with("run ") && ended.stdout.contains(" succeeded in "), "{}", ended.stdout);
    assert_eq!((ended.stdout.lines().count(), ended.stderr.as_str()), (1, ""));
}

#[test]
fn what_a_run_hands_on_is_told_at_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let source = "name: w\nsteps:\n  - name: one\n    run: echo '{\"rows\":5}' > \"$MILLRACE_OUTPUT\"\n\
        outputs: {rows: \"${{ outputs.one.rows }}\", day: monday}\n";
    let path = file(folder.path(), "w.yaml", source);
    let ended = millrace(folder.path(), &["run", &path]).with(0);
    assert_eq!(ended.stdout.lines().nth(1), Some("outputs day=monday rows=5"), "{}", ended.stdout);
    let run = millrace(folder.path(), &["run", &path, "-o", "json"]).with(0).json();
    assert_eq!(run["outputs"], serde_json::json!({"rows": 5, "day": "monday"}));
    let path = file(folder.path(), "f.yaml", &source.replace("outputs.one.rows", "outputs.one.rosw"));
    let ended = millrace(folder.path(), &["run", &path]).with(3);
    assert!(ended.stdout.contains("failed") && ended.stdout.contains("output `rows` cannot be rendered"));
}

#[test]
fn a_failed_run_ends_with_3_and_says_which_step_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "fails.yaml", FAILS);
    let ended = millrace(folder.path(), &["run", &path]).with(3);
    assert!(ended.stdout.contains("failed") && ended.stdout.contains("broken"), "{}", ended.stdout);
    let followed = millrace(folder.path(), &["run", &path, "--follow"]).with(3);
    followed.says(&[
        "broken | the disk is full",
        "✖ broken failed",
        "exit code 7: the disk is full",
        "⊘ next skipped",
    ]);
}

#[test]
fn json_stands_alone_on_standard_output_in_every_format_and_case() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "fails.yaml", FAILS);
    let run = millrace(folder.path(), &["run", &path, "--follow", "-o", "json"]).with(3).json();
    assert_eq!((step(&run, "broken")["code"].as_i64(), run["state"].as_str()), (Some(7), Some("failed")));
    let lines = millrace(folder.path(), &["run", &path, "--follow", "-o", "jsonl"]).with(3).stdout;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.last().unwrap()["state"], "failed");
}

#[test]
fn a_wait_that_is_too_long_ends_with_124_and_nothing_of_the_task_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let path =
        file(folder.path(), "slow.yaml", "name: slow\nsteps: [{name: one, run: echo $$ > pid; sleep 600}]\n");
    let ended = millrace(folder.path(), &["run", &path, "--wait-timeout", "1s"]).with(124);
    ended.says(&["has not ended within 1.0s"]);
    let pid = std::fs::read_to_string(folder.path().join("pid")).unwrap();
    until("the task is gone", || (!is_alive(pid.trim())).then_some(()));
}

/// Is a process there, and no zombie?
pub(crate) fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn what_was_typed_wrong_ends_with_2_and_says_what_to_type() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        folder.path(),
        "w.yaml",
        "name: w\nparams: [{name: n, type: int, default: 1}]\nsteps: [{name: one, run: 'true'}]\n",
    );
    let cases: [(&[&str], &[&str]); 7] = [
        (&["run"], &["<FILE>"]),
        (&["runn", "x"], &["runn", "run"]),
        (&["run", &path, "-p", "n"], &["expected NAME=VALUE"]),
        (&["run", &path, "-p", "n=many"], &["param n", "many"]),
        (&["run", &path, "-p", "m=1"], &["param m", "n"]),
        (&["run", &path, "--wait-timeout", "10"], &["10", "10s"]),
        (&["run", &path, "--concurrency", "0"], &["--concurrency", "1 to 10000"]),
    ];
    for (arguments, parts) in cases {
        millrace(folder.path(), arguments).with(2).says(parts);
    }
    millrace(folder.path(), &["run", "absent.yaml"]).with(1).says(&["absent.yaml", "No such file"]);
}

#[test]
fn steps_start_in_the_folder_of_the_file_wherever_the_command_was_typed() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let path = file(
        folder.path(),
        "w.yaml",
        "name: w\nsteps: [{name: one, run: 'echo \"at=$(pwd -P)\" >> \"$MILLRACE_OUTPUT\"'}]\n",
    );
    let run = millrace(elsewhere.path(), &["run", &path, "-o", "json"]).with(0).json();
    assert_eq!(step(&run, "one")["outputs"]["at"], folder.path().canonicalize().unwrap().to_str().unwrap());
}

#[test]
fn a_task_sees_nothing_of_the_environment_that_was_not_passed() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        folder.path(),
        "w.yaml",
        "name: w\nsteps: [{name: one, run: 'echo \"$LENT-$OWN-$MILLRACE_TOKEN\"'}]\n",
    );
    let mut command = command(folder.path(), &["run", &path, "--follow", "--pass-env", "LENT"]);
    command.env("LENT", "lent").env("OWN", "own").env("MILLRACE_TOKEN", "s3cret");
    finish(command.spawn().unwrap()).with(0).says(&["one | lent--\n"]);
}
