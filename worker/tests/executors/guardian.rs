//! Tasks die with their worker.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use millrace_domain::SessionId;
use millrace_worker::guardian::Guardian;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use uuid::Uuid;

use super::{Bench, alive, pid_in, script_task, until};

const FIXTURE: &str = env!("CARGO_BIN_EXE_worker-fixture");
const UP: Duration = Duration::from_secs(20);

/// A worker in a process of its own, with one task.
fn worker(directory: &TempDir, script: &str) -> Child {
    let task = serde_json::to_string(&script_task(script)).unwrap();
    let session = SessionId(Uuid::new_v4()).to_string();
    Command::new(FIXTURE)
        .args(["worker", &session, directory.path().to_str().unwrap(), &task])
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn when_a_worker_is_killed_all_of_its_tasks_are_gone_within_a_second() {
    let directory = tempfile::tempdir().unwrap();
    let script = "
        echo $$ > main
        echo \"$MILLRACE_OUTPUT\" > outputs
        sh -c 'echo $$ > child; sleep 300' &
        sh -c 'setsid sh -c \"echo \\$\\$ > grandchild; exec sleep 300\" & exit' &
        wait";
    let mut worker = worker(&directory, script);
    let files = ["main", "child", "grandchild"].map(|file| directory.path().join(file));
    until("the task is up", UP, || files.iter().all(|file| pid_in(file).is_some())).await;
    let pids = files.each_ref().map(|file| pid_in(file).unwrap());
    assert!(pids.into_iter().all(alive));
    let outputs = std::fs::read_to_string(directory.path().join("outputs")).unwrap();
    let outputs = std::path::Path::new(outputs.trim()).parent().unwrap().to_owned();
    assert!(outputs.exists());

    worker.kill().unwrap();
    worker.wait().unwrap();
    until("all processes are gone", Duration::from_secs(1), || !pids.into_iter().any(alive)).await;
    until("the directory of outputs is gone", Duration::from_secs(2), || !outputs.exists()).await;
}

#[tokio::test]
async fn what_a_task_left_behind_ends_with_the_worker() {
    let directory = tempfile::tempdir().unwrap();
    let script = "setsid sh -c 'echo $$ > daemon; exec sleep 300' > /dev/null 2>&1 &
        while [ ! -s daemon ]; do sleep 0.01; done";
    let status = worker(&directory, script).wait().unwrap();
    assert!(status.success());
    let pid = pid_in(&directory.path().join("daemon")).unwrap();
    until("the daemon is gone", Duration::from_secs(1), || !alive(pid)).await;
}

#[tokio::test]
async fn a_guardian_that_dies_is_replaced_and_told_everything_again() {
    let session = SessionId(Uuid::new_v4());
    let guardian = Guardian::start(FIXTURE, ["guardian"], session).unwrap();
    let bench = Bench::with(|settings| {
        settings.session = session;
        settings.guardian = Some(guardian.clone());
    });
    let file = bench.path().join("main");
    let task = script_task("echo $$ > main; exec env -i sleep 300");
    let first = guardian.pid().unwrap();
    let replaced = async {
        until("the task is up", UP, || pid_in(&file).is_some()).await;
        kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
        until("another guardian is up", UP, || guardian.pid().is_some_and(|pid| pid != first)).await;
        let second = guardian.pid().unwrap();
        // Signals that end a worker do not end its guardian. Only its group tells it of this process, which has
        // no environment: ended by the guardian, it shows that the group was told again.
        kill(Pid::from_raw(second), Signal::SIGTERM).unwrap();
        assert!(alive(pid_in(&file).unwrap()));
        second
    };
    let second = tokio::select! {
        ran = bench.run(&task) => panic!("it ended: {}", ran.reason()),
        second = replaced => second,
    };
    // The execution was dropped here, and with the last handle the helper goes too.
    drop(bench);
    drop(guardian);
    until("the second guardian is gone", UP, || !alive(second)).await;
}
