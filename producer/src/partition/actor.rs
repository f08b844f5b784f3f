//! The loop: drain, load, advance, commit, publish, ack and answer. One loop for all partitions of a producer,
//! since a partition is a unit of ownership, not of batching: the more there is to do, the more of it shares
//! one commit.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use millrace_broker::Outgoing;
use millrace_domain::message::{Reply, ReplyError};
use millrace_domain::run::{Event, Run, Spec, StepState, advance};
use millrace_domain::{Epoch, PartitionId, PoolName, Priority, RunId, Seq, StepIndex, TaskId, Timestamp};
use millrace_store::{StoreError, StoredRun, TaskRecord, Timer, Verdict};
use tokio::sync::mpsc;

use super::commit::commit;
use super::draft::{Done, Draft, FIRST_LOOK_MS, Then};
use super::mailbox::{Input, What, Work, refusal, reject};
use super::outbox::Outbox;
use super::owned::Owned;
use super::runs::Runs;
use super::timers::{Timers, WINDOW};
use super::{schedules, submit, watch};
use crate::context::Context;
use crate::failpoint;

/// Inputs taken into one batch, at most.
const BATCH: usize = 1_024;

/// How often the watch looks while anything is dispatched.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// How long to wait for a store that does not answer, before it is asked again.
const STORE_PAUSE: Duration = Duration::from_millis(200);

/// Runs loaded in one trip, at most.
const LOAD: usize = 512;

/// The loop and what it knows.
pub(crate) struct Actor {
    pub(super) context: Arc<Context>,
    mailbox: mpsc::Receiver<Input>,
    /// What the loop tells itself; never blocks.
    pub(super) inner: mpsc::UnboundedSender<Input>,
    inner_mailbox: mpsc::UnboundedReceiver<Input>,
    pub(super) owned: HashMap<PartitionId, Owned>,
    pub(super) runs: Runs,
    pub(super) timers: Timers,
    pub(super) workflows: schedules::Workflows,
    pub(super) outbox: Outbox,
    pub(super) watch: watch::Watch,
    /// Where the next run goes that may go anywhere.
    pub(super) turn: usize,
    order: Vec<PartitionId>,
    /// When the latest attempt was dispatched of those that came back, by pool and priority.
    claimed: HashMap<(PoolName, Priority), Timestamp>,
    deferred: VecDeque<Work>,
}

