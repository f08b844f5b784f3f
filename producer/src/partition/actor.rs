//! The loop: drain, load, advance, commit, publish, ack and answer. One loop for all partitions of a producer,
//! since a partition is a unit of ownership, not of batching: the more there is to do, the more of it shares
//! one commit.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use millrace_domain::run::Event;
use millrace_domain::{PartitionId, Seq, Timestamp};
use millrace_runtime::clock::Corrections;
use millrace_store::Timer;
use tokio::sync::{mpsc, watch as watch_channel};
use tokio::time::Instant;

use super::broken::Failures;
use super::dispatch::bundles::{Open, Pace};
use super::dispatch::outbox::Outbox;
use super::draft::Draft;
use super::failed_runs::FailedRuns;
use super::mailbox::{Input, What, Work};
use super::memory::owned::Owned;
use super::memory::runs::Runs;
use super::memory::timers::{Timers, WINDOW};
use super::memory::workflows::Workflows;
use super::recovery::watch;
use super::recovery::watch::Passed;
use super::store_full::Fire;
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
    /// What the loop tells itself; never blocks.
    pub(super) inner: mpsc::UnboundedSender<Input>,
    inner_mailbox: mpsc::UnboundedReceiver<Input>,
    pub(super) owned: BTreeMap<PartitionId, Owned>,
    pub(super) runs: Runs,
    pub(super) timers: Timers,
    pub(super) workflows: Workflows,
    pub(super) outbox: Outbox,
    pub(super) watch: watch::Watch,
    /// Where the next run goes that may go anywhere.
    pub(super) turn: usize,
    pub(super) order: Vec<PartitionId>,
    /// When the latest attempt was dispatched of those that came back, by pool and priority.
    pub(super) claimed: Passed,
    pub(super) deferred: VecDeque<Work>,
    /// Fires that wait for room in the store.
    pub(super) held_fires: HashSet<Fire>,
    pub(super) pace: Pace,
    pub(super) failures: Failures,
    /// What the store's clock did that could not be foreseen.
    pub(super) corrections: watch_channel::Receiver<Corrections>,
    /// How often it had been set back when that was last seen to.
    pub(super) steps_back: u64,
    pub(super) failed_runs: FailedRuns,
}

/// The drafts of a batch.
pub(super) type Drafts = BTreeMap<PartitionId, Draft>;

impl Actor {
    /// A loop that owns nothing yet.
    pub(crate) fn new(context: Arc<Context>, mailbox: mpsc::Receiver<Input>) -> Self {
        let (inner, inner_mailbox) = mpsc::unbounded_channel();
        Self {
            outbox: Outbox::new(Arc::clone(&context)),
            watch: watch::Watch::new(),
            mailbox,
            inner,
            inner_mailbox,
            owned: BTreeMap::new(),
            runs: Runs::default(),
            timers: Timers::default(),
            workflows: Workflows::default(),
            turn: 0,
            order: Vec::new(),
            claimed: Passed::new(),
            deferred: VecDeque::new(),
            held_fires: HashSet::new(),
            pace: Pace::default(),
            failures: Failures::new(),
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
            let watching = self.owned.values().any(|owned| owned.watching);
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
                () = self.context.shutdown.begun(), if self.owned.is_empty() => break,
            }
            while inputs.len() < BATCH {
                let Ok(input) = self.inner_mailbox.try_recv() else { break };
                inputs.push(input);
            }
            self.follow_clock();
            self.turn(&mut inputs).await;
            // Under load the branch above may not come up for long: the watch must not wait for a pause.
            if looked.elapsed() >= WATCH_EVERY && self.owned.values().any(|owned| owned.watching) {
                looked = Instant::now();
                self.start_watch();
            }
        }
    }

    /// How long until a timer is due.
    fn until_due(&self) -> Option<Duration> {
        self.timers.next().map(|due| due.since(self.context.now()))
    }

    /// One turn of the loop: work in order, interrupted where the set of partitions changes.
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
        self.runs.age();
        self.workflows.age();
    }

    /// Partitions come and go.
    async fn change(&mut self, input: Input) {
        match input {
            Input::Took { partition, epoch, published_until } => {
                self.take(
                    partition,
                    Owned { epoch, seq: Seq(0), watching: true, is_ahead: false, open: Open::new() },
                    published_until,
                )
                .await;
            }
            Input::Lost(partition) => self.drop_partition(partition),
            Input::GiveUp(partition, done) => {
                self.drop_partition(partition);
                let _ = done.send(());
            }
            Input::Work(_) | Input::Missing(_) | Input::Forget(_) => {}
        }
        metrics::gauge!("millrace_partitions_owned").set(self.owned.len() as f64);
    }

    /// Reads what a partition has under way: its timers now, its runs when something happens to them.
    async fn take(&mut self, partition: PartitionId, mut owned: Owned, published_until: Timestamp) {
        self.drop_partition(partition);
        // Whatever got into memory while it was somebody else's may be of an earlier state.
        self.runs.forget(partition);
        let timers = loop {
            match self.context.store.timers(partition, None, WINDOW).await {
                Ok(timers) => break timers,
                Err(error) => tracing::warn!(%partition, %error, "its timers cannot be read; trying again"),
            }
            if self.context.shutdown.has_begun() {
                return;
            }
            tokio::time::sleep(STORE_PAUSE).await;
        };
        self.timers.load(partition, timers);
        tracing::debug!(%partition, epoch = owned.epoch.0, "owned");
        let (is_ahead, epoch) = (self.is_ahead(published_until), owned.epoch);
        owned.is_ahead = is_ahead;
        self.owned.insert(partition, owned);
        self.reorder();
        failpoint::pass("took");
        // A watermark from the future says nothing.
        let confirmed_until = if is_ahead { Timestamp::default() } else { published_until };
        watch::publish_unconfirmed(&self.context, self.inner.clone(), partition, confirmed_until);
        if is_ahead {
            self.replan(vec![(partition, epoch)]);
        }
    }

    pub(super) fn drop_partition(&mut self, partition: PartitionId) {
        if self.owned.remove(&partition).is_some() {
            self.runs.forget(partition);
            self.timers.forget(partition);
            let partitions = self.context.partitions;
            self.workflows.forget(partition, partitions);
            self.held_fires.retain(|(name, ..)| PartitionId::home_of(name, partitions) != partition);
            self.reorder();
        }
    }

    fn reorder(&mut self) {
        self.order = self.owned.keys().copied().collect();
    }

    /// What is due by now becomes work.
    async fn fire_due(&mut self) {
        let now = self.context.now();
        for (partition, after) in self.timers.exhausted(now) {
            match self.context.store.timers(partition, Some(after), WINDOW).await {
                Ok(timers) => self.timers.load(partition, timers),
                Err(error) => {
                    tracing::warn!(%partition, %error, "its timers cannot be read");
                    tokio::time::sleep(STORE_PAUSE).await;
                }
            }
        }
        let due = self.timers.take_due(now, BATCH);
        if due.is_empty() {
            return;
        }
        let work = due
            .into_iter()
            .map(|(at, _, timer)| {
                Work::silent(match timer {
                    Timer::Start(run) => What::Event(run, Event::StartDue),
                    Timer::Retry(run, step) => What::Event(run, Event::RetryDue { step }),
                    Timer::RunTimeout(run) => What::Event(run, Event::TimedOut),
                    Timer::CancelCheck(run) => What::Event(run, Event::CancelCheckDue),
                    Timer::Fire(workflow, index) => What::Fire(workflow, index, at),
                })
            })
            .collect();
        self.batch(work).await;
    }
}
