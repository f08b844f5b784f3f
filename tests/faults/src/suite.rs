//! One run of the suite: a fleet under load, faults one after the other, and the judgement at the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::aftermath::{drained, handed_on, unlocked};
use crate::audit::{self, Check, Evidence};
use crate::doors::{Door, Doors};
use crate::faults::{self, Begun};
use crate::incident::{Epoch, Excuse, Incident};
use crate::kind::Kind;
use crate::ledger::Ledger;
use crate::plan::{Fault, Plan, Upgrade};
use crate::recovery;
use crate::report::Report;
use crate::stage::{Cast, Stage};
use crate::states::States;
use crate::trail::Trail;
use crate::workload::{self, Around, Load, Workload};

/// The time that the load runs before the first fault.
const WARM_UP: Duration = Duration::from_secs(5);

/// The longest that everything that was asked for may take to be answered, and to end, when the faults are over.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The interval at which the newest runs are looked at, and how many pages of them.
const SWEEP: Duration = Duration::from_secs(15);
const PAGES: usize = 8;

/// The pages of all runs, when it comes to the end.
const ALL_PAGES: usize = 10_000;

/// The entries in one request at the end, the requests under way, and how long each entry may take.
const SETTLED: usize = 100;
const ASKED_AT_ONCE: usize = 6;
const SETTLE_MS: u64 = 10;

/// The setup of a run of the suite.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The seed, which repeats the faults.
    pub seed: u64,
    /// How long faults are injected for.
    pub lasts: Duration,
    /// The cast of the fleet.
    pub cast: Cast,
    /// The load on the fleet.
    pub load: Load,
    /// The faults that are injected.
    pub faults: Faults,
    /// The longest that all that was accepted may take to end, when the faults are over.
    pub patience: Duration,
}

/// The choice of the faults that are injected.
#[derive(Debug, Clone)]
pub enum Faults {
    /// Random faults of these kinds; those that cannot be done here are left out, with a word.
    Random(Vec<Kind>),
    /// These faults, each once.
    These(Vec<Fault>),
    /// An upgrade from the older version, and back, again and again.
    Upgrade,
}

/// Runs the suite, and returns its report.
///
/// # Panics
/// When servers or fleet do not start.
pub async fn run(setup: Setup) -> Report {
    let mut stage = Stage::build(&setup.cast, setup.seed).await;
    let (epoch, ledger) = (Epoch::new(), Arc::<Ledger>::default());
    let around = Arc::new(Around {
        doors: Doors::new(stage.servers.amqp_urls(), stage.fleet.prefix()),
        ledger: Arc::clone(&ledger),
        trail: Trail::follow(stage.fleet.folder(), epoch, ledger),
        epoch,
        given_up: AtomicBool::new(false),
    });
    stage.open(&around).await;
    workload::prepare(&around, setup.load).await;
    let load = Workload::start(Arc::clone(&around), setup.load, setup.seed);
    let states = Arc::<Mutex<States>>::default();
    let sweeping = sweep(Arc::clone(&around), Arc::clone(&states));
    sleep(WARM_UP).await;

    let mut record = Record::new(setup.patience.min(recovery::GIVE_UP));
    let plan: Box<dyn Iterator<Item = Fault>> = match setup.faults {
        Faults::Random(kinds) => Box::new(Plan::new(setup.seed, &possible(kinds, &stage))),
        Faults::These(faults) => Box::new(faults.into_iter()),
        Faults::Upgrade => Box::new(Upgrade::new(setup.seed, setup.cast.producers, setup.cast.workers)),
    };
    let began = epoch.now();
    for fault in plan {
        if epoch.now() - began > setup.lasts {
            break;
        }
        sleep(fault.gap).await;
        record.go_through(&fault, &mut stage, &around).await;
    }
    // What was killed on purpose by somebody else than us, or died, is started again.
    stage.complete(&around);
    let lasted = epoch.now() - began;
    println!("{:>7.1} s  the faults are over", epoch.now().as_secs_f64());

    load.stop(setup.patience).await;
    settle(&around, setup.patience).await;
    pause(&around, setup.load.schedules).await;
    sweeping.abort();
    let _ = sweeping.await;
    let mut states = states.lock().await;
    finish(&around, &mut states, setup.patience).await;
    println!("{:>7.1} s  all is looked at", epoch.now().as_secs_f64());

    let logs = stage.logs();
    let books = std::mem::take(&mut *around.ledger.open());
    let marks = std::mem::take(&mut *around.trail.marks());
    let (mut checks, extras) = audit::judge(&Evidence {
        books: &books,
        marks: &marks,
        states: &states,
        excuses: &record.excuses,
        logs: &logs,
        schedules: setup.load.schedules,
    });
    checks.push(handed_on(&around, &books).await);
    checks.push(unlocked(&around).await);
    checks.extend(drained(&mut stage).await);
    checks.push(record.recovered);
    let mut submitted = BTreeMap::new();
    for entry in &books.entries {
        *submitted.entry(format!("{:?}", entry.shape).to_lowercase()).or_insert(0) += 1;
        *submitted.entry("tasks".to_owned()).or_insert(0) += entry.shape.tasks() as u64;
    }
    let ticks = states.runs.values().filter(|(workflow, _)| workflow.starts_with("tick")).count() as u64;
    submitted.insert("fires".to_owned(), ticks);
    submitted.insert("asked twice".to_owned(), books.repeated);
    Report {
        seed: setup.seed,
        lasted,
        submitted,
        incidents: record.incidents,
        checks,
        extras,
        failures: record.failures,
    }
}

