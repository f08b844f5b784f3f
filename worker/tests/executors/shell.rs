//! How scripts end, and what is said of it.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use millrace_domain::Outcome;
use millrace_store::LogStream;
use millrace_worker::executors::{Execution, Executor};
use millrace_worker::log::LogWriter;
use millrace_worker::stop::{StopHandle, StopReason};
use serde_json::json;

use super::{Bench, script_task, task};

#[tokio::test]
async fn a_script_that_ends_well_succeeds_and_its_output_is_kept_by_stream() {
    let ran = Bench::new().script("echo one; echo two >&2; echo three").await;
    assert_eq!((ran.ended.outcome, ran.ended.code, ran.reason()), (Outcome::Succeeded, Some(0), ""));
    assert_eq!(ran.stdout(), "one\nthree\n");
    assert_eq!(ran.text(LogStream::Stderr), "two\n");
}

#[tokio::test]
async fn an_exit_code_is_reported_with_the_last_line_of_standard_error() {
    let ran = Bench::new().script("echo first >&2; echo last >&2; exit 3").await;
    assert_eq!((ran.ended.outcome, ran.ended.code), (Outcome::Failed, Some(3)));
    assert_eq!(ran.reason(), "exit code 3: last");
    assert_eq!(Bench::new().script("false; echo never").await.reason(), "exit code 1");
}

#[tokio::test]
async fn a_command_that_a_script_does_not_find_or_may_not_run_is_named() {
    let bench = Bench::new();
    let ran = bench.script("no-such-command").await;
    assert_eq!(ran.ended.code, Some(127));
    assert!(ran.reason().starts_with("exit code 127: command not found: "), "{}", ran.reason());
    assert!(ran.reason().contains("no-such-command"), "{}", ran.reason());
    fs::write(bench.path().join("data"), "x").unwrap();
    let ran = bench.script("./data").await;
    assert!(ran.reason().starts_with("exit code 126: command not executable: "), "{}", ran.reason());
    assert!(ran.reason().ends_with("; it may not be executed: chmod +x ./data"), "{}", ran.reason());
}

#[tokio::test]
async fn a_command_that_is_a_file_in_the_working_directory_is_advised_with_its_path() {
    let bench = Bench::new();
    fs::write(bench.path().join("backup.sh"), "#!/bin/sh\necho saved\n").unwrap();
    let ran = bench.script("backup.sh --all").await;
    let advice =
        "; it is in the working directory: write ./backup.sh, after chmod +x backup.sh, or sh backup.sh";
    assert_eq!(ran.ended.code, Some(127));
    assert!(ran.reason().ends_with(advice), "{}", ran.reason());
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(bench.path().join("backup.sh"), mode).unwrap();
    let ran = bench.script("backup.sh --all").await;
    assert!(
        ran.reason().ends_with("; it is in the working directory: write ./backup.sh"),
        "{}",
        ran.reason()
    );
    assert_eq!(bench.script("./backup.sh --all").await.stdout(), "saved\n");
}

#[tokio::test]
async fn a_program_that_is_missing_or_not_executable_fails_with_a_reason() {
    let bench = Bench::new();
    let shell = |program: &str| task("shell", json!({"run": "true", "shell": [program, "-c"]}));
    let ran = bench.run(&shell("no-such-shell")).await;
    assert_eq!((ran.ended.outcome, ran.ended.code), (Outcome::Failed, None));
    assert!(ran.reason().starts_with("program `no-such-shell` was not found: "), "{}", ran.reason());
    fs::write(bench.path().join("data"), "x").unwrap();
    let ran = bench.run(&shell("./data")).await;
    assert!(ran.reason().starts_with("program `./data` is not executable: chmod +x "), "{}", ran.reason());
    let ran = bench.run(&task("shell", json!({"run": "true", "shell": []}))).await;
    assert!(ran.reason().contains("`shell` is empty"), "{}", ran.reason());
    let ran = bench.run(&task("shell", json!({"command": "true"}))).await;
    assert!(ran.reason().contains("needs `run`"), "{}", ran.reason());
    let ran = bench.run(&script_task(&"x".repeat(200_000))).await;
    assert!(ran.reason().contains("over 128 KiB"), "{}", ran.reason());
}

#[tokio::test]
async fn another_shell_gets_its_arguments_and_the_script_as_the_last() {
    let bench = Bench::new();
    let ran = bench.run(&task("shell", json!({"run": "b c", "shell": ["printf", "<%s>", "a"]}))).await;
    assert_eq!(ran.stdout(), "<a><b c>");
}

