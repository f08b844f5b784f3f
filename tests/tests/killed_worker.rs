//! A worker killed with -9 in the middle of a task, together with its guardian: the task runs again elsewhere, never
//! twice at the same time, and nothing of it is left behind on the dead worker's machine.

use std::time::{Duration, Instant};

use millrace_tests::{Fleet, Kind, Marks, guardian_of, processes_of, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_task_whose_worker_is_killed_runs_again_on_another_and_never_on_both() {
    let fleet = Fleet::new();
    let marks = fleet.marks("tasks");
    let producer = fleet.producer().await;
    let mut first = fleet.worker(&["--concurrency", "4"]).await;

    // Children of every kind: in the background, in a session of their own.
    let body =
        format!("sleep 300 & setsid sleep 300 & (setsid sh -c 'sleep 300; :' &)\n{}", marks.beating(30));
    let run = producer.api().submit(&json!({"run": body})).await;
    wait_until(Duration::from_secs(20), "the task has started", async || {
        let beats = marks.of(Kind::Beat).len();
        let processes = processes_of(&run).len();
        if beats > 3 && processes >= 4 {
            Ok(())
        } else {
            Err(format!("{beats} beats, {processes} processes"))
        }
    })
    .await;
    let mut second = fleet.worker(&["--concurrency", "4"]).await;

    let guardian = Pid::from_raw(guardian_of(first.pid()).unwrap().cast_signed());
    kill(guardian, Signal::SIGSTOP).unwrap();
    first.kill9();
    kill(guardian, Signal::SIGKILL).unwrap();
    let (killed, killed_at) = (Instant::now(), Marks::now());
    wait_until(Duration::from_secs(3), "all its processes are gone", async || {
        let left = processes_of(&run);
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await;
    let gone = killed.elapsed();
    let restarted = wait_until(Duration::from_secs(40), "the task runs again", async || {
        let starts = marks.of(Kind::Start);
        starts.get(1).cloned().ok_or_else(|| format!("{} start", starts.len()))
    })
    .await;
    let recovery = restarted.at.saturating_sub(killed_at);
    let ended = producer.api().ended(&run, Duration::from_secs(30)).await;
    println!("processes gone after {gone:?}, running again after {recovery:?}");

    assert_eq!(ended["state"], "succeeded", "{ended}");
    let step = &ended["steps"][0];
    assert_eq!((step["attempt"].as_u64(), step["lost"].as_u64()), (Some(2), Some(1)), "{step}");
    assert_eq!(restarted.attempt, 2);
    let last_of_first = marks.read().into_iter().filter(|mark| mark.attempt == 1).map(|mark| mark.at).max();
    assert!(last_of_first.unwrap() < restarted.at, "both attempts ran at the same time");
    assert_eq!((marks.of(Kind::Start).len(), marks.of(Kind::End).len()), (2, 1));
    assert!(gone < Duration::from_millis(1_500), "its processes lived on for {gone:?}");
    assert!(recovery < Duration::from_secs(20), "it took {recovery:?} until it ran again");
    assert!(second.status().is_none());
}
