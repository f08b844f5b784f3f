//! One run of the suite: a fleet under load, faults one after the other, and the judgement at the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, block_in_place};
use tokio::time::sleep;

use crate::audit::{self, Check, Evidence};
use crate::doors::{Door, Doors};
use crate::faults;
use crate::incident::{Epoch, Excuse, Incident};
use crate::kind::Kind;
use crate::ledger::Ledger;
use crate::plan::{Fault, Plan};
use crate::recovery;
use crate::report::Report;
use crate::stage::{Cast, Servers, Stage};
use crate::states::States;
use crate::trail::Trail;
use crate::workload::{self, Around, Load, Workload};

/// How long the load runs before the first fault.
const WARM_UP: Duration = Duration::from_secs(5);

/// How long everything that was asked for may take to be answered, and to end, when the faults are over.
const ANSWER_BOUND: Duration = Duration::from_secs(90);
const END_BOUND: Duration = Duration::from_secs(120);
const DRAIN_BOUND: Duration = Duration::from_secs(30);

/// Between looks at the newest runs, and how many pages of them.
const SWEEP: Duration = Duration::from_secs(10);
const PAGES: usize = 20;

/// Of all runs, when it comes to the end.
const ALL_PAGES: usize = 10_000;

/// Entries that are asked for at once at the end.
const SETTLED: usize = 200;

/// What is run.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Repeats the faults.
    pub seed: u64,
    /// How long faults are injected.
    pub lasts: Duration,
    /// The fleet.
    pub cast: Cast,
    /// The load.
    pub load: Load,
    /// The kinds of faults; those that cannot be done here are left out, with a word.
    pub kinds: Vec<Kind>,
    /// How many faults, at most.
    pub limit: usize,
}

/// Runs it.
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

    let kinds: Vec<Kind> = setup
        .kinds
        .iter()
        .copied()
        .filter(|kind| {
            let possible = faults::is_possible(*kind, &stage);
            if !possible {
                println!("{kind} cannot be done here");
            }
            possible
        })
        .collect();
    let mut record = Record::default();
    let plan = Plan::new(setup.seed, &kinds).take(setup.limit);
    let began = epoch.now();
    for fault in plan {
        if epoch.now() - began > setup.lasts {
            break;
        }
        sleep(fault.gap).await;
        record.go_through(&fault, &mut stage, &around).await;
    }
    let lasted = epoch.now() - began;
    println!("{:>7.1} s  the faults are over", epoch.now().as_secs_f64());

    load.stop(ANSWER_BOUND).await;
    settle(&around).await;
    pause(&around, setup.load.schedules).await;
    sweeping.abort();
    let _ = sweeping.await;
    let mut states = states.lock().await;
    finish(&around, &mut states).await;
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

/// What was done so far.
#[derive(Debug)]
struct Record {
    incidents: Vec<Incident>,
    excuses: Vec<Excuse>,
    failures: Vec<String>,
    recovered: Check,
}

impl Default for Record {
    fn default() -> Self {
        let recovered = Check::new("recovery within 15 s");
        Self { incidents: Vec::new(), excuses: Vec::new(), failures: Vec::new(), recovered }
    }
}

impl Record {
    /// Injects a fault, ends it, and sees the fleet recover.
    async fn go_through(&mut self, fault: &Fault, stage: &mut Stage, around: &Arc<Around>) {
        let begun = match faults::inject(fault, stage, around.epoch).await {
            Ok(begun) => begun,
            Err(reason) => {
                self.failures.push(format!("{} {}: {reason}", fault.number, fault.kind));
                return;
            }
        };
        let since = around.epoch.now();
        let early = begun.is_gone.then(|| {
            let around = Arc::clone(around);
            tokio::spawn(async move { recovery::measure(&around, since).await })
        });
        sleep(fault.lasts.saturating_sub(since - begun.began)).await;
        if let Err(reason) = faults::heal(fault, &begun, stage, around).await {
            self.failures.push(format!("{} {}: {reason}", fault.number, fault.kind));
        }
        let healed = around.epoch.now();
        let (over, recovery) = match early {
            Some(early) => (since, early.await.ok().flatten()),
            None => (healed, recovery::measure(around, healed).await),
        };
        // What died is away until it was started again; what was away may have lost its lease.
        self.excuses.extend(begun.excuse(fault.kind, over));
        let shown =
            recovery.map_or("not recovered".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
        println!(
            "{:>7.1} s  {:>3} {:<16} {:<44} lasted {:>4.1} s, recovery {shown}",
            begun.began.as_secs_f64(),
            fault.number,
            fault.kind,
            begun.target,
            (healed - begun.began).as_secs_f64(),
        );
        self.recovered.expect(recovery.is_some_and(|time| time < recovery::BOUND), || {
            format!("{} {} on {}: {shown}", fault.number, fault.kind, begun.target)
        });
        let (number, kind, began, target) = (fault.number, fault.kind, begun.began, begun.target);
        self.incidents.push(Incident { number, kind, target, began, over, recovery });
    }
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
async fn settle(around: &Arc<Around>) {
    around.given_up.store(false, Ordering::Relaxed);
    let unknown: Vec<usize> = {
        let books = around.ledger.open();
        let unknown = books.entries.iter().enumerate().filter(|(_, entry)| entry.run.is_none());
        unknown.map(|(number, _)| number).collect()
    };
    let asked = async {
        for (producer, batch) in unknown.chunks(SETTLED).enumerate() {
            workload::carry(around, Door::Rest, producer, batch).await;
        }
    };
    if tokio::time::timeout(ANSWER_BOUND, asked).await.is_err() {
        println!("not everything was answered within {ANSWER_BOUND:?}");
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
async fn finish(around: &Around, states: &mut States) {
    let deadline = around.epoch.now() + END_BOUND;
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

/// Nothing is left on the broker: not in a queue, not unacked, not rejected.
async fn drained(stage: &mut Stage) -> [Check; 2] {
    let mut drained = Check::new("queues are drained");
    let mut rejected = Check::new("nothing was rejected");
    let prefix = format!("{}.", stage.fleet.prefix());
    let deadline = tokio::time::Instant::now() + DRAIN_BOUND;
    loop {
        let listed = block_in_place(|| {
            let arguments = ["--quiet", "list_queues", "name", "messages"];
            match &mut stage.servers {
                Servers::Single(servers) => servers.0.ctl(&arguments),
                Servers::Cluster(servers) => servers.0.node(0).ctl(&arguments),
            }
        });
        let queues: Vec<(&str, u64)> = listed
            .lines()
            .filter_map(|line| {
                let (name, count) = line.split_once('\t')?;
                Some((name.strip_prefix(&prefix)?, count.trim().parse().ok()?))
            })
            .collect();
        let full = |(name, count): &&(&str, u64)| *name != "rejected" && *count > 0;
        if queues.iter().any(|queue| full(&queue)) && tokio::time::Instant::now() < deadline {
            sleep(Duration::from_secs(1)).await;
            continue;
        }
        for queue in &queues {
            let check = if queue.0 == "rejected" { &mut rejected } else { &mut drained };
            check.expect(queue.1 == 0, || format!("{} holds {}", queue.0, queue.1));
        }
        drained.expect(!queues.is_empty(), || "no queues are listed".to_owned());
        return [drained, rejected];
    }
}