#[tokio::test]
async fn a_task_starts_in_its_working_directory_and_a_missing_one_is_named() {
    let bench = Bench::new();
    fs::create_dir(bench.path().join("inner")).unwrap();
    let mut task = script_task("pwd -P");
    task.working_dir = Some("inner".to_owned());
    let inner = bench.path().canonicalize().unwrap().join("inner");
    assert_eq!(bench.run(&task).await.stdout().trim(), inner.to_str().unwrap());
    task.working_dir = Some("absent".to_owned());
    let ran = bench.run(&task).await;
    assert_eq!(ran.ended.outcome, Outcome::Failed);
    assert!(ran.reason().contains("absent does not exist: create it"), "{}", ran.reason());
    fs::write(bench.path().join("file"), "").unwrap();
    task.working_dir = Some("file".to_owned());
    assert!(bench.run(&task).await.reason().ends_with("is not a directory"));
}

#[tokio::test]
async fn death_by_a_signal_is_told_by_number_and_name() {
    let ran = Bench::new().script("kill -9 $$").await;
    assert_eq!((ran.ended.outcome, ran.ended.code), (Outcome::Failed, None));
    assert_eq!(ran.reason(), "killed by signal 9 (SIGKILL)");
}

#[tokio::test]
async fn standard_input_is_empty() {
    assert_eq!(Bench::new().script("cat; echo done").await.stdout(), "done\n");
}

#[tokio::test]
async fn big_output_loses_its_middle_with_a_note_and_the_result_is_kept() {
    let bench = Bench::with(|settings| settings.log_budget_bytes = 800_000);
    let script =
        "head -c 20000000 /dev/zero | tr '\\0' 'x'; echo key=value > $MILLRACE_OUTPUT; echo end >&2; exit 4";
    let ran = bench.script(script).await;
    assert_eq!((ran.ended.code, ran.reason()), (Some(4), "exit code 4: end"));
    assert_eq!(ran.ended.outputs["key"], "value");
    assert_eq!(ran.text(LogStream::Stderr), "end\n", "the cause stands at the end");
    let kept = ran.stdout().len() + 4;
    assert_eq!(kept, 800_000);
    let left_out = 20_000_004 - kept;
    let notes = ran.text(LogStream::Worker);
    assert!(notes.ends_with(&format!("... {left_out} bytes (0 lines) are left out here\n")), "{notes}");
}

#[tokio::test]
async fn output_is_seen_while_the_task_still_runs() {
    let bench = Bench::new();
    let (log, mut chunks) = LogWriter::channel(1000);
    let (handle, stop) = StopHandle::new();
    let context = Execution { log, stop, settings: Arc::clone(&bench.settings) };
    let task = script_task("echo early; sleep 60");
    let watched = async {
        let chunk = tokio::time::timeout(Duration::from_secs(10), chunks.recv()).await.unwrap().unwrap();
        handle.stop(StopReason::Cancelled);
        chunk.text
    };
    let (ended, seen) = tokio::join!(bench.registry.execute(&task, &context), watched);
    assert_eq!((ended.outcome, seen.as_str()), (Outcome::Cancelled, "early\n"));
}

#[tokio::test]
async fn an_executor_that_a_worker_does_not_have_fails_the_task() {
    let ran = Bench::new().run(&task("dance", json!({}))).await;
    assert_eq!(ran.reason(), "this worker has no executor `dance`, only http, noop, shell");
    assert_eq!(Bench::new().run(&task("noop", json!(null))).await.ended.outcome, Outcome::Succeeded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_tasks_at_once_each_get_their_own_outputs() {
    let bench = Arc::new(Bench::new());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..200 {
        let bench = Arc::clone(&bench);
        tasks.spawn(async move {
            let mut task = script_task("echo \"number=$number\" > \"$MILLRACE_OUTPUT\"; echo \"$number\"");
            task.env.insert("number".to_owned(), number.to_string());
            (number, bench.run(&task).await)
        });
    }
    let mut ended = 0;
    while let Some(done) = tasks.join_next().await {
        let (number, ran) = done.unwrap();
        assert_eq!(ran.ended.outcome, Outcome::Succeeded, "{}", ran.reason());
        assert_eq!(ran.ended.outputs["number"], number.to_string());
        assert_eq!(ran.stdout(), format!("{number}\n"));
        ended += 1;
    }
    assert_eq!(ended, 200);
}
