//! What the shell executor costs beside the bare start of a process. Run by hand: `cargo test -p millrace-worker --
//! --ignored --nocapture rate`.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_domain::Outcome;

use super::{Bench, script_task};

const AT_ONCE: usize = 4;
const ROUNDS: usize = 20;
const EACH: usize = 50;

#[ignore = "measures; needs a quiet machine"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rate_of_shell_tasks_is_at_least_half_of_the_rate_of_bare_processes() {
    let bench = Arc::new(Bench::new());
    // In turn, so that what else the machine does is the same for all.
    let mut took = [Duration::ZERO; 2];
    for _ in 0..ROUNDS {
        took[0] += bare();
        took[1] += tasks(&bench).await;
    }
    let [bare, shell] = took.map(|took| (ROUNDS * AT_ONCE * EACH) as f64 / took.as_secs_f64());
    println!("bare processes {bare:.0}/s, shell tasks {shell:.0}/s");
    assert!(shell > bare / 2.0);
}

fn bare() -> Duration {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                for _ in 0..EACH {
                    let mut command = Command::new("/bin/sh");
                    command.args(["-e", "-c", "true"]).stdin(Stdio::null()).stdout(Stdio::null());
                    assert!(command.status().unwrap().success());
                }
            });
        }
    });
    began.elapsed()
}

async fn tasks(bench: &Arc<Bench>) -> Duration {
    let began = Instant::now();
    let mut lanes = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let bench = Arc::clone(bench);
        lanes.spawn(async move {
            for _ in 0..EACH {
                assert_eq!(bench.run(&script_task("true")).await.ended.outcome, Outcome::Succeeded);
            }
        });
    }
    while let Some(done) = lanes.join_next().await {
        done.unwrap();
    }
    began.elapsed()
}
