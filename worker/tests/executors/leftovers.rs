//! Whatever a task has started ends with it, and nothing of one task reaches the next.

use std::process::{Command, Stdio};
use std::time::Duration;

use millrace_domain::Outcome;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Bench, alive, pid_in, script_task, until};

#[tokio::test]
async fn a_background_child_does_not_keep_a_task_waiting_and_does_not_outlive_it() {
    let bench = Bench::new();
    let ran = bench.script("sleep 300 & echo $! > pid; echo done").await;
    assert_eq!((ran.ended.outcome, ran.stdout().as_str()), (Outcome::Succeeded, "done\n"));
    assert!(ran.took < Duration::from_millis(900), "{:?}", ran.took);
    assert!(!alive(pid_in(&bench.path().join("pid")).unwrap()));
}

#[tokio::test]
async fn what_left_its_group_its_session_its_environment_and_its_parent_ends_with_the_task() {
    let bench = Bench::new();
    let script = "
        setsid sh -c 'echo $$ > daemon; exec sleep 300' &
        env -i PATH=\"$PATH\" setsid -f sh -c 'echo $$ > nameless; exec sleep 300'
        (sh -c 'setsid sh -c \"trap : TERM HUP; echo \\$\\$ > deaf; while :; do sleep 1; done\" & exit' &)
        while [ ! -s daemon ] || [ ! -s nameless ] || [ ! -s deaf ]; do sleep 0.01; done
        echo done";
    let ran = bench.script(script).await;
    assert_eq!((ran.ended.outcome, ran.stdout().as_str()), (Outcome::Succeeded, "done\n"));
    assert!(ran.took < Duration::from_secs(5), "{:?}", ran.took);
    for file in ["daemon", "nameless", "deaf"] {
        assert!(!alive(pid_in(&bench.path().join(file)).unwrap()), "{file}");
    }
}

#[tokio::test]
async fn a_daemon_that_is_started_last_never_gets_away() {
    let bench = Bench::new();
    for round in 0..20 {
        let script = format!(
            "env -i PATH=\"$PATH\" round={round} setsid -f sh -c 'sleep 0.3; : > got-away-{round}; exec sleep 300'"
        );
        assert_eq!(bench.script(&script).await.ended.outcome, Outcome::Succeeded);
    }
    tokio::time::sleep(Duration::from_millis(600)).await;
    let left = std::fs::read_dir(bench.path()).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_task_starts_as_a_bare_process_would_and_its_helper_serves_the_next() {
    let bench = Bench::new();
    let script = "grep -E '^Sig(Blk|Ign):' /proc/self/status; ls /proc/self/fd";
    // What starts this test in the background has it ignore SIGINT and SIGQUIT, which a task never does.
    let mut bare = Command::new("env");
    let bare = bare.args(["--default-signal=INT,QUIT", "/bin/sh", "-e", "-c", script]);
    let bare = bare.stdin(Stdio::null()).output().unwrap();
    assert_eq!(bench.script(script).await.stdout(), String::from_utf8(bare.stdout).unwrap());
    let helper = bench.script("echo $PPID").await.stdout();
    assert_eq!(bench.script("echo $PPID").await.stdout(), helper);
}

#[tokio::test]
async fn a_task_whose_keeper_is_killed_is_lost_and_gone() {
    let bench = Bench::new();
    let file = bench.path().join("daemon");
    let script = "echo $PPID > keeper
        env -i PATH=\"$PATH\" setsid -f sh -c 'echo $$ > daemon; exec sleep 300'
        sleep 300";
    let task = script_task(script);
    let killed = async {
        until("the task is up", Duration::from_secs(20), || pid_in(&file).is_some()).await;
        kill(Pid::from_raw(pid_in(&bench.path().join("keeper")).unwrap()), Signal::SIGKILL).unwrap();
    };
    let (ran, ()) = tokio::join!(bench.run(&task), killed);
    assert_eq!(ran.ended.outcome, Outcome::Lost, "{}", ran.reason());
    assert!(!alive(pid_in(&file).unwrap()), "it is gone when the executor answers");
    assert_eq!(bench.script("echo next").await.stdout(), "next\n");
}
