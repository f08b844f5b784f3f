//! Tasks die with their worker.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use millrace_domain::SessionId;
use millrace_worker::guardian::Guardian;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use uuid::Uuid;

use super::{alive, pid_in, script_task, until};

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

/// The guardian that a worker has now.
fn guardian_of(worker: &Child) -> Option<i32> {
    let worker = worker.id().to_string();
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.to_owned();
        let command = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
        (parent == worker && command.ends_with("\0guardian\0")).then_some(pid)
    })
}

#[tokio::test]
async fn a_guardian_that_dies_is_replaced_and_told_everything_again() {
    let directory = tempfile::tempdir().unwrap();
    // A process without an environment: only its group tells that it belongs to the worker.
    let script = "env -i sh -c 'echo $$ > bare; sleep 300' & wait";
    let mut worker = worker(&directory, script);
    let file = directory.path().join("bare");
    until("the task is up", UP, || pid_in(&file).is_some()).await;
    let first = guardian_of(&worker).unwrap();
    kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
    until("another guardian is up", UP, || guardian_of(&worker).is_some_and(|pid| pid != first)).await;

    worker.kill().unwrap();
    worker.wait().unwrap();
    let pid = pid_in(&file).unwrap();
    until("the task is gone", Duration::from_secs(1), || !alive(pid)).await;
}

#[tokio::test]
async fn a_guardian_ignores_what_ends_a_worker_and_goes_with_its_last_handle() {
    let guardian = Guardian::start(FIXTURE, ["guardian"], SessionId(Uuid::new_v4())).unwrap();
    let pid = guardian.pid().unwrap();
    let status = || std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let blocked =
        |status: String| status.lines().any(|line| line.starts_with("SigBlk:") && line.ends_with("ff"));
    until("it blocks signals", UP, || blocked(status())).await;
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        kill(Pid::from_raw(pid), signal).unwrap();
    }
    assert!(alive(pid));
    drop(guardian);
    until("it is gone", UP, || !alive(pid)).await;
}
