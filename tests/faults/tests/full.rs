//! Each fault alone, and clusters that lose a part. These take many minutes: `./test --faults` runs them.

use std::time::Duration;

use millrace_faults::kind::Kind;
use millrace_faults::plan::Fault;
use millrace_faults::report::Report;
use millrace_faults::stage::Cast;
use millrace_faults::suite::{Faults, PATIENCE, Setup, run};
use millrace_faults::workload::Load;

/// The time that each fault lasts, and that of kinds that ask for more.
const LASTS: Duration = Duration::from_secs(5);
const LONGER: Duration = Duration::from_secs(12);

async fn each(cast: Cast, faults: Vec<Fault>) -> Report {
    let report = run(Setup {
        seed: 1,
        lasts: Duration::from_secs(3600),
        cast,
        load: Load { rate: 40, marked: 100, long: 4, schedules: 2, rules: true },
        faults: Faults::These(faults),
        patience: PATIENCE,
    })
    .await;
    println!("{}", report.table());
    report
}

/// The faults: one of each kind; of those that choose whom they strike, one of each choice.
fn single() -> Vec<Fault> {
    let long = [
        Kind::FreezeProducer,
        Kind::FreezeWorker,
        Kind::LoseStore,
        Kind::SlowStore,
        Kind::Isolate,
        Kind::KillPrimary,
    ];
    let chosen =
        [Kind::Partition, Kind::Isolate, Kind::HalfOpen, Kind::Cut, Kind::EatConfirms, Kind::EatAcks];
    let mut faults = Vec::new();
    for kind in Kind::ALL {
        let fault = Fault::of(*kind, if long.contains(kind) { LONGER } else { LASTS });
        if chosen.contains(kind) {
            // Producer and worker, broker and store, cut afterwards or not.
            for (target, choice) in [(0, 1), (0, 2), (3, 1), (3, 2)] {
                faults.push(Fault { target, choice, ..fault.clone() });
            }
        } else {
            faults.push(fault);
        }
    }
    for (number, fault) in (1..).zip(&mut faults) {
        fault.number = number;
    }
    faults
}

fn only(is: impl Fn(Kind) -> bool) -> Vec<Fault> {
    single().into_iter().filter(|fault| is(fault.kind)).collect()
}

const CLUSTER: [Kind; 5] =
    [Kind::KillNode, Kind::RestartNode, Kind::KillPrimary, Kind::FreezePrimary, Kind::KillSentinel];

/// The kinds that need an older version: `./test --upgrade` does these.
const SWAPS: [Kind; 2] = [Kind::SwapProducer, Kind::SwapWorker];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: ./test --faults"]
async fn from_each_fault_alone_the_fleet_recovers_within_15_s() {
    let cast =
        Cast { producers: 3, workers: 3, slots: 8, is_clustered: false, variables: Vec::new(), old: None };
    let report = each(cast, only(|kind| !CLUSTER.contains(&kind) && !SWAPS.contains(&kind))).await;
    assert!(report.is_good(), "see above");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: ./test --faults"]
async fn a_cluster_that_loses_a_node_or_its_primary_loses_no_work() {
    let variables = [("MILLRACE_QUEUE_TYPE", "quorum"), ("MILLRACE_WAIT_REPLICAS", "1")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let cast = Cast { producers: 2, workers: 2, slots: 8, is_clustered: true, variables, old: None };
    let report = each(cast, only(|kind| CLUSTER.contains(&kind))).await;
    assert!(report.is_good(), "see above");
}
