//! The world that all processes of a simulation share: the store, the broker, and whoever watches.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use millrace_domain::Timestamp;
use tokio::time::Instant;

use crate::auditor::Auditor;
use crate::broker::Exchange;
use crate::clock::{Believed, Clock};
use crate::dice::Dice;
use crate::faults::{Fate, Faults};
use crate::left::Left;
use crate::store::{Guards, Memory};
use crate::trace::Trace;

/// The time at which a simulation begins, in milliseconds since the epoch.
const BEGIN_MS: i64 = 1_790_000_000_000;

/// The most events of one seed.
const MOST_EVENTS: u64 = 300_000;

/// The world: all that the processes of a simulation share.
pub(crate) struct World {
    began: Instant,
    /// The true time at the beginning.
    begin: Timestamp,
    clock: Clock,
    pub(crate) memory: Memory,
    pub(crate) exchange: Exchange,
    pub(crate) auditor: Auditor,
    pub(crate) trace: Trace,
    pub(crate) dice: Dice,
    pub(crate) faults: Faults,
    pub(crate) left: Left,
    healed: bool,
    /// The times until which store and broker are away.
    pub(crate) store_back: Instant,
    pub(crate) broker_back: Instant,
}

/// The world, as everybody has it.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<World>>);

impl Shared {
    /// A world in which nothing goes wrong and nobody watches, with guards as given and the clock of this machine.
    /// Needs a Tokio runtime.
    pub fn calm(guards: Guards) -> Self {
        let world = Self::new(Dice::new(0), Faults::default(), guards, Auditor::asleep(), false);
        world.lock().begin = Timestamp::from_millis(millrace_runtime::ambient::wall_millis());
        world
    }

    pub(crate) fn new(
        mut dice: Dice,
        faults: Faults,
        guards: Guards,
        auditor: Auditor,
        in_words: bool,
    ) -> Self {
        let now = Instant::now();
        Self(Arc::new(Mutex::new(World {
            began: now,
            begin: Timestamp::from_millis(BEGIN_MS),
            clock: Clock::default(),
            memory: Memory::new(guards),
            exchange: Exchange::new(dice.fork(), faults.reordered),
            auditor,
            trace: Trace::new(in_words),
            dice,
            faults,
            left: Left::default(),
            healed: false,
            store_back: now,
            broker_back: now,
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    /// The true time, which nobody can set.
    pub(crate) fn true_now(&self) -> Timestamp {
        self.begin + self.began.elapsed()
    }

    /// What the store's clock shows.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.shows(self.true_now())
    }

    /// What processes may believe that the store's clock shows now.
    pub(crate) fn believed(&self) -> Believed {
        self.clock.believed(self.true_now())
    }

    /// Sets the store's clock.
    pub(crate) fn set_clock(&mut self, by_ms: i64) {
        self.clock.step(by_ms, self.true_now());
        self.auditor.clock_was_set = true;
        let shows = self.now();
        self.note(0, "clock", || format!("the store's clock is set by {by_ms} ms, and shows {shows}"));
    }

    /// Notes that something happened.
    pub(crate) fn note(&mut self, who: u16, what: &'static str, words: impl FnOnce() -> String) {
        let at = self.true_now();
        self.trace.note(at, who, what, (), words);
    }

    /// Draws what happens to the next call.
    pub(crate) fn fate(&mut self) -> Fate {
        self.faults.fate(&mut self.dice)
    }

    /// Have faults stopped?
    pub(crate) fn is_healed(&self) -> bool {
        self.healed
    }

    /// Has so much happened that it must be a circle? Then the world stands still, so that its time can go on.
    pub(crate) fn is_exhausted(&mut self) -> bool {
        let exhausted = self.trace.events() > MOST_EVENTS;
        if exhausted {
            self.auditor
                .object(2, || format!("more than {MOST_EVENTS} calls: something goes round in circles"));
        }
        exhausted
    }

    /// Ends the trace at the first violation: what comes after it is of no interest.
    pub(crate) fn close_if_violated(&mut self) {
        if self.auditor.violation().is_some() {
            self.trace.close();
        }
    }

    /// Ends all faults.
    pub(crate) fn heal(&mut self) {
        self.faults = Faults::default();
        self.healed = true;
        self.exchange.calm();
        let now = Instant::now();
        (self.store_back, self.broker_back) = (now, now);
        self.note(0, "heal", || "no more faults".to_owned());
    }
}
