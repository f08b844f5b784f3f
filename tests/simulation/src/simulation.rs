//! One seed, from its first call to quiet.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Once};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::auditor::{Auditor, Seen, Violation};
use crate::client::Client;
use crate::dice::Dice;
use crate::faults::Faults;
use crate::fleet::Fleet;
use crate::nemesis;
use crate::newcomer;
use crate::store::Guards;
use crate::workload::Workload;
use crate::world::Shared;

/// The interval at which the auditor's verdict is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The time within which every partition has an owner that works, once faults have stopped.
const OWNED_WITHIN: Duration = Duration::from_secs(40);

/// The time within which a fleet that works has followed a clock that was set.
const FOLLOWED_WITHIN: Duration = Duration::from_secs(6);

/// The time within which everything has come to its end, once faults have stopped.
const QUIET_WITHIN: Duration = Duration::from_secs(400);

thread_local! {
    /// What the last panic of this thread said: tasks swallow theirs.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The report of a seed: what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// The number of events.
    pub events: u64,
    /// A hash of all events: the same seed gives the same.
    pub hash: u64,
    /// The counts of what came about.
    pub seen: Seen,
    /// How long it took, in simulated milliseconds.
    pub millis: u64,
}

/// A seed under which an invariant does not hold.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// What does not hold.
    pub violation: Violation,
    /// The last events, when it was run in words.
    pub trace: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, violation, trace } = self;
        let replay = format!("MILLRACE_SIM_SEED={seed} cargo test -p millrace-simulation --test seeds");
        write!(f, "{trace}\nseed {seed}: {violation}\nreplay: {replay}")
    }
}

/// Runs a seed. One that fails is run again in words.
///
/// # Errors
/// When an invariant does not hold.
pub fn run(seed: u64, guards: Guards) -> Result<Report, Box<Failure>> {
    match run_once(seed, guards, false) {
        Ok(report) => Ok(report),
        Err(first) => Err(run_once(seed, guards, true).err().unwrap_or(first)),
    }
}

/// Runs a seed, and returns its last events in words.
pub fn run_in_words(seed: u64) -> String {
    match run_once(seed, Guards::default(), true) {
        Ok(report) => format!("{report:?}"),
        Err(failure) => failure.to_string(),
    }
}

fn run_once(seed: u64, guards: Guards, in_words: bool) -> Result<Report, Box<Failure>> {
    note_panics();
    PANIC.take();
    let fail = |violation, trace| Box::new(Failure { seed, violation, trace });
    let runtime = match Builder::new_current_thread().enable_time().start_paused(true).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let what = format!("no runtime: {error}");
            return Err(fail(Violation { invariant: 0, what }, String::new()));
        }
    };
    let (world, outcome) = runtime.block_on(live(seed, guards, in_words));
    drop(runtime);
    let outcome = match PANIC.take() {
        Some(what) => Err(Violation { invariant: 0, what }),
        None => outcome,
    };
    let world = world.lock();
    match outcome {
        Ok(millis) => {
            let (events, hash) = world.trace.digest();
            Ok(Report { events, hash, seen: world.auditor.all_seen(), millis })
        }
        Err(violation) => Err(fail(violation, world.trace.words())),
    }
}

