//! The watch: every dispatched attempt is in one index, scored by when to look next. It finds outcomes whose
//! report was lost, attempts whose worker is gone, and tasks that the broker lost. It looks only while something
//! is dispatched, and only at what is due.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use millrace_broker::{BrokerError, Outgoing, Queue, Route};
use millrace_domain::message::{Control, ControlBody};
use millrace_domain::run::Event;
use millrace_domain::task::{Task, TaskResult};
use millrace_domain::{Epoch, PartitionId, PoolName, Seq, SessionId, TaskId, Timestamp};
use millrace_store::{LOOK_AFTER_CLAIM_MS, Lane, Revoke, Revoked, StoreError, TaskRecord};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::queues::Sweep;
use crate::context::Context;
use crate::failpoint;
use crate::partition::dispatch::bundles::Capacity;
use crate::partition::draft::{FIRST_LOOK, Stop};
use crate::partition::mailbox::{Input, What, Work};
use crate::partition::recovery::damaged::unless_damaged;
use crate::partition::recovery::sessions::SessionWatch;

/// Entries of a partition looked at in one pass.
pub(crate) const PAGE: usize = 500;

/// Tasks under suspicion at once, at most.
const SUSPECTS: usize = 10_000;

/// An unclaimed task is looked at again at least this often.
const LONGEST_LOOK: Duration = Duration::from_secs(600);

/// A task that could not be published again is looked at again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// After every look that is set.
pub(crate) const FAR: Timestamp = Timestamp::from_millis(i64::MAX / 4);

/// What damage to a partition's index means.
pub(crate) const UNWATCHED: &str = "what gets lost of it is not found";

/// A partition that is watched, as of a seq.
pub(crate) type Watched = (PartitionId, Epoch, Seq);

/// When the latest attempt was dispatched of those that came back, by where they waited.
pub(crate) type Passed = HashMap<Lane, Timestamp>;

/// What one pass knows of the task queues. Each is asked for once.
struct Queues {
    passed: Passed,
    /// How many messages wait, by pool; absent when the broker did not say.
    ready: HashMap<PoolName, Option<u64>>,
}

impl Queues {
    fn new(passed: Passed) -> Self {
        Self { passed, ready: HashMap::new() }
    }

    /// Has the broker lost what was dispatched then and is not claimed? Certainly when its queue is empty, or when
    /// later ones were claimed: a queue is first in, first out within a priority. `None`: not to be said now.
    async fn has_lost(&mut self, context: &Context, lane: &Lane, dispatched_at: Timestamp) -> Option<bool> {
        if self.passed.get(lane).is_some_and(|latest| dispatched_at + FIRST_LOOK < *latest) {
            return Some(true);
        }
        if !self.ready.contains_key(&lane.pool) {
            let ready = ready(context, lane.pool.as_str()).await;
            self.ready.insert(lane.pool.clone(), ready);
        }
        self.ready.get(&lane.pool).copied().flatten().map(|ready| ready == 0)
    }
}

/// How many messages wait for a pool. A queue that is not there holds none.
pub(crate) async fn ready(context: &Context, pool: &str) -> Option<u64> {
    match context.broker.depth(&Queue::Tasks(pool.to_owned())).await {
        Ok(depth) => Some(depth.ready),
        Err(BrokerError::Unroutable(_)) => Some(0),
        Err(error) => {
            tracing::debug!(pool, %error, "its queue cannot be looked at");
            None
        }
    }
}

/// What the watch remembers between its passes.
#[derive(Clone, Default)]
pub(crate) struct Watch(Arc<Memory>);

#[derive(Default)]
struct Memory {
    passing: AtomicBool,
    capacity: Capacity,
    sessions: Mutex<SessionWatch>,
    suspects: Mutex<BTreeMap<TaskId, SessionId>>,
    rested: Mutex<Vec<(PartitionId, Seq)>>,
    sweep: Arc<tokio::sync::Mutex<Sweep>>,
}

impl Watch {
    /// Nothing seen yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The fleet's slots, as of the last pass.
    pub(crate) fn capacity(&self) -> &Capacity {
        &self.0.capacity
    }

    /// A worker was handed a task that `_session` holds: look at it in every pass until that is decided.
    pub(crate) fn suspect(&self, task: TaskId, session: SessionId) {
        if let Ok(mut suspects) = self.0.suspects.lock()
            && suspects.len() < SUSPECTS
        {
            suspects.insert(task, session);
        }
    }

    /// A partition is not ours any more.
    pub(crate) fn stepped_down(&self, partition: PartitionId) {
        if let Ok(mut suspects) = self.0.suspects.lock() {
            suspects.retain(|task, _| task.run.partition() != partition);
        }
    }