/// The drafts of a batch.
pub(super) type Drafts = HashMap<PartitionId, Draft>;

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
            owned: HashMap::new(),
            runs: Runs::default(),
            timers: Timers::default(),
            workflows: schedules::Workflows::default(),
            turn: 0,
            order: Vec::new(),
            claimed: HashMap::new(),
            deferred: VecDeque::new(),
            context,
        }
    }

    /// Runs until the shutdown has begun and all partitions are given back.
    pub(crate) async fn run(mut self) {
        let mut inputs = Vec::with_capacity(BATCH);
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
                _ = look.tick(), if watching => self.start_watch(),
                // All was given back: nothing can be done here any more.
                () = self.context.shutdown.begun(), if self.owned.is_empty() => break,
            }
            while inputs.len() < BATCH {
                let Ok(input) = self.inner_mailbox.try_recv() else { break };
                inputs.push(input);
            }
            self.turn(&mut inputs).await;
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
                Input::Unclaimed(tasks) => self.look_unclaimed(tasks).await,
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
    }

    /// Partitions come and go.
    async fn change(&mut self, input: Input) {
        match input {
            Input::Took { partition, epoch, published_until } => {
                self.take(partition, Owned { epoch, seq: Seq(0), watching: true }, published_until).await;
            }
            Input::Lost(partition) => self.drop_partition(partition),
            Input::GiveUp(partition, done) => {
                self.drop_partition(partition);
                let _ = done.send(());
            }
            Input::Work(_) | Input::Unclaimed(_) | Input::Forget(_) => {}
        }
        metrics::gauge!("millrace_partitions_owned").set(self.owned.len() as f64);
    }

    /// Reads what a partition has under way: its timers now, its runs when something happens to them.
    async fn take(&mut self, partition: PartitionId, owned: Owned, published_until: Timestamp) {
        self.drop_partition(partition);
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
        self.owned.insert(partition, owned);
        self.reorder();
        failpoint::pass("took");
        watch::publish_again(&self.context, self.inner.clone(), partition, published_until);
    }

    pub(super) fn drop_partition(&mut self, partition: PartitionId) {
        if self.owned.remove(&partition).is_some() {
            self.runs.forget(partition);
            self.timers.forget(partition);
            self.workflows.forget(partition, self.context.partitions);
            self.reorder();
        }
    }

    fn reorder(&mut self) {
        self.order = self.owned.keys().copied().collect();
        self.order.sort_unstable();
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

    /// Works a batch: everything that happened, one commit a partition, then the consequences.
    async fn batch(&mut self, work: Vec<Work>) {
        if work.is_empty() {
            return;
        }
        failpoint::pass("drained");
        metrics::histogram!("millrace_commit_batch_size").record(work.len() as f64);
        // Runs that may go anywhere fill one partition at a time, in turn: so their results come back together.
        let anywhere = self.order.get(self.turn % self.order.len().max(1)).copied();
        self.turn = self.turn.wrapping_add(1);
        let mut placed = Vec::with_capacity(work.len());
        for one in work {
            match one.partition(self.context.partitions).or(anywhere) {
                Some(partition) if self.owned.contains_key(&partition) => placed.push((partition, one)),
                _ => one.hand_back(),
            }
        }
        // Without the store nothing can be done, and timers that were taken out must not be forgotten: wait for it.
        let loaded = loop {
            match self.load(&placed).await {
                Some(loaded) => break loaded,
                None if self.context.shutdown.has_begun() => {
                    return placed.into_iter().for_each(|(_, one)| one.hand_back());
                }
                None => tokio::time::sleep(STORE_PAUSE).await,
            }
        };
        let now = self.context.now();
        let mut drafts = Drafts::new();
        for (partition, one) in placed {
            self.work(partition, one, &loaded, &mut drafts, now);
        }
        self.settle(drafts, now).await;
    }

    /// Loads runs and workflows that a batch needs and memory does not hold. `None` when the store does not answer.
    async fn load(&mut self, placed: &[(PartitionId, Work)]) -> Option<submit::Loaded> {
        let mut missing: Vec<RunId> = Vec::new();
        for (_, work) in placed {
            match &work.what {
                What::Event(run, _) => missing.push(*run),
                What::Results(results) => missing.extend(results.iter().map(|(run, _)| *run)),
                _ => {}
            }
        }
        missing.retain(|run| !self.runs.has(*run));
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() && !self.load_runs(&missing).await {
            return None;
        }
        submit::load(self, placed).await
    }

    /// Loads runs into memory; those that cannot be read or do not exist stay out. `false`: no answer.
    pub(super) async fn load_runs(&mut self, ids: &[RunId]) -> bool {
        for ids in ids.chunks(LOAD) {
            let stored = match self.load_stored(ids).await {
                Ok(stored) => stored,
                Err(error) => {
                    tracing::warn!(%error, "runs cannot be loaded");
                    return false;
                }
            };
            for (id, stored) in ids.iter().zip(stored) {
                let Some(stored) = stored else { continue };
                match self.restore(*id, &stored).await {
                    Ok(run) => self.runs.insert(run),
                    Err(error) => tracing::error!(run = %id, %error, "the run cannot be restored"),
                }
            }
        }
        true
    }

    /// Runs as they are stored. One that cannot be read does not keep the others from being loaded.
    async fn load_stored(&self, ids: &[RunId]) -> Result<Vec<Option<StoredRun>>, StoreError> {
        let store = &self.context.store;
        match store.load_runs(ids).await {
            Err(StoreError::Corrupt(_)) => {}
            other => return other,
        }
        let mut stored = Vec::with_capacity(ids.len());
        for id in ids {
            stored.push(match store.load_runs(std::slice::from_ref(id)).await {
                Ok(mut one) => one.pop().flatten(),
                Err(StoreError::Corrupt(why)) => {
                    tracing::error!(run = %id, why, "the stored run cannot be read");
                    None
                }
                Err(error) => return Err(error),
            });
        }
        Ok(stored)
    }

    async fn restore(&self, id: RunId, stored: &StoredRun) -> Result<Run, String> {
        let spec: Spec = serde_json::from_str(&stored.definition).map_err(|e| e.to_string())?;
        let context = &self.context;
        let workflow = context.definitions.of_spec(&*context.store, context.partitions, &spec).await;
        let workflow = workflow.map_err(|e| e.to_string())?;
        let attempts: Vec<_> = stored
            .tasks
            .iter()
            .map(|(step, attempt, record)| {
                let at = match record {
                    TaskRecord::Queued { dispatched_at } => *dispatched_at,
                    TaskRecord::Claimed { claimed_at, .. } => *claimed_at,
                    TaskRecord::Finished { .. } | TaskRecord::Revoked => Timestamp::default(),
                };
                (*step, *attempt, at)
            })
            .collect();
        Run::restore(id, workflow, Arc::new(spec), &stored.head, &stored.steps, &attempts)
            .map_err(|e| e.to_string())
    }

    /// The draft of a partition that is ours.
    pub(super) fn draft<'d>(&self, drafts: &'d mut Drafts, partition: PartitionId) -> Option<&'d mut Draft> {
        let owned = self.owned.get(&partition)?;
        Some(drafts.entry(partition).or_insert_with(|| Draft::new(owned.epoch, owned.seq)))
    }

    /// One piece of work.
    fn work(
        &mut self,
        partition: PartitionId,
        work: Work,
        loaded: &submit::Loaded,
        drafts: &mut Drafts,
        now: Timestamp,
    ) {
        let rejected = submit::rejected(&work);
        let Work { what, delivery, answer } = work;
        let mut done = Done { delivery, answer, reply: None, rejected, created: None };
        match what {
            What::Submit(wanted) => {
                let (reply, created) = submit::create(self, partition, *wanted, loaded, drafts, now);
                done.reply = Some(reply);
                done.created = created;
            }
            What::Event(run, event) => {
                // What happens to a run that this very commit creates must wait for the commit's verdict.
                if drafts.get(&partition).is_some_and(|draft| draft.creates(run)) {
                    let Done { delivery, answer, .. } = done;
                    self.deferred.push_back(Work { what: What::Event(run, event), delivery, answer });
                    return;
                }
                self.event(partition, run, &event, drafts, now);
                done.reply = Some(Reply::Run { run_id: run, duplicate: false });
            }
            What::Results(results) => {
                for (run, event) in results {
                    self.event(partition, run, &event, drafts, now);
                }
            }
            What::Held(task, session) => self.watch.suspect(task, session),
            What::Apply(apply) => done.reply = Some(schedules::apply(self, partition, *apply, drafts, now)),
            What::Pause(name, paused) => {
                done.reply = Some(schedules::pause(self, partition, &name, paused, drafts, now));
            }
            What::Delete(name) => done.reply = Some(schedules::delete(self, partition, &name, drafts, now)),
            What::Fire(name, index, due) => schedules::fire(self, partition, &name, index, due, drafts, now),
        }
        if let Some(draft) = self.draft(drafts, partition) {
            draft.then.done.push(done);
        }
    }

    /// Something happened to a run.
    fn event(
        &mut self,
        partition: PartitionId,
        id: RunId,
        event: &Event,
        drafts: &mut Drafts,
        now: Timestamp,
    ) {
        let stale_timer = match event {
            Event::StartDue => Some(Timer::Start(id)),
            Event::RetryDue { step } => Some(Timer::Retry(id, *step)),
            Event::TimedOut => Some(Timer::RunTimeout(id)),
            Event::CancelCheckDue => Some(Timer::CancelCheck(id)),
            _ => None,
        };
        let retention = self.context.options.retention;
        let run = self.runs.get(id);
        if let (Some(run), Event::Result(result)) = (&run, event) {
            note_claimed(&mut self.claimed, run, result.step);
        }
        let outcome = run.map(|run| catch_unwind(AssertUnwindSafe(|| advance(run, event.clone(), now))));
        let Some(draft) = self.draft(drafts, partition) else { return };
        // A timer that went off is cleared, unless the advance sets it again.
        match stale_timer {
            Some(timer) if outcome.is_some() => draft.delta(id).cleared.push(timer),
            Some(timer) => draft.cleared.push(timer),
            None => {}
        }
        match outcome {
            None => tracing::debug!(run = %id, "an event for a run that is not there"),
            Some(Ok(Ok(advanced))) => draft.take(id, advanced, now, retention),
            Some(Ok(Err(refusal))) => {
                tracing::debug!(run = %id, %refusal, "an event without effect");
                retire_stale(draft, id, event);
            }
            Some(Err(_)) => {
                tracing::error!(run = %id, ?event, "an event broke the run");
                self.runs.remove(id);
                let reason = "an internal error: see the producer's log".to_owned();
                if !matches!(event, Event::Poisoned { .. }) {
                    let poisoned = Work::silent(What::Event(id, Event::Poisoned { reason }));
                    let _ = self.inner.send(Input::Work(poisoned));
                }
            }
        }
    }

    /// Commits the drafts and does what they want done.
    async fn settle(&mut self, mut drafts: Drafts, now: Timestamp) {
        let published_until = self.outbox.published_until(now);
        let mut commits = Vec::new();
        let mut touched = Vec::new();
        let mut consequences = Vec::new();
        for (partition, mut draft) in drafts.drain() {
            if draft.is_empty() {
                consequences.push((partition, draft.then, Vec::new()));
                continue;
            }
            let runs = &mut self.runs;
            let ids: Vec<RunId> = draft.touched();
            for id in ids {
                if let Some(run) = runs.get(id) {
                    draft.record(run);
                }
            }
            commits.push(draft.commit(partition, published_until));
            touched.push((partition, draft.then));
        }
        if !commits.is_empty() {
            failpoint::pass("before-commit");
            let Some(verdicts) = commit(&self.context, &commits).await else {
                for (partition, then) in touched {
                    then.hand_back();
                    self.drop_partition(partition);
                }
                return;
            };
            for ((commit, (partition, then)), verdict) in commits.iter().zip(touched).zip(verdicts) {
                match verdict {
                    Verdict::Applied { duplicates } => {
                        self.applied(commit);
                        consequences.push((partition, then, duplicates));
                    }
                    Verdict::Fenced { epoch, seq } => {
                        tracing::warn!(%partition, ours = commit.epoch.0, theirs = epoch.0, seq = seq.0, "stepping down");
                        then.hand_back();
                        self.drop_partition(partition);
                        self.watch.stepped_down(partition);
                    }
                }
            }
        }
        failpoint::pass("after-commit");
        self.follow_up(consequences, now).await;
    }

    /// What a commit that holds means for memory.
    fn applied(&mut self, commit: &millrace_store::Commit) {
        let partition = commit.partition;
        if let Some(owned) = self.owned.get_mut(&partition) {
            owned.seq = commit.seq;
            owned.watching |= commit.runs.iter().any(|delta| !delta.dispatched.is_empty());
        }
        let runs = commit.runs.iter();
        for timer in commit.cleared.iter().chain(runs.clone().flat_map(|delta| &delta.cleared)) {
            self.timers.clear(partition, timer);
        }
        for (due, timer) in commit.timers.iter().chain(runs.flat_map(|delta| &delta.timers)) {
            self.timers.set(partition, *due, timer.clone());
        }
    }

    /// Publishes, stops, answers and acks: what commits allow.
    async fn follow_up(&mut self, consequences: Vec<(PartitionId, Then, Vec<RunId>)>, now: Timestamp) {
        let mut tasks = Vec::new();
        let mut messages: Vec<Outgoing> = Vec::new();
        for (partition, then, duplicates) in consequences {
            let Then { tasks: mut new, stops, done, ended, outcomes } = then;
            for id in &duplicates {
                self.runs.remove(*id);
            }
            if !duplicates.is_empty() {
                new.retain(|task| !duplicates.contains(&task.run));
            }
            tasks.append(&mut new);
            self.count(outcomes);
            for stop in stops.into_iter().filter(|stop| !duplicates.contains(&stop.run)) {
                if let Some(owned) = self.owned.get(&partition) {
                    watch::stop(&self.context, self.inner.clone(), partition, owned.epoch, stop);
                }
            }
            for id in ended {
                self.runs.remove(id);
            }
            for mut one in done {
                if let (Some(Reply::Run { duplicate, .. }), Some(run)) = (&mut one.reply, one.created) {
                    *duplicate |= duplicates.contains(&run);
                }
                if let (Some(Reply::Error { error }), Some(_)) = (&one.reply, &one.rejected) {
                    let error = error.clone();
                    tokio::spawn(reject_and_settle(Arc::clone(&self.context), one, error));
                    continue;
                }
                let Done { delivery, answer, reply, .. } = one;
                if let Some(reply) = reply {
                    answer.give(reply, &mut messages);
                }
                if let Some(delivery) = delivery {
                    failpoint::pass("before-ack");
                    delivery.ack();
                }
            }
        }
        failpoint::pass("before-publish");
        self.outbox.publish(tasks, now).await;
        if !messages.is_empty() {
            let context = Arc::clone(&self.context);
            tokio::spawn(async move {
                for error in context.broker.publish(messages).await.into_iter().filter_map(Result::err) {
                    tracing::debug!(%error, "an answer could not be delivered");
                }
            });
        }
    }

    fn count(&mut self, outcomes: Vec<(RunId, millrace_domain::Outcome)>) {
        for (id, outcome) in outcomes {
            let workflow =
                self.runs.get(id).map_or_else(|| "unknown".to_owned(), |run| run.head.workflow.to_string());
            metrics::counter!("millrace_task_runs_total", "workflow" => workflow, "outcome" => outcome.as_str())
                .increment(1);
        }
    }

    /// Attempts that nobody has claimed: publish again what the broker may have lost.
    async fn look_unclaimed(&mut self, tasks: Vec<(TaskId, Timestamp, bool)>) {
        let mut missing: Vec<RunId> =
            tasks.iter().map(|(task, ..)| task.run).filter(|id| !self.runs.has(*id)).collect();
        missing.sort_unstable();
        missing.dedup();
        self.load_runs(&missing).await;
        let now = self.context.now();
        let mut found = Vec::new();
        for (id, dispatched_at, certain) in tasks {
            let Some(Owned { epoch, seq, .. }) = self.owned.get(&id.run.partition()) else { continue };
            let (epoch, seq) = (*epoch, *seq);
            let Some(run) = self.runs.get(id.run) else { continue };
            if run.current_attempt(id.step) != Some(id.attempt) {
                continue;
            }
            if let Ok(mut task) =
                millrace_domain::run::dispatch::task(run, id.step, id.attempt, dispatched_at)
            {
                (task.epoch, task.seq) = (epoch, seq);
                // The queue is first in, first out within a priority: later ones were claimed, this one was lost.
                let passed = self.claimed.get(&(task.pool.clone(), task.priority));
                let overtaken =
                    passed.is_some_and(|later| dispatched_at + Duration::from_millis(FIRST_LOOK_MS) < *later);
                found.push((task, epoch, certain || overtaken));
            }
        }
        watch::publish_unclaimed(&self.context, found, now);
    }

    /// Entries of the watch whose attempts are over leave it.
    async fn forget_watched(&mut self, tasks: Vec<TaskId>) {
        let now = self.context.now();
        let mut drafts = Drafts::new();
        for task in tasks {
            if let Some(draft) = self.draft(&mut drafts, task.run.partition()) {
                draft.delta(task.run).retired.push((task.step, task.attempt));
            }
        }
        self.settle(drafts, now).await;
    }

    fn start_watch(&mut self) {
        for (partition, seq) in self.watch.rested() {
            if let Some(owned) = self.owned.get_mut(&partition)
                && owned.seq == seq
            {
                owned.watching = false;
            }
        }
        let watching = self.owned.iter().filter(|(_, owned)| owned.watching);
        let watched: Vec<(PartitionId, Epoch, Seq)> =
            watching.map(|(p, owned)| (*p, owned.epoch, owned.seq)).collect();
        self.watch.start(&self.context, self.inner.clone(), watched);
    }
}

