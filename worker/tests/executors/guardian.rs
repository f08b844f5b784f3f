//! Tasks die with their worker, whatever becomes of it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use millrace_domain::{Outcome, SessionId};
use millrace_worker::guardian::{Boottime, Guardian};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use uuid::Uuid;

use super::{Bench, FIXTURE, alive, pid_in, script_task, until};

const UP: Duration = Duration::from_secs(20);
const SECOND: Duration = Duration::from_secs(1);

/// A task with processes of every kind, which write who they are: `main`, its keeper, and two that tried to get away.
const TASK: &str = "
    echo $$ > main
    echo $PPID > keeper
    echo \"$MILLRACE_OUTPUT\" > outputs
    sh -c 'echo $$ > child; sleep 300' &
    sh -c 'setsid sh -c \"echo \\$\\$ > grandchild; exec sleep 300\" & exit' &
    env -i PATH=\"$PATH\" setsid -f sh -c 'echo $$ > nameless; exec sleep 300'
    wait; sleep 300";
const PROCESSES: [&str; 4] = ["main", "child", "grandchild", "nameless"];

#[test]
fn a_guardian_that_no_worker_has_started_touches_nothing() {
    let parent = tempfile::tempdir().unwrap();
    let named_so = parent.path().join(format!("millrace-worker-{}", Uuid::new_v4().simple()));
    std::fs::create_dir(&named_so).unwrap();
    std::fs::write(named_so.join("lease"), "").unwrap();
    for folder in [parent.path(), &named_so] {
        for input in [Stdio::null(), Stdio::piped()] {
            let guardian = Command::new(FIXTURE).arg("guardian").arg(folder).stdin(input).output().unwrap();
            assert!(!guardian.status.success(), "{guardian:?}");
        }
    }
    assert!(named_so.join("lease").exists());
}

/// A worker in a process of its own, with one task.
struct Worker {
    process: Child,
    directory: TempDir,
}

impl Worker {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let task = serde_json::to_string(&script_task(TASK)).unwrap();
        let process = Self::command(&directory).arg(task).spawn().unwrap();
        Self { process, directory }
    }

    fn command(directory: &TempDir) -> Command {
        let session = SessionId(Uuid::new_v4()).to_string();
        let temporary = directory.path().join("tmp");
        std::fs::create_dir_all(&temporary).unwrap();
        let mut command = Command::new(FIXTURE);
        command.args(["worker", &session, directory.path().to_str().unwrap()]);
        command.env("TMPDIR", temporary).stdout(Stdio::piped());
        command
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    async fn is_up(&self) -> [i32; PROCESSES.len()] {
        until("the task is up", UP, || PROCESSES.iter().all(|name| pid_in(&self.file(name)).is_some())).await;
        let pids = PROCESSES.map(|name| pid_in(&self.file(name)).unwrap());
        assert!(pids.into_iter().all(alive));
        assert!(self.folder().exists());
        pids
    }

    /// The private folder of the worker.
    fn folder(&self) -> PathBuf {
        let outputs = std::fs::read_to_string(self.file("outputs")).unwrap();
        Path::new(outputs.trim()).parent().unwrap().to_owned()
    }

    fn pid(&self) -> i32 {
        self.process.id().cast_signed()
    }

    fn keeper(&self) -> i32 {
        pid_in(&self.file("keeper")).unwrap()
    }

    /// Finds the guardian: it is what has started the keeper.
    fn guardian(&self) -> i32 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.keeper())).unwrap();
        stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn kill_all(pids: &[i32]) {
    // Frozen first, so that none sees the death of another.
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        signal_all(pids, signal);
    }
}

fn signal_all(pids: &[i32], signal: Signal) {
    for &pid in pids {
        kill(Pid::from_raw(pid), signal).unwrap();
    }
}

#[tokio::test]
async fn when_a_worker_is_killed_all_of_its_tasks_are_gone_within_a_second_and_its_folder_as_well() {
    let worker = Worker::start();
    let pids = worker.is_up().await;
    kill_all(&[worker.pid()]);
    until("all processes are gone", SECOND, || !pids.into_iter().any(alive)).await;
    until("its folder is gone", 2 * SECOND, || !worker.folder().exists()).await;
}

#[tokio::test]
async fn any_one_of_worker_guardian_and_keeper_that_is_left_ends_the_task() {
    for left in ["worker", "guardian", "keeper"] {
        let worker = Worker::start();
        let pids = worker.is_up().await;
        let all = [("worker", worker.pid()), ("guardian", worker.guardian()), ("keeper", worker.keeper())];
        let killed: Vec<i32> =
            all.into_iter().filter(|(name, _)| *name != left).map(|(_, pid)| pid).collect();
        kill_all(&killed);
        let [main, child, grandchild, nameless] = pids;
        // The worker knows processes by their environment only, and this one has none.
        let known = if left == "worker" { nameless } else { 0 };
        until(&format!("{left} has ended the task"), 2 * SECOND, || {
            ![main, child, grandchild, nameless].into_iter().any(|pid| pid != known && alive(pid))
        })
        .await;
        if left == "worker" {
            kill(Pid::from_raw(nameless), Signal::SIGKILL).unwrap();
        }
    }
}

