//! A short run of random faults: nothing that was accepted is lost, nothing runs twice without a reason that is on
//! record, and the fleet works again within seconds. The long one is `./test --faults`.

use std::time::Duration;

use millrace_faults::kind::Kind;
use millrace_faults::stage::Cast;
use millrace_faults::suite::{Faults, PATIENCE, Setup, run};
use millrace_faults::workload::Load;

/// The seed, which repeats the faults.
const SEED: u64 = 7;

/// The kinds of faults that are soon over. All kinds take minutes.
const KINDS: [Kind; 12] = [
    Kind::KillProducer,
    Kind::PauseProducer,
    Kind::KillWorker,
    Kind::KillBroker,
    Kind::KillStore,
    Kind::FillStore,
    Kind::Partition,
    Kind::Cut,
    Kind::EatConfirms,
    Kind::EatAcks,
    Kind::ClockAhead,
    Kind::FillDisk,
];

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_of_random_faults_loses_nothing_and_doubles_nothing() {
    let report = run(Setup {
        seed: SEED,
        lasts: Duration::from_secs(60),
        cast: Cast {
            producers: 2,
            workers: 2,
            slots: 8,
            is_clustered: false,
            variables: Vec::new(),
            old: None,
        },
        load: Load { rate: 50, marked: 100, long: 4, schedules: 2, rules: true },
        faults: Faults::Random(KINDS.to_vec()),
        patience: PATIENCE,
    })
    .await;
    println!("{}", report.table());
    assert!(report.is_good(), "see above; the same faults again: seed {SEED}");
}
