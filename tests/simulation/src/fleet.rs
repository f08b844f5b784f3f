//! The fleet: real producers and real workers, each started again when it died or left.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use millrace_broker::Broker;
use millrace_domain::{PoolName, SessionId};
use millrace_producer::{Access, Producer};
use millrace_runtime::{Ambient, Shutdown};
use millrace_store::Store;
use millrace_worker::Worker;
use millrace_worker::executors::Registry;
use millrace_worker::settings::Settings;

use crate::broker::{MemoryBroker, PREFIX};
use crate::dice::Dice;
use crate::executor::Simulated;
use crate::faults::moment;
use crate::letters;
use crate::process::Process;
use crate::store::MemoryStore;
use crate::world::Shared;

/// The partitions of the cluster.
pub(crate) const PARTITIONS: u16 = 4;

/// A member of the fleet: a process that runs.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) process: Arc<Process>,
    /// Asks it to leave in good order.
    pub(crate) leave: Shutdown,
    /// The API of a producer.
    pub(crate) router: Option<Router>,
}

/// The fleet: who runs, by slot, producers first.
pub(crate) struct Fleet {
    pub(crate) world: Shared,
    pub(crate) producers: usize,
    members: Mutex<Vec<Option<Member>>>,
    numbers: Mutex<u16>,
    seed: u64,
}

impl Fleet {
    /// Starts a fleet, which is kept up until the runtime ends.
    pub(crate) fn start(
        world: &Shared,
        producers: usize,
        workers: usize,
        dice: &mut Dice,
        seed: u64,
    ) -> Arc<Self> {
        let members = Mutex::new(vec![None; producers + workers]);
        let fleet =
            Arc::new(Self { world: world.clone(), producers, members, numbers: Mutex::new(100), seed });
        for slot in 0..producers + workers {
            let (fleet, dice) = (Arc::clone(&fleet), dice.fork());
            tokio::spawn(async move { fleet.keep(slot, dice).await });
        }
        fleet
    }

    /// The members that run now.
    pub(crate) fn members(&self) -> Vec<Option<Member>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, slot: usize, member: Option<Member>) {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)[slot] = member;
    }

    /// Makes a process for a slot, with its fate.
    pub(crate) fn process(&self, name: &str, suffers: bool, dice: &mut Dice) -> Arc<Process> {
        let number = {
            let mut numbers = self.numbers.lock().unwrap_or_else(PoisonError::into_inner);
            *numbers += 1;
            *numbers
        };
        let doom = {
            let world = self.world.lock();
            let doomed = suffers && dice.chance(world.faults.doomed);
            doomed.then(|| (dice.range(1, world.faults.doomed_within), moment(dice)))
        };
        let name = format!("{name}#{number}");
        Arc::new(Process::new(number, name, self.world.clone(), doom, suffers))
    }

    async fn keep(&self, slot: usize, mut dice: Dice) {
        // Not all at the same instant.
        tokio::time::sleep(dice.millis(0, 200)).await;
        loop {
            if slot < self.producers {
                self.run_producer(slot, &mut dice).await;
            } else {
                self.run_worker(slot, &mut dice).await;
            }
            self.set(slot, None);
            let faulty = !self.world.lock().is_healed();
            tokio::time::sleep(dice.millis(50, if faulty { 12_000 } else { 500 })).await;
        }
    }

    fn ambient(&self, dice: &mut Dice) -> Ambient {
        let world = self.world.lock();
        let skew = world.faults.skew_ms;
        let off = dice.below(2 * skew + 1) as i64 - skew as i64;
        Ambient::simulated(world.true_now().as_millis() + off, dice.roll())
    }

    /// Runs a producer to its end.
    async fn run_producer(&self, slot: usize, dice: &mut Dice) {
        let process = self.process(&format!("producer{slot}"), true, dice);
        let (store, broker) = servers(&process);
        let options = millrace_producer::Options {
            partitions: PARTITIONS,
            ambient: self.ambient(dice),
            rehearsal: Some(letters::rehearse),
            ..millrace_producer::Options::default()
        };
        let leave = Shutdown::new();
        let started =
            Producer::start(store, broker, options, false, PREFIX, Access::default(), leave.clone());
        let producer = tokio::select! {
            biased;
            () = process.died() => return,
            started = started => started,
        };
        let Ok(producer) = producer else { return process.die("it could not start") };
        let router = Some(producer.router());
        self.set(slot, Some(Member { process: Arc::clone(&process), leave, router }));
        tokio::select! {
            biased;
            () = process.died() => {}
            () = producer.finish() => process.die("it left"),
        }
    }

    /// Runs a worker to its end.
    async fn run_worker(&self, slot: usize, dice: &mut Dice) {
        let process = self.process(&format!("worker{slot}"), true, dice);
        let (store, broker) = servers(&process);
        let ambient = self.ambient(dice);
        let session = SessionId(ambient.random_id());
        let mut settings = Settings::new("/", session);
        settings.ambient = ambient;
        let options = millrace_worker::Options {
            pools: vec![PoolName::default()],
            slots: dice.range(1, 4) as u32,
            labels: Vec::new(),
            host: process.name.clone(),
            grace: dice.millis(0, 5_000),
            listen: None,
            settings,
        };
        let mut executors = Registry::default();
        let executor = Simulated { process: Arc::clone(&process), session, seed: self.seed };
        executors.add("shell", Arc::new(executor));
        let leave = Shutdown::new();
        let worker = Worker::start_with(store, broker, options, executors, leave.clone());
        self.set(slot, Some(Member { process: Arc::clone(&process), leave, router: None }));
        tokio::select! {
            biased;
            () = process.died() => {}
            () = worker.finish() => {
                // What is left of it ends with it.
                tokio::time::sleep(Duration::from_millis(1)).await;
                process.die("it left");
            }
        }
    }
}

fn servers(process: &Arc<Process>) -> (Arc<dyn Store>, Arc<dyn Broker>) {
    (Arc::new(MemoryStore(Arc::clone(process))), Arc::new(MemoryBroker::of(Arc::clone(process))))
}
