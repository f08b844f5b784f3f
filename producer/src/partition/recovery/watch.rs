//! The watch: every dispatched attempt is in one index, scored by when to look next. It finds outcomes whose
//! report was lost, attempts whose worker is gone, and tasks that the broker lost. It looks only while something
//! is dispatched, and only at what is due.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use millrace_domain::{Epoch, Lane, PartitionId, Seq, SessionId, TaskId, TaskQueue, Timestamp};
use millrace_store::{LOOK_AFTER_CLAIM_MS, Revoke, Revoked, StoreError, TaskRecord};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::damaged::skip_if_damaged;
use super::outcome::{never_begun, report, taken_back};
use super::queues::Sweep;
use super::sessions::SessionWatch;
use super::stop::tell_workers;
use super::watched::{FAR, LONGEST_LOOK, PAGE, UNWATCHED, Watched, ready, watched};
use crate::context::Context;
use crate::partition::dispatch::capacity::Capacity;
use crate::partition::dispatch::progress::Progress;
use crate::partition::draft::FIRST_LOOK;
use crate::partition::mailbox::Input;

/// Tasks under suspicion at once, at most.
const SUSPECTS: usize = 10_000;

/// The task queues as one pass knows them. Each is asked for once.
struct Queues {
    progress: Progress,
    /// How many messages wait in each; absent when the broker did not say.
    ready: HashMap<TaskQueue, Option<u64>>,
}

impl Queues {
    fn new(progress: Progress) -> Self {
        Self { progress, ready: HashMap::new() }
    }

    /// Whether the broker has lost what was dispatched then and is not claimed. Certainly when its queue is empty, or when
    /// later ones were claimed: a queue is first in, first out within a priority. `None`: not to be said now.
    async fn has_lost(&mut self, context: &Context, lane: &Lane, dispatched_at: Timestamp) -> Option<bool> {
        if self.progress.get(lane).is_some_and(|latest| dispatched_at + FIRST_LOOK < *latest) {
            return Some(true);
        }
        if !self.ready.contains_key(&lane.queue) {
            let ready = ready(context, &lane.queue).await;
            self.ready.insert(lane.queue.clone(), ready);
        }
        self.ready.get(&lane.queue).copied().flatten().map(|ready| ready == 0)
    }
}

/// The watch, with what it remembers between its passes.
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

    /// Begins a pass over `partitions`, in which tasks of `queues` are open, unless one is under way.
    pub(crate) fn start(
        &self,
        context: &Arc<Context>,
        inner: UnboundedSender<Input>,
        partitions: Vec<Watched>,
        queues: BTreeSet<TaskQueue>,
        progress: Progress,
    ) {
        if self.0.passing.swap(true, Ordering::AcqRel) {
            return;
        }
        self.start_sweep(context, inner.clone(), partitions.clone(), queues);
        let (watch, context) = (self.clone(), Arc::clone(context));
        let shutdown = context.shutdown.clone();
        tokio::spawn(shutdown.vital("watch", async move {
            if let Err(error) = watch.pass(&context, &inner, &partitions, Queues::new(progress)).await {
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
        mut queues: BTreeSet<TaskQueue>,
    ) {
        let Ok(mut sweep) = Arc::clone(&self.0.sweep).try_lock_owned() else { return };
        queues.extend(self.0.capacity.queues());
        let context = Arc::clone(context);
        let shutdown = context.shutdown.clone();
        tokio::spawn(shutdown.vital("sweep", async move {
            match sweep.pass(&context, &partitions, queues).await {
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
                skip_if_damaged(partition, looked, UNWATCHED)?;
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
        let mut revoked = Vec::new();
        for (task, record) in tasks.iter().zip(records) {
            let decided = !matches!(record, Some(TaskRecord::Claimed { .. }));
            match record {
                None => {
                    gone.push(*task);
                    later.push((now + LONGEST_LOOK, *task));
                }
                Some(TaskRecord::Finished { result, .. }) => {
                    if !report(inner, *task, &result) {
                        later.push((now + LONGEST_LOOK, *task));
                    }
                }
                Some(TaskRecord::Unknown) => later.push((now + LONGEST_LOOK, *task)),
                Some(TaskRecord::Queued { dispatched_at, lane }) => {
                    let age = now.since(dispatched_at);
                    match queues.has_lost(context, &lane, dispatched_at).await {
                        Some(true) => missing.push((*task, dispatched_at)),
                        Some(false) => later.push((now + age.clamp(FIRST_LOOK, LONGEST_LOOK), *task)),
                        None => {}
                    }
                }
                Some(TaskRecord::Revoked { unclaimed: true, .. }) => never_begun(inner, *task),
                Some(TaskRecord::Revoked { .. }) => revoked.push(*task),
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
        // Whoever took these back may have ended before it could tell their workers. Untold, they are looked at again.
        if tell_workers(context, revoked.clone()).await {
            revoked.into_iter().for_each(|task| taken_back(inner, task, "taken back"));
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
                // It was handed back meanwhile.
                Revoked::Unclaimed => never_begun(inner, *task),
                Revoked::Done => {
                    let host =
                        self.0.sessions.lock().map(|s| s.host(*session).to_owned()).unwrap_or_default();
                    tracing::warn!(%task, %session, host, "the task's worker is gone");
                    taken_back(inner, *task, &format!("its worker on {host} went away"));
                }
                Revoked::Finished { result } => {
                    report(inner, *task, &result);
                }
                Revoked::Claimed { .. } | Revoked::Gone => {}
            }
        }
        Ok(())
    }
}
