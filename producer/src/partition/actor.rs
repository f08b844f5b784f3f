//! The loop: drain, load, advance, commit, publish, ack and answer. One loop for all partitions of a producer,
//! since a partition is a unit of ownership, not of batching: the more there is to do, the more of it shares
//! one commit.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use millrace_domain::run::Event;
use millrace_domain::{Epoch, PartitionId, RunId, Timestamp};
use millrace_runtime::clock::Corrections;
use millrace_store::Timer;
use tokio::sync::{mpsc, watch as watch_channel};
use tokio::time::Instant;

use super::command::Command;
use super::commands::lock::{Order, Wish};
use super::dispatch::Dispatcher;
use super::failed_runs::FailedRuns;
use super::mailbox::{Input, Work};
use super::memory::Memory;
use super::memory::owned::{Owned, Partitions};
use super::memory::timers::WINDOW;
use super::recovery::watch::Watch;
use super::recovery::{letters, republish};
use crate::context::Context;
use crate::failpoint;

/// Inputs taken into one batch, at most.
const BATCH: usize = 1_024;

/// How often the watch looks while anything is dispatched.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// How long to wait for a store that does not answer, before it is asked again.
pub(super) const STORE_PAUSE: Duration = Duration::from_millis(200);

/// The loop and what it knows.
pub(crate) struct Actor {
    pub(super) context: Arc<Context>,
    mailbox: mpsc::Receiver<Input>,
    /// The way in for what the loop tells itself; it never blocks.
    pub(super) inner: mpsc::UnboundedSender<Input>,
    inner_mailbox: mpsc::UnboundedReceiver<Input>,
    pub(super) partitions: Partitions,
    pub(super) memory: Memory,
    pub(super) dispatcher: Dispatcher,
    pub(super) watch: Watch,
    /// Work that waits for the verdict on a commit.
    pub(super) deferred: VecDeque<Work>,
    /// How often events have broken runs, by run: those that did once are worked alone.
    pub(super) failures: HashMap<RunId, u32>,
    /// The corrections of the store's clock, which could not be foreseen.
    pub(super) corrections: watch_channel::Receiver<Corrections>,
    /// How often it had been set back when that was last seen to.
    pub(super) steps_back: u64,
    pub(super) failed_runs: FailedRuns,
}

impl Actor {
    /// A loop that owns nothing yet.
    pub(crate) fn new(context: Arc<Context>, mailbox: mpsc::Receiver<Input>) -> Self {
        let (inner, inner_mailbox) = mpsc::unbounded_channel();
        Self {
            mailbox,
            inner,
            inner_mailbox,
            partitions: Partitions::default(),
            memory: Memory::default(),
            dispatcher: Dispatcher::new(Arc::clone(&context)),
            watch: Watch::new(),
            deferred: VecDeque::new(),
            failures: HashMap::new(),
            corrections: context.clock.corrections(),
            steps_back: 0,
            failed_runs: FailedRuns::new(),
            context,
        }
    }

    /// Runs until the shutdown has begun and all partitions are given back.
    pub(crate) async fn run(mut self) {
        let mut inputs = Vec::with_capacity(BATCH);
        let mut looked = Instant::now();
        let mut look = tokio::time::interval(WATCH_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let watching = self.partitions.is_any_watched();
            let due = self.until_due();
            tokio::select! {
                biased;
                Some(input) = self.inner_mailbox.recv() => inputs.push(input),
                count = self.mailbox.recv_many(&mut inputs, BATCH) => if count == 0 { break },
                () = std::future::ready(()), if !self.deferred.is_empty() => {}
                () = tokio::time::sleep(due.unwrap_or(Duration::from_secs(3600))), if due.is_some() => {}
                // The way to what is due is another by now.
                Ok(()) = self.corrections.changed(), if !failpoint::is_removed("wake") => {}
                _ = look.tick(), if watching => {}
                // All was given back: nothing can be done here any more.
                () = self.context.shutdown.begun(), if self.partitions.is_empty() => break,
            }
            while inputs.len() < BATCH {
                let Ok(input) = self.inner_mailbox.try_recv() else { break };
                inputs.push(input);
            }
            self.follow_clock();
            self.turn(&mut inputs).await;
            // Under load the branch above may not come up for long: the watch must not wait for a pause.
            if looked.elapsed() >= WATCH_EVERY && self.partitions.is_any_watched() {
                looked = Instant::now();
                self.start_watch();
            }
        }
    }

    /// How long until a timer is due.
    fn until_due(&self) -> Option<Duration> {
        let due = self.memory.timers.next().into_iter().chain(self.memory.locks.next()).min();
        due.map(|due| due.since(self.context.now()))
    }