    /// Partitions in which nothing was dispatched, as of a seq.
    pub(crate) fn rested(&self) -> Vec<(PartitionId, Seq)> {
        self.0.rested.lock().map(|mut rested| std::mem::take(&mut *rested)).unwrap_or_default()
    }

    /// Begins a pass over `partitions`, in which tasks of `pools` are open, unless one is under way.
    pub(crate) fn start(
        &self,
        context: &Arc<Context>,
        inner: UnboundedSender<Input>,
        partitions: Vec<Watched>,
        pools: BTreeSet<String>,
        passed: Passed,
    ) {
        if self.0.passing.swap(true, Ordering::AcqRel) {
            return;
        }
        self.start_sweep(context, inner.clone(), partitions.clone(), pools);
        let (watch, context) = (self.clone(), Arc::clone(context));
        let shutdown = context.shutdown.clone();
        tokio::spawn(shutdown.vital("watch", async move {
            if let Err(error) = watch.pass(&context, &inner, &partitions, Queues::new(passed)).await {
                tracing::warn!(%error, "the watch cannot look");
            }
            watch.0.passing.store(false, Ordering::Release);
        }));
    }

    /// Begins a sweep beside the pass, unless one is under way: sessions have to be observed in time, however long a
    /// broker takes to tell how its queues stand.
    fn start_sweep(
        &self,
        context: &Arc<Context>,
        inner: UnboundedSender<Input>,
        partitions: Vec<Watched>,
        mut pools: BTreeSet<String>,
    ) {
        let Ok(mut sweep) = Arc::clone(&self.0.sweep).try_lock_owned() else { return };
        pools.extend(self.0.capacity.pools());
        let context = Arc::clone(context);
        let shutdown = context.shutdown.clone();
        tokio::spawn(shutdown.vital("sweep", async move {
            match sweep.pass(&context, &partitions, pools).await {
                Ok(lost) if lost.is_empty() => {}
                Ok(lost) => {
                    tracing::warn!(
                        tasks = lost.len(),
                        "their queue is empty and nobody has claimed them: publishing them again"
                    );
                    let _ = inner.send(Input::Missing(lost));
                }
                Err(error) => tracing::warn!(%error, "the tasks of empty queues cannot be looked for"),
            }
        }));
    }

    async fn pass(
        &self,
        context: &Context,
        inner: &UnboundedSender<Input>,
        partitions: &[Watched],
        mut queues: Queues,
    ) -> Result<(), StoreError> {
        let sessions = context.store.sessions().await?;
        self.0.capacity.observe(&sessions);
        if let Ok(mut watch) = self.0.sessions.lock() {
            watch.observe(&sessions, Instant::now());
        }
        let now = context.now();
        let found = watched(context, partitions, &(Timestamp::default()..=now), PAGE).await?;
        let quiet: Vec<_> = found.iter().filter(|(_, due)| due.is_empty()).map(|(one, _)| *one).collect();
        let any = watched(context, &quiet, &(Timestamp::default()..=FAR), 1).await?;
        if let Ok(mut rested) = self.0.rested.lock() {
            let none = any.into_iter().filter(|(_, any)| any.is_empty());
            rested.extend(none.map(|((partition, _, seq), _)| (partition, seq)));
        }
        for ((partition, epoch, _), mut due) in found {
            let known: HashSet<TaskId> = due.iter().map(|(_, task)| *task).collect();
            if let Ok(suspects) = self.0.suspects.lock() {
                let here =
                    suspects.keys().filter(|task| task.run.partition() == partition && !known.contains(task));
                due.extend(here.map(|task| (now, *task)));
            }
            if !due.is_empty() {
                let tasks: Vec<TaskId> = due.into_iter().map(|(_, task)| task).collect();
                let looked = self.look(context, inner, partition, epoch, &tasks, &mut queues).await;
                unless_damaged(partition, looked, UNWATCHED)?;
            }
        }
        Ok(())
    }

