//! Ten thousand seeds, or as many as `MILLRACE_SIM_SEEDS` says; one, in words, when `MILLRACE_SIM_SEED` names it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use millrace_simulation::{Failure, Guards, Seen, run, run_in_words};

/// The number of seeds when nothing else is said.
const SEEDS: u64 = 300;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}: expected a number")))
}

#[test]
fn under_every_seed_all_invariants_hold() {
    if let Some(seed) = number("MILLRACE_SIM_SEED") {
        let _ = millrace_runtime::telemetry::init_logs(
            &std::env::var("MILLRACE_LOG").unwrap_or_else(|_| "off".to_owned()),
            millrace_runtime::telemetry::LogFormat::Text,
        );
        let told = run_in_words(seed);
        assert!(told.starts_with("Report"), "{told}");
        return println!("{told}");
    }
    let seeds = number("MILLRACE_SIM_SEEDS").unwrap_or(SEEDS);
    let first = number("MILLRACE_SIM_FIRST").unwrap_or(0);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = AtomicU64::new(first);
    let seen: Mutex<(u64, Seen)> = Mutex::default();
    let failures: Mutex<Vec<Failure>> = Mutex::default();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while failures.lock().unwrap().len() < 5 {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        return;
                    }
                    match run(seed, Guards::default()) {
                        Ok(report) => {
                            let mut seen = seen.lock().unwrap();
                            *seen = (seen.0 + report.events, seen.1.and(report.seen));
                        }
                        Err(failure) => failures.lock().unwrap().push(*failure),
                    }
                }
            });
        }
    });
    let (events, seen) = seen.into_inner().unwrap();
    println!("{seeds} seeds, {events} events in {:?}: {seen:?}", began.elapsed());
    let mut failures = failures.into_inner().unwrap();
    failures.sort_by_key(|failure| failure.seed);
    for failure in failures.iter().skip(1) {
        println!("seed {} too: {}", failure.seed, failure.violation);
    }
    if let Some(first) = failures.first() {
        panic!("{first}");
    }
    // Seeds under which nothing goes wrong would show nothing.
    assert!(seeds < SEEDS || seen.is_complete(), "some of it never came about: {seen:?}");
}