    /// Takes one turn of the loop: work in order, interrupted where the set of partitions changes.
    async fn turn(&mut self, inputs: &mut Vec<Input>) {
        let mut work: Vec<Work> = self.deferred.drain(..).collect();
        for input in inputs.drain(..) {
            match input {
                Input::Work(one) => work.push(one),
                Input::Missing(tasks) => self.publish_again(tasks).await,
                Input::Forget(tasks) => self.forget_watched(tasks).await,
                other => {
                    self.batch(std::mem::take(&mut work)).await;
                    self.change(other).await;
                }
            }
        }
        self.batch(work).await;
        self.fire_due().await;
        self.memory.age();
    }

    /// Partitions come and go.
    async fn change(&mut self, input: Input) {
        match input {
            Input::Took { partition, epoch, published_until } => {
                self.take(partition, epoch, published_until).await;
            }
            Input::Lost(partition) => self.drop_partition(partition),
            Input::GiveUp(partition, done) => {
                self.drop_partition(partition);
                let _ = done.send(());
            }
            Input::Replanned(partition, epoch, steps_back) => self.replanned(partition, epoch, steps_back),
            Input::Work(_) | Input::Missing(_) | Input::Forget(_) => {}
        }
        metrics::gauge!("millrace_partitions_owned").set(self.partitions.len() as f64);
    }

    /// Reads what a partition has under way: its timers now, its runs when something happens to them.
    async fn take(&mut self, partition: PartitionId, epoch: Epoch, published_until: Timestamp) {
        self.drop_partition(partition);
        // Whatever got into memory while it was somebody else's may be of an earlier state.
        self.memory.runs.forget(partition);
        let is_ahead = self.is_ahead(epoch, published_until);
        // A watermark from the future says nothing, nor does any when the broker was in a process that has ended.
        let says_nothing = is_ahead || !self.context.broker.is_durable();
        let confirmed_until = if says_nothing { Timestamp::default() } else { published_until };
        let (timers, letters) = loop {
            let timers = self.context.store.timers(partition, None, WINDOW);
            let letters = letters::unconfirmed(&self.context, partition, confirmed_until, None);
            match tokio::try_join!(timers, letters) {
                Ok(read) => break read,
                Err(error) => {
                    tracing::warn!(%partition, %error, "its timers and letters cannot be read; trying again");
                }
            }
            if self.context.shutdown.has_begun() {
                return;
            }
            tokio::time::sleep(STORE_PAUSE).await;
        };
        self.memory.timers.load(partition, timers);
        self.memory.locks.took(partition, self.context.now());
        tracing::debug!(%partition, epoch = epoch.0, "owned");
        letters::send_again(&self.context, self.inner.clone(), partition, epoch, letters);
        self.context.published.has_read(partition, epoch);
        self.partitions.insert(partition, Owned::new(epoch, is_ahead));
        failpoint::pass("took");
        republish::unconfirmed(&self.context, self.inner.clone(), partition, confirmed_until);
        if is_ahead {
            self.replan(vec![(partition, epoch)]);
        }
    }

    /// Forgets a partition that is not ours any more.
    pub(super) fn drop_partition(&mut self, partition: PartitionId) {
        if self.partitions.remove(partition) {
            self.memory.forget(partition, self.context.partitions);
        }
    }

    /// Makes work of the timers that are due by now.
    async fn fire_due(&mut self) {
        let now = self.context.now();
        for (partition, after) in self.memory.timers.exhausted(now) {
            match self.context.store.timers(partition, Some(after), WINDOW).await {
                Ok(timers) => self.memory.timers.load(partition, timers),
                Err(error) => {
                    tracing::warn!(%partition, %error, "its timers cannot be read");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        }
        let due = self.memory.timers.take_due(now, BATCH);
        let locks = self.memory.locks.next().filter(|next| *next <= now);
        if due.is_empty() && locks.is_none() {
            return;
        }
        let tell = |home| Work::silent(Command::Lock(Box::new(Order { home, wish: Wish::Tell })));
        let locks = locks.map(|_| self.memory.locks.due(now)).unwrap_or_default();
        let work = due
            .into_iter()
            .filter_map(|(at, _, timer)| {
                Some(Work::silent(match timer {
                    Timer::Start(run) => Command::Event(run, Event::StartDue),
                    Timer::Retry(run, unit) => Command::Event(run, Event::RetryDue { unit }),
                    Timer::RunTimeout(run) => Command::Event(run, Event::TimedOut),
                    Timer::CancelCheck(run) => Command::Event(run, Event::CancelCheckDue),
                    Timer::Fire(workflow, trigger) => Command::Fire((workflow, trigger, at)),
                    Timer::Unknown(_) => return None,
                }))
            })
            .chain(locks.into_iter().map(tell))
            .collect();
        self.batch(work).await;
    }
}
