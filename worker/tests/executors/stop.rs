//! Stopping a task ends all that it started.

use std::time::Duration;

use millrace_domain::Outcome;
use millrace_worker::stop::StopReason;

use super::{Bench, Ran, alive, pid_in, script_task, until};

/// Starts a script, waits until it has written a pid to each file, stops it, and sees that all are gone.
async fn stopped(bench: &Bench, script: &str, files: &[&str], reason: StopReason) -> Ran {
    let mut task = script_task(script);
    task.timeout_ms = Some(1500);
    let started = bench.start(&task);
    let handle = started.handle.clone();
    let paths: Vec<_> = files.iter().map(|file| bench.path().join(file)).collect();
    let stop = async {
        until("the script is up", Duration::from_secs(20), || {
            paths.iter().all(|path| pid_in(path).is_some())
        })
        .await;
        assert!(paths.iter().all(|path| alive(pid_in(path).unwrap())));
        handle.stop(reason);
        std::time::Instant::now()
    };
    let (mut ran, asked) = tokio::join!(started.run(), stop);
    ran.took = asked.elapsed();
    for path in &paths {
        assert!(!alive(pid_in(path).unwrap()), "{} is gone when the executor answers", path.display());
    }
    ran
}

#[tokio::test]
async fn a_timeout_kills_the_whole_tree_with_daemons_that_left_it() {
    let script = "
        echo $$ > main
        setsid sh -c 'echo $$ > daemon; sleep 300' &
        sh -c 'setsid sh -c \"echo \\$\\$ > orphan; exec sleep 300\" & exit' &
        env -i PATH=\"$PATH\" setsid sh -c 'echo $$ > nameless; exec sleep 300' &
        env -i PATH=\"$PATH\" setsid -f sh -c 'echo $$ > forked; exec sleep 300'
        sh -c 'echo $$ > child; sleep 300' &
        wait";
    let bench = Bench::new();
    let files = ["main", "daemon", "orphan", "nameless", "forked", "child"];
    let ran = stopped(&bench, script, &files, StopReason::TimedOut).await;
    assert_eq!((ran.ended.outcome, ran.reason()), (Outcome::TimedOut, "timed out after 1.5s"));
    assert!(ran.took < Duration::from_secs(2), "nothing refused SIGTERM: {:?}", ran.took);
}

#[tokio::test]
async fn a_cancel_asks_first_and_what_cleans_up_is_given_the_time() {
    let bench = Bench::new();
    let script = "trap 'echo cleaned; exit 0' TERM; echo $$ > main; while :; do sleep 0.05 || :; done";
    let ran = stopped(&bench, script, &["main"], StopReason::Cancelled).await;
    assert_eq!(ran.ended.outcome, Outcome::Cancelled);
    assert_eq!(ran.stdout(), "cleaned\n");
}

#[tokio::test]
async fn what_ignores_the_request_is_killed_after_its_grace() {
    let bench = Bench::with(|settings| settings.kill_grace = Duration::from_millis(300));
    let script = "trap '' TERM; echo $$ > main; while :; do sleep 0.05 || :; done";
    let ran = stopped(&bench, script, &["main"], StopReason::Draining).await;
    assert_eq!(ran.ended.outcome, Outcome::Lost);
    assert!(ran.took >= Duration::from_millis(300), "{:?}", ran.took);
}

#[tokio::test]
async fn after_a_lost_lease_there_is_no_grace() {
    let bench = Bench::with(|settings| settings.kill_grace = Duration::from_secs(30));
    let script = "trap 'echo cleaned; exit 0' TERM; echo $$ > main; while :; do sleep 0.05 || :; done";
    let ran = stopped(&bench, script, &["main"], StopReason::LeaseLost).await;
    assert_eq!((ran.ended.outcome, ran.stdout().as_str()), (Outcome::Lost, ""));
    assert!(ran.reason().contains("lease"), "{}", ran.reason());
    assert!(ran.took < Duration::from_secs(5), "{:?}", ran.took);
}

#[tokio::test]
async fn a_flood_of_output_does_not_delay_the_end() {
    let bench = Bench::new();
    let ran = stopped(&bench, "echo $$ > main; exec yes", &["main"], StopReason::Cancelled).await;
    assert_eq!(ran.ended.outcome, Outcome::Cancelled);
    assert!(ran.took < Duration::from_secs(4), "{:?}", ran.took);
}

#[tokio::test]
async fn a_task_that_is_stopped_before_it_starts_never_starts() {
    let bench = Bench::new();
    let started = bench.start(&script_task("touch started"));
    started.handle.stop(StopReason::Cancelled);
    assert_eq!(started.run().await.ended.outcome, Outcome::Cancelled);
    assert!(!bench.path().join("started").exists());
}

#[tokio::test]
async fn dropping_an_execution_kills_its_group() {
    let bench = Bench::new();
    let file = bench.path().join("child");
    let task = script_task("sh -c 'echo $$ > child; sleep 300' & wait");
    tokio::select! {
        ran = bench.run(&task) => panic!("it ended: {}", ran.reason()),
        () = until("the child is up", Duration::from_secs(20), || pid_in(&file).is_some()) => {}
    }
    let pid = pid_in(&file).unwrap();
    until("the child is gone", Duration::from_secs(2), || !alive(pid)).await;
}