/// The record of what was done so far.
#[derive(Debug)]
struct Record {
    incidents: Vec<Incident>,
    excuses: Vec<Excuse>,
    failures: Vec<String>,
    recovered: Check,
    /// The longest that a recovery is waited for.
    give_up: Duration,
}

impl Record {
    fn new(give_up: Duration) -> Self {
        let recovered = Check::new("recovery within 15 s");
        Self { incidents: Vec::new(), excuses: Vec::new(), failures: Vec::new(), recovered, give_up }
    }

    /// Injects a fault, ends it, and sees the fleet recover.
    async fn go_through(&mut self, fault: &Fault, stage: &mut Stage, around: &Arc<Around>) {
        let Some(begun) = self.begin(fault, stage, around).await else { return };
        let since = around.epoch.now();
        let is_single = fault.within.is_none();
        let early = (begun.is_gone && is_single).then(|| {
            let (around, living, give_up) = (Arc::clone(around), stage.living(), self.give_up);
            tokio::spawn(async move { recovery::measure(&around, since, living, give_up).await })
        });
        let left = fault.lasts.saturating_sub(since - begun.began);
        let within = match &fault.within {
            Some(within) => {
                sleep(left / 2).await;
                let begun = self.begin(within, stage, around).await;
                sleep((left / 2).max(within.lasts)).await;
                begun.map(|begun| (&**within, begun))
            }
            None => {
                sleep(left).await;
                None
            }
        };
        let within_over = match &within {
            Some((fault, begun)) => Some(self.end(fault, begun, stage, around).await),
            None => None,
        };
        let healed = self.end(fault, &begun, stage, around).await;
        let (over, recovery) = match early {
            Some(early) => (since, early.await.ok().flatten()),
            None => (healed, recovery::measure(around, healed, stage.living(), self.give_up).await),
        };
        let shown =
            recovery.map_or("not recovered".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
        if is_single {
            self.recovered.expect(recovery.is_some_and(|time| time < recovery::BOUND), || {
                format!("{} {} on {}: {shown}", fault.number, fault.kind, begun.target)
            });
        }
        self.note(fault, begun, (over, healed), recovery, is_single);
        if let (Some((fault, begun)), Some(over)) = (within, within_over) {
            self.note(fault, begun, (over, over), recovery, false);
        }
    }

    async fn begin(&mut self, fault: &Fault, stage: &mut Stage, around: &Around) -> Option<Begun> {
        match faults::inject(fault, stage, around.epoch).await {
            Ok(begun) => Some(begun),
            Err(reason) => {
                self.failures.push(format!("{} {}: {reason}", fault.number, fault.kind));
                None
            }
        }
    }

    /// Ends a fault, and returns when it was over.
    async fn end(&mut self, fault: &Fault, begun: &Begun, stage: &mut Stage, around: &Around) -> Duration {
        if let Err(reason) = faults::heal(fault, begun, stage, around).await {
            self.failures.push(format!("{} {}: {reason}", fault.number, fault.kind));
        }
        let over = around.epoch.now();
        self.excuses.extend(begun.excuse(fault.kind, over));
        over
    }

    fn note(
        &mut self,
        fault: &Fault,
        begun: Begun,
        (over, healed): (Duration, Duration),
        recovery: Option<Duration>,
        is_single: bool,
    ) {
        let shown =
            recovery.map_or("not recovered".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
        println!(
            "{:>7.1} s  {:>3} {:<16} {:<44} lasted {:>4.1} s, recovery {shown}{}",
            begun.began.as_secs_f64(),
            fault.number,
            fault.kind,
            begun.target,
            (healed - begun.began).as_secs_f64(),
            if is_single { "" } else { " (two at once)" },
        );
        let (number, kind, began, target) = (fault.number, fault.kind, begun.began, begun.target);
        self.incidents.push(Incident { number, kind, target, began, over, recovery, is_single });
    }
}

/// The kinds that can be done here.
fn possible(mut kinds: Vec<Kind>, stage: &Stage) -> Vec<Kind> {
    kinds.retain(|kind| {
        let possible = faults::is_possible(*kind, stage);
        if !possible {
            println!("{kind} cannot be done here");
        }
        possible
    });
    kinds
}

/// Looks at the newest runs again and again.
fn sweep(around: Arc<Around>, states: Arc<Mutex<States>>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut producer = 0;
        loop {
            sleep(SWEEP).await;
            // While faults last there may be no answer.
            let _ = states.lock().await.sweep(&around.doors, producer, PAGES).await;
            producer += 1;
        }
    })
}

