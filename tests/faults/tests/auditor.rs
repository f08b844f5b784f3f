//! The auditor, tested: a fleet from which one guard was removed is caught, by the check that the guard is for. A
//! fleet with all its guards, under the same faults, is in `short.rs`.

use std::time::Duration;

use millrace_faults::kind::Kind;
use millrace_faults::plan::Fault;
use millrace_faults::report::Report;
use millrace_faults::stage::Cast;
use millrace_faults::suite::{Faults, Setup, run};
use millrace_faults::workload::Load;

/// The number of seeds with which a fleet without a guard may be lucky.
const SEEDS: u64 = 6;

/// Runs a fleet without a guard through these faults, until that is noticed.
async fn without(guard: &str, faults: Vec<Fault>) -> Report {
    for seed in 1..=SEEDS {
        let report = judged(seed, guard, faults.clone()).await;
        println!("{}", report.table());
        if !report.is_good() {
            return report;
        }
    }
    panic!("the auditor did not notice that {guard} is gone");
}

async fn judged(seed: u64, guard: &str, faults: Vec<Fault>) -> Report {
    let variables = vec![("MILLRACE_UNGUARD".to_owned(), guard.to_owned())];
    run(Setup {
        seed,
        lasts: Duration::from_secs(120),
        cast: Cast { producers: 2, workers: 2, slots: 16, is_clustered: false, variables, old: None },
        load: Load { rate: 60, marked: 100, long: 5, schedules: 1, rules: true },
        faults: Faults::These(faults),
        patience: Duration::from_secs(15),
    })
    .await
}

/// Panics unless at least one of these checks is broken.
fn breaks(report: &Report, checks: &[&str]) {
    let broken = checks.iter().any(|check| !report.check(check).broken.is_empty());
    assert!(broken, "{checks:?} hold");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_fence_a_producer_that_wakes_up_late_breaks_what_others_have_done() {
    // It takes luck to freeze one between what it has read and what it writes: each gets its turn, twice.
    let frozen = |target| Fault { target, ..Fault::of(Kind::FreezeProducer, Duration::from_secs(12)) };
    let report = without("fence", vec![frozen(0), frozen(1), frozen(0), frozen(1)]).await;
    breaks(&report, &["accepted has ended", "an attempt starts once", "every step was executed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_claim_check_what_is_delivered_twice_starts_twice() {
    // A worker loses its connection: what it runs is delivered to the other one.
    let first_worker = 2;
    let cut_off =
        Fault { target: first_worker, choice: 0, ..Fault::of(Kind::Partition, Duration::from_secs(2)) };
    let report = without("claim", vec![cut_off]).await;
    breaks(&report, &["an attempt starts once"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_outbox_tasks_that_a_dead_producer_did_not_publish_are_lost() {
    // The broker is away, so that what is accepted is not published yet when the producer dies.
    let mut away = Fault::of(Kind::KillBroker, Duration::from_secs(6));
    away.within = Some(Box::new(Fault::of(Kind::KillProducer, Duration::from_secs(1))));
    let report = without("outbox", vec![away]).await;
    breaks(&report, &["accepted has ended"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_dedup_what_is_asked_for_twice_runs_twice() {
    let report = without("dedup", vec![Fault::of(Kind::PauseWorker, Duration::from_secs(8))]).await;
    breaks(&report, &["an attempt starts once"]);
}