/// Lives through a seed, and returns how long it took, or what did not hold.
async fn live(seed: u64, guards: Guards, in_words: bool) -> (Shared, Result<u64, Violation>) {
    let mut dice = Dice::new(seed);
    let mut faults = Faults::drawn(&mut dice);
    let window = dice.millis(2_000, 45_000);
    let window_ms = window.as_millis() as u64;
    let workload = Workload::drawn(&mut dice, window_ms);
    let mut other_dice = Dice::new(!seed);
    let workload = workload.telling(&mut other_dice, &mut faults, window_ms);
    let workload = workload.reordering(&mut other_dice, window_ms);
    let workload = workload.widening(&mut other_dice, window_ms);
    let workload = workload.acting(&mut other_dice);
    let workload = workload.nesting(&mut other_dice, window_ms);
    let workload = workload.locking(&mut other_dice, window_ms);
    let workload = workload.limiting(&mut other_dice, window_ms);
    let workload = workload.asking(&mut other_dice, window_ms);
    let workload = workload.rating(&mut other_dice, window_ms);
    let workload = workload.retrying(&mut other_dice);
    let workload = workload.pausing(&mut other_dice);
    let world = Shared::new(dice.fork(), faults, guards, Auditor::awake(), in_words);
    let began = Instant::now();
    let (producers, workers) = (dice.range(1, 3) as usize, dice.range(1, 3) as usize);
    let fleet = Fleet::start(&world, producers, workers, &mut dice, seed);
    tokio::spawn(nemesis::strike(Arc::clone(&fleet), dice.fork(), window));
    tokio::spawn(newcomer::visit(Arc::clone(&fleet), dice.fork(), window));
    let mut clients = JoinSet::new();
    clients.spawn(ask_for(Arc::clone(&fleet), dice.fork(), workload));
    let mut healed: Option<Instant> = None;
    let mut steps = clock_steps(&mut dice);
    let mut set: Option<Instant> = None;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        while clients.try_join_next().is_some() {}
        let mut state = world.lock();
        let unaccounted = state.exchange.unaccounted();
        if let Some(what) = unaccounted {
            state.auditor.object(11, || what);
        }
        if let Some(violation) = state.auditor.violation() {
            let violation = violation.clone();
            drop(state);
            return (world, Err(violation));
        }
        let Some(since) = healed else {
            if began.elapsed() >= window {
                state.heal();
                drop(state);
                fleet.members().iter().flatten().for_each(|member| member.process.let_go());
                healed = Some(Instant::now());
            }
            continue;
        };
        if set.is_some_and(|set| set.elapsed() >= FOLLOWED_WITHIN) {
            set = None;
            if let Some(what) = state.auditor.unfired(&state.memory, state.now()) {
                drop(state);
                return (world, Err(Violation { invariant: 1, what: format!("slept through: {what}") }));
            }
        }
        let unfinished = match clients.is_empty() {
            true => None,
            false => Some("a client waits for an answer".to_owned()),
        };
        let unfinished = unfinished
            .or_else(|| state.auditor.unfinished())
            .or_else(|| state.memory.left_over())
            .or_else(|| state.exchange.left_over())
            .or_else(|| state.not_borne())
            .or_else(|| state.auditor.unfired(&state.memory, state.now()));
        let Some(what) = unfinished else {
            if set.is_some() || (since.elapsed() < OWNED_WITHIN && !steps.is_empty()) {
                continue;
            }
            // Nothing is under way that could wake anybody by chance.
            if let Some(by_ms) = steps.pop() {
                state.set_clock(by_ms);
                (healed, set) = (Some(Instant::now()), Some(Instant::now()));
                continue;
            }
            drop(state);
            return (world, Ok(began.elapsed().as_millis() as u64));
        };
        if since.elapsed() > QUIET_WITHIN {
            drop(state);
            return (world, Err(Violation { invariant: 2, what: format!("no end: {what}") }));
        }
    }
}

/// Draws how the store's clock is set once all is quiet: not at all, once, or ahead and back again.
fn clock_steps(dice: &mut Dice) -> Vec<i64> {
    let by_ms = nemesis::clock_step(dice);
    match dice.below(3) {
        0 => Vec::new(),
        1 => vec![by_ms],
        _ => vec![-by_ms.abs(), by_ms.abs()],
    }
}

/// Asks a fleet for all that is wanted of it.
async fn ask_for(fleet: Arc<Fleet>, mut dice: Dice, workload: Workload) {
    Client::new(&fleet, &mut dice).apply(&workload.definitions).await;
    let mut asking = JoinSet::new();
    if !workload.later.is_empty() {
        asking.spawn(Client::new(&fleet, &mut dice).apply_later(workload.later));
    }
    if !workload.pool_acts.is_empty() {
        asking.spawn(Client::new(&fleet, &mut dice).pause_pool(workload.pool_acts));
    }
    for wanted in workload.wanted {
        asking.spawn(Client::new(&fleet, &mut dice).submit(wanted));
    }
    for wanted in workload.retries {
        asking.spawn(Client::new(&fleet, &mut dice).retry(wanted));
    }
    while asking.join_next().await.is_some() {}
}

/// Keeps what panics say, instead of printing it, on threads that simulate.
fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if tokio::runtime::Handle::try_current().is_ok() {
                PANIC.set(Some(format!("{info}")));
            } else {
                before(info);
            }
        }));
    });
}
