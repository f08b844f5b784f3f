//! A process as its servers see it: alive, held up, or dead. A dead one never gets another answer, and nothing it
//! asks has an effect: that is what kill -9 looks like from outside. One that is held up gets its answers late, as
//! one does that was stopped (SIGSTOP) or cut off.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use millrace_runtime::Shutdown;
use tokio::time::Instant;

use crate::faults::Moment;
use crate::world::{Shared, World};

/// A simulated process, through which all calls of a producer, a worker or a client go.
pub(crate) struct Process {
    /// The number of the process, unique in its world.
    pub(crate) number: u16,
    /// The name of the process, for people.
    pub(crate) name: String,
    pub(crate) world: Shared,
    dead: Shutdown,
    held_until: Mutex<Instant>,
    calls: AtomicU64,
    /// The call at which the process dies, and the moment.
    doom: Option<(u64, Moment)>,
    /// Whether faults happen to the process. Clients are spared.
    pub(crate) suffers: bool,
}

/// A call that has failed, as far as its caller knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lost;

/// The server that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Store,
    Broker,
}

impl Process {
    pub(crate) fn new(
        number: u16,
        name: String,
        world: Shared,
        doom: Option<(u64, Moment)>,
        suffers: bool,
    ) -> Self {
        Self {
            number,
            name,
            world,
            dead: Shutdown::new(),
            held_until: Mutex::new(Instant::now()),
            calls: AtomicU64::new(0),
            doom,
            suffers,
        }
    }

    /// Ends the process at once. What it had not settled goes back to its queues.
    pub(crate) fn die(&self, why: &'static str) {
        if self.dead.has_begun() {
            return;
        }
        self.dead.begin();
        let mut world = self.world.lock();
        world.note(self.number, "die", || format!("{} dies: {why}", self.name));
        world.auditor.died(self.number);
        world.exchange.disconnect(self.number);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.has_begun()
    }

    /// Waits until the process is dead.
    pub(crate) async fn died(&self) {
        self.dead.begun().await;
    }

    /// Holds the process up: no call of it gets on for so long.
    pub(crate) fn hold(&self, how_long: Duration) {
        if let Ok(mut until) = self.held_until.lock() {
            *until = (*until).max(Instant::now() + how_long);
        }
        let mut world = self.world.lock();
        world.note(self.number, "hold", || format!("{} is held up for {how_long:?}", self.name));
    }

    /// Lets the process go on at once.
    pub(crate) fn let_go(&self) {
        if let Ok(mut until) = self.held_until.lock() {
            *until = Instant::now();
        }
    }

    /// Asks a server to do something.
    pub(crate) async fn call<T>(
        &self,
        server: Server,
        what: &'static str,
        effect: impl FnOnce(&mut World) -> T,
    ) -> Result<T, Lost> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let doomed = self.doom.filter(|(at, _)| *at == number);
        let (fate, doom) = if self.suffers {
            let mut world = self.world.lock();
            let doom = doomed.filter(|_| !world.is_healed()).map(|(_, moment)| moment);
            (world.fate(), doom)
        } else {
            Default::default()
        };
        if doom == Some(Moment::Before) {
            self.die(what);
        }
        self.wait(fate.before).await;
        let answer = {
            let mut world = self.world.lock();
            let back = match server {
                Server::Store => world.store_back,
                Server::Broker => world.broker_back,
            };
            let away = self.suffers && Instant::now() < back;
            if away || fate.fails == Some(Moment::Before) {
                world.note(self.number, "fail", || format!("{} {what}: not done", self.name));
                None
            } else {
                world.note(self.number, what, || self.name.clone());
                let answer = effect(&mut world);
                world.close_if_violated();
                Some(answer)
            }
        };
        if doom == Some(Moment::After) {
            self.die(what);
        }
        self.wait(fate.after).await;
        match answer {
            Some(_) if fate.fails == Some(Moment::After) => {
                self.world
                    .lock()
                    .note(self.number, "lose", || format!("{} {what}: done, not told", self.name));
                Err(Lost)
            }
            Some(answer) => Ok(answer),
            None => {
                // A server that is away is not asked in a tight loop.
                self.wait(Duration::from_millis(20)).await;
                Err(Lost)
            }
        }
    }

    /// Lets time pass; for ever when the process is dead.
    async fn wait(&self, delay: Duration) {
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        loop {
            if self.is_dead() || self.world.lock().is_exhausted() {
                return std::future::pending().await;
            }
            let until = self.held_until.lock().map_or_else(|_| Instant::now(), |until| *until);
            if Instant::now() >= until {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }
}