#[tokio::test]
async fn what_stays_when_all_are_killed_at_once_is_swept_by_the_next_worker() {
    let mut worker = Worker::start();
    let pids = worker.is_up().await;
    let other = Worker::start();
    let others = other.is_up().await;
    let helpers = [worker.guardian(), worker.keeper()];
    kill_all(&[worker.pid(), helpers[0], helpers[1]]);
    // Until then, they still hold the lease.
    worker.process.wait().unwrap();
    until("its helpers are dead", SECOND, || !helpers.into_iter().any(alive)).await;
    let mut next = Worker::command(&worker.directory);
    let next = next.arg(serde_json::to_string(&script_task("true")).unwrap()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&next.stdout), "succeeded\n");
    // Without its environment, nothing tells whose it is.
    let [main, child, grandchild, nameless] = pids;
    until("what it left is gone", SECOND, || ![main, child, grandchild].into_iter().any(alive)).await;
    until("all folders are gone", 2 * SECOND, || {
        std::fs::read_dir(worker.file("tmp")).unwrap().next().is_none()
    })
    .await;
    assert!(others.into_iter().all(alive), "what a living worker has stays");
    kill(Pid::from_raw(nameless), Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn what_is_still_dying_when_the_next_worker_starts_is_swept_soon_after() {
    let worker = Worker::start();
    let [main, child, grandchild, nameless] = worker.is_up().await;
    let dying = [worker.pid(), worker.guardian(), worker.keeper()];
    signal_all(&dying, Signal::SIGSTOP);
    let task = serde_json::to_string(&script_task("echo > started; sleep 300")).unwrap();
    let mut next = Worker::command(&worker.directory).arg(task).spawn().unwrap();
    until("the next worker is up", UP, || worker.file("started").exists()).await;
    assert!(alive(main));
    signal_all(&dying, Signal::SIGKILL);
    until("what it left is gone", 10 * SECOND, || ![main, child, grandchild].into_iter().any(alive)).await;
    kill(Pid::from_raw(nameless), Signal::SIGKILL).unwrap();
    next.kill().unwrap();
    next.wait().unwrap();
}

#[tokio::test]
async fn a_worker_that_is_frozen_for_a_lease_has_no_tasks_any_more() {
    let worker = Worker::start();
    let pids = worker.is_up().await;
    kill(Pid::from_raw(worker.pid()), Signal::SIGSTOP).unwrap();
    let frozen = Instant::now();
    until("its task has ended", Duration::from_secs(10), || !pids.into_iter().any(alive)).await;
    assert!(
        frozen.elapsed() > Duration::from_secs(5),
        "not before its lease is over: {:?}",
        frozen.elapsed()
    );
}

#[tokio::test]
async fn a_session_that_is_not_renewed_for_a_lease_ends_its_tasks_and_starts_none() {
    let bench = Bench::new();
    bench.guardian().renewed(Boottime::now());
    let ran = bench.script("sleep 300").await;
    assert_eq!(ran.ended.outcome, Outcome::Lost);
    assert!(ran.reason().contains("lease"), "{}", ran.reason());
    let lease = Duration::from_secs(9);
    assert!(ran.took > lease - SECOND && ran.took < lease + SECOND / 2, "{:?}", ran.took);
    assert_eq!(bench.script("true").await.ended.outcome, Outcome::Lost);
    bench.guardian().renewed(Boottime::now());
    assert_eq!(bench.script("true").await.ended.outcome, Outcome::Succeeded);
}

#[tokio::test]
async fn a_guardian_that_dies_takes_its_tasks_with_it_and_is_replaced() {
    let bench = Bench::new();
    let first = bench.guardian().pid().unwrap();
    let file = bench.path().join("bare");
    let task =
        script_task("env -i PATH=\"$PATH\" setsid -f sh -c 'echo $$ > bare; exec sleep 300'; sleep 300");
    let killed = async {
        until("the task is up", UP, || pid_in(&file).is_some()).await;
        kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
    };
    let (ran, ()) = tokio::join!(bench.run(&task), killed);
    assert_eq!(ran.ended.outcome, Outcome::Lost, "{}", ran.reason());
    let bare = pid_in(&file).unwrap();
    until("all of the task is gone", SECOND, || !alive(bare)).await;
    assert_eq!(bench.script("echo again").await.stdout(), "again\n");
    assert_ne!(bench.guardian().pid(), Some(first));
}

#[tokio::test]
async fn a_guardian_ignores_what_ends_a_worker_and_goes_with_its_last_handle() {
    let guardian = Guardian::start(FIXTURE, SessionId(Uuid::new_v4())).unwrap();
    let pid = guardian.pid().unwrap();
    let status = || std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = |status: String| {
        let line = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t")).map(str::to_owned);
        line.is_some_and(|line| u64::from_str_radix(&line, 16).unwrap() & 0x4003 == 0x4003)
    };
    until("it catches signals", UP, || caught(status())).await;
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        kill(Pid::from_raw(pid), signal).unwrap();
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(alive(pid));
    drop(guardian);
    until("it is gone", UP, || !alive(pid)).await;
}