/// A submission that came by message and is refused: acked and answered once the rejected queue has it.
async fn reject_and_settle(context: Arc<Context>, done: Done, error: ReplyError) {
    let Done { delivery, answer, reply, rejected, .. } = done;
    let Some((payload, properties)) = rejected else { return };
    // Unsettled, the delivery goes back, and so does an array that this is a part of.
    if !reject(&*context.broker, payload, properties, &error).await {
        return;
    }
    let mut messages = Vec::new();
    if let Some(reply) = reply {
        answer.give(reply, &mut messages);
    }
    context.broker.publish(messages).await;
    if let Some(delivery) = delivery {
        delivery.ack();
    }
}

/// A result shows how far the queue of its pool and priority has been worked off.
fn note_claimed(claimed: &mut HashMap<(PoolName, Priority), Timestamp>, run: &Run, step: StepIndex) {
    let dispatched_at = match run.steps.get(step.at()) {
        Some(StepState::Dispatched(attempts)) => attempts.dispatched_at,
        _ => return,
    };
    let Some(step) = run.workflow.step(step) else { return };
    let latest = claimed.entry((step.pool.clone(), run.spec.priority)).or_default();
    *latest = (*latest).max(dispatched_at);
}

/// A result that came too late leaves nothing behind in the store.
fn retire_stale(draft: &mut Draft, run: RunId, event: &Event) {
    if let Event::Result(result) = event {
        draft.delta(run).retired.push((result.step, result.attempt));
    }
}

impl Then {
    /// The commit did not hold: messages go back, and whoever waits asks again.
    fn hand_back(self) {
        for done in self.done {
            if let Some(delivery) = done.delivery {
                delivery.requeue();
            }
        }
    }
}

/// An answer for what cannot be done.
pub(super) fn unknown_workflow(name: &impl std::fmt::Display) -> Reply {
    refusal(
        "unknown-workflow",
        format!("there is no workflow {name}; `millrace workflows list` shows what there is"),
    )
}