    /// Looks at attempts that are due, and says what is to be done about each.
    async fn look(
        &self,
        context: &Context,
        inner: &UnboundedSender<Input>,
        partition: PartitionId,
        epoch: Epoch,
        tasks: &[TaskId],
        queues: &mut Queues,
    ) -> Result<(), StoreError> {
        // A claim that comes in between sets a nearer look, which has to stand.
        let due = context.now();
        let records = context.store.tasks(tasks).await?;
        let now = context.now();
        let (mut later, mut over, mut missing, mut gone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (task, record) in tasks.iter().zip(records) {
            let decided = !matches!(record, Some(TaskRecord::Claimed { .. }));
            match record {
                None => {
                    gone.push(*task);
                    later.push((now + LONGEST_LOOK, *task));
                }
                Some(TaskRecord::Finished { result }) => report(inner, *task, &result),
                Some(TaskRecord::Queued { dispatched_at, lane }) => {
                    let age = now.since(dispatched_at);
                    match queues.has_lost(context, &lane, dispatched_at).await {
                        Some(true) => missing.push((*task, dispatched_at)),
                        Some(false) => later.push((now + age.clamp(FIRST_LOOK, LONGEST_LOOK), *task)),
                        None => {}
                    }
                }
                Some(TaskRecord::Revoked) => taken_back(inner, *task, "taken back"),
                Some(TaskRecord::Claimed { session, .. }) => {
                    let is_over = self
                        .0
                        .sessions
                        .lock()
                        .is_ok_and(|mut sessions| sessions.is_over(session, Instant::now()));
                    if is_over {
                        over.push((*task, session));
                    } else {
                        later.push((now + Duration::from_millis(LOOK_AFTER_CLAIM_MS), *task));
                    }
                }
            }
            if decided && let Ok(mut suspects) = self.0.suspects.lock() {
                suspects.remove(task);
            }
        }
        if !later.is_empty() {
            context.store.set_looks(partition, epoch, due, &later).await?;
        }
        if !over.is_empty() {
            self.end(context, inner, partition, epoch, &over).await?;
        }
        if !missing.is_empty() {
            let _ = inner.send(Input::Missing(missing));
        }
        if !gone.is_empty() {
            let _ = inner.send(Input::Forget(gone));
        }
        Ok(())
    }

    /// Takes attempts back from sessions that are over.
    async fn end(
        &self,
        context: &Context,
        inner: &UnboundedSender<Input>,
        partition: PartitionId,
        epoch: Epoch,
        over: &[(TaskId, SessionId)],
    ) -> Result<(), StoreError> {
        let wanted: Vec<_> = over.iter().map(|(task, session)| (*task, Revoke::HeldBy(*session))).collect();
        let revoked = context.store.revoke(partition, epoch, &wanted).await?;
        for ((task, session), revoked) in over.iter().zip(revoked) {
            if let Ok(mut suspects) = self.0.suspects.lock() {
                suspects.remove(task);
            }
            match revoked {
                Revoked::Done => {
                    let host =
                        self.0.sessions.lock().map(|s| s.host(*session).to_owned()).unwrap_or_default();
                    tracing::warn!(%task, %session, host, "the task's worker is gone");
                    taken_back(inner, *task, &format!("its worker on {host} went away"));
                }
                Revoked::Finished { result } => report(inner, *task, &result),
                Revoked::Claimed { .. } | Revoked::Gone => {}
            }
        }
        Ok(())
    }
}

/// When an attempt that stands so is looked at again at the latest.
pub(crate) fn farthest_look(record: Option<&TaskRecord>, now: Timestamp) -> Timestamp {
    match record {
        Some(TaskRecord::Claimed { .. }) => now + Duration::from_millis(LOOK_AFTER_CLAIM_MS),
        Some(TaskRecord::Queued { dispatched_at, .. }) => {
            now + now.since(*dispatched_at).clamp(FIRST_LOOK, LONGEST_LOOK)
        }
        Some(TaskRecord::Finished { .. } | TaskRecord::Revoked) | None => now + FIRST_LOOK,
    }
}

/// What is dispatched in partitions and to be looked at in that time: asked for at once, for all, which is one trip. One
/// that is damaged is left out.
pub(crate) async fn watched(
    context: &Context,
    partitions: &[Watched],
    looks: &RangeInclusive<Timestamp>,
    limit: usize,
) -> Result<Vec<(Watched, Vec<(Timestamp, TaskId)>)>, StoreError> {
    let asked =
        partitions.iter().map(|(partition, ..)| context.store.watched(*partition, looks.clone(), 0, limit));
    let mut found = Vec::with_capacity(partitions.len());
    for (one, answer) in partitions.iter().zip(join_all(asked).await) {
        found.extend(unless_damaged(one.0, answer, UNWATCHED)?.map(|due| (*one, due)));
    }
    Ok(found)
}

/// An outcome was found in the store.
fn report(inner: &UnboundedSender<Input>, task: TaskId, result: &str) {
    match serde_json::from_str::<TaskResult>(result) {
        Ok(result) => {
            let _ = inner.send(Input::Work(Work::silent(What::Event(task.run, Event::Result(result)))));
        }
        Err(error) => {
            tracing::error!(%task, %error, "the stored result cannot be read; the attempt counts as lost");
            taken_back(inner, task, "its stored result cannot be read");
        }
    }
}

/// An attempt was taken back. Of a run that is being stopped, it ends there; of any other, it is lost. One of
/// the two events applies, the other is refused.
fn taken_back(inner: &UnboundedSender<Input>, task: TaskId, reason: &str) {
    let TaskId { run, step, attempt } = task;
    let events = [Event::Revoked { step, attempt }, Event::Lost { step, attempt, reason: reason.to_owned() }];
    for event in events {
        let _ = inner.send(Input::Work(Work::silent(What::Event(run, event))));
    }
}

/// Carries out a stop: takes back what nobody has claimed, and tells the workers about the rest. What fails here
/// is done again when the run's cancel timer is due.
pub(crate) fn stop(
    context: &Arc<Context>,
    inner: UnboundedSender<Input>,
    partition: PartitionId,
    epoch: Epoch,
    stop: Stop,
) {
    let context = Arc::clone(context);
    tokio::spawn(async move {
        let mode = if stop.by_force { Revoke::Anyway } else { Revoke::Unclaimed };
        let wanted: Vec<_> = stop
            .tasks
            .iter()
            .map(|(step, attempt)| (TaskId { run: stop.run, step: *step, attempt: *attempt }, mode))
            .collect();
        let revoked = match context.store.revoke(partition, epoch, &wanted).await {
            Ok(revoked) => revoked,
            Err(error) => {
                return tracing::warn!(run = %stop.run, %error, "the run's tasks cannot be stopped yet");
            }
        };
        let mut running = Vec::new();
        for ((task, _), revoked) in wanted.into_iter().zip(revoked) {
            match revoked {
                Revoked::Done => {
                    taken_back(&inner, task, "stopped");
                    if stop.by_force {
                        running.push(task);
                    }
                }
                Revoked::Finished { result } => report(&inner, task, &result),
                Revoked::Claimed { .. } => running.push(task),
                Revoked::Gone => {}
            }
        }
        if !running.is_empty() {
            let control = Control::new(ControlBody::Cancel { tasks: running });
            let message = Outgoing::new(Route::Control, serde_json::to_vec(&control).unwrap_or_default());
            for error in context.broker.publish(vec![message]).await.into_iter().filter_map(Result::err) {
                tracing::warn!(run = %stop.run, %error, "the workers cannot be told yet");
            }
        }
    });
}

/// After a takeover: what was dispatched and is not claimed goes to the broker again, where the watermark says that
/// it may never have got there.
pub(crate) fn publish_unconfirmed(
    context: &Arc<Context>,
    inner: UnboundedSender<Input>,
    partition: PartitionId,
    published_until: Timestamp,
) {
    let context = Arc::clone(context);
    tokio::spawn(async move {
        let mut skip = 0;
        loop {
            let page = match context.store.watched(partition, Timestamp::default()..=FAR, skip, PAGE).await {
                Ok(page) => page,
                Err(error) => return tracing::warn!(%partition, %error, "what is dispatched cannot be read"),
            };
            let tasks: Vec<TaskId> = page.into_iter().map(|(_, task)| task).collect();
            let Ok(records) = context.store.tasks(&tasks).await else { return };
            let unconfirmed = |record| match record {
                Some(TaskRecord::Queued { dispatched_at, .. }) if dispatched_at >= published_until => {
                    Some(dispatched_at)
                }
                _ => None,
            };
            let missing: Vec<_> = tasks
                .iter()
                .zip(records)
                .filter_map(|(task, record)| unconfirmed(record).map(|at| (*task, at)))
                .collect();
            if !missing.is_empty() {
                let _ = inner.send(Input::Missing(missing));
            }
            if tasks.len() < PAGE {
                return;
            }
            skip += PAGE;
        }
    });
}

/// Publishes tasks again that the broker must have lost. One too many is harmless: the claim decides.
pub(crate) fn publish_again(context: &Arc<Context>, found: Vec<(Task, Epoch)>) {
    if found.is_empty() || failpoint::is_removed("outbox") {
        return;
    }
    let context = Arc::clone(context);
    tokio::spawn(async move {
        let now = context.now();
        let mut messages = Vec::new();
        let mut tasks = Vec::new();
        for (task, epoch) in found {
            tracing::debug!(task = %task.id(), "publishing it again: nobody has claimed it");
            tasks.push((task.id(), epoch));
            messages.extend(crate::partition::dispatch::outbox::message_of(&[task]));
        }
        let mut looks: BTreeMap<(PartitionId, Epoch), Vec<(Timestamp, TaskId)>> = BTreeMap::new();
        for ((task, epoch), published) in tasks.into_iter().zip(context.broker.publish(messages).await) {
            let look_in = if published.is_ok() { FIRST_LOOK } else { LOOK_AGAIN };
            if let Err(error) = published {
                tracing::warn!(%task, %error, "an unclaimed task could not be published again yet");
            }
            looks.entry((task.run.partition(), epoch)).or_default().push((now + look_in, task));
        }
        for ((partition, epoch), looks) in looks {
            if let Err(error) = context.store.set_looks(partition, epoch, now, &looks).await {
                tracing::warn!(%partition, %error, "the watch cannot be set");
            }
        }
    });
}