/// Asks for everything whose run nobody has told yet: what was accepted must be known.
async fn settle(around: &Arc<Around>, patience: Duration) {
    around.given_up.store(false, Ordering::Relaxed);
    let unknown: Vec<usize> = {
        let books = around.ledger.open();
        let unknown = books.entries.iter().enumerate().filter(|(_, entry)| entry.run.is_none());
        unknown.map(|(number, _)| number).collect()
    };
    let patience = patience + Duration::from_millis(unknown.len() as u64 * SETTLE_MS);
    let asked = stream::iter(unknown.chunks(SETTLED).enumerate()).for_each_concurrent(
        ASKED_AT_ONCE,
        async |(producer, batch)| {
            workload::carry(around, Door::Rest, producer, batch).await;
        },
    );
    if tokio::time::timeout(patience, asked).await.is_err() {
        println!("not everything was answered within {patience:?}");
    }
}

async fn pause(around: &Around, schedules: usize) {
    for number in 0..schedules {
        let path = format!("/api/v1/workflows/tick{number}/pause");
        for producer in 0..100 {
            if around.doors.post(producer, &path, &json!({})).await.is_ok() {
                break;
            }
            sleep(Duration::from_millis(300)).await;
        }
    }
}

/// Waits until all runs have ended, and then looks at all of them once more.
async fn finish(around: &Around, states: &mut States, patience: Duration) {
    let deadline = around.epoch.now() + patience;
    let mut producer = 0;
    let mut last = usize::MAX;
    while around.epoch.now() < deadline {
        producer += 1;
        if let Err(error) = states.sweep(&around.doors, producer, ALL_PAGES).await {
            println!("the runs are not listed: {error}");
            sleep(Duration::from_secs(1)).await;
            continue;
        }
        let open = states.open();
        if open.len() != last {
            println!("{:>7.1} s  {} runs are open", around.epoch.now().as_secs_f64(), open.len());
        }
        last = open.len();
        if open.is_empty() {
            break;
        }
        sleep(Duration::from_millis(500)).await;
    }
    // A full look at the end, on another producer.
    if let Err(error) = states.sweep(&around.doors, producer + 1, ALL_PAGES).await {
        println!("the runs are not listed: {error}");
    }
}
