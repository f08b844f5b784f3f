//! What the broker has lost of a whole queue: somebody purged or deleted it. An unclaimed task is looked at ever more
//! seldom the longer it waits, since a backlog is no fault; but a queue that is empty has none of those that wait.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use millrace_domain::{TaskId, TaskQueue, Timestamp};
use millrace_store::{LOOK_AFTER_CLAIM_MS, StoreError, TaskRecord};
use tokio::time::Instant;

use super::damaged::skip_if_damaged;
use super::watched::{FAR, PAGE, UNWATCHED, Watched, ready, watched};
use crate::context::Context;

/// How often a queue is asked whether it is empty.
const ASK_EVERY: Duration = Duration::from_secs(3);

/// A task that was published so long ago and is neither claimed nor in its queue is lost: from one to the other is a
/// matter of milliseconds.
const ON_ITS_WAY: Duration = Duration::from_secs(6);

/// The time for which a task that was published again is not published once more: somebody may hold it who cannot claim it.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Looks beyond this lie ahead of tasks that nobody has claimed: a claim moves the look nearer.
const BEYOND_CLAIMS: Duration = Duration::from_millis(LOOK_AFTER_CLAIM_MS + 1_000);

/// Tasks found in one sweep, at most.
const MOST: usize = 20_000;

/// How long a queue's sweeps pause for each task that one has looked at in vain: those of other queues.
const PAUSE: Duration = Duration::from_millis(2);

/// The memory of a sweep, from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Sweep {
    /// When a queue is asked again.
    next: HashMap<TaskQueue, Instant>,
    /// The tasks that were found, and when.
    found: HashMap<TaskId, Instant>,
}

impl Sweep {
    /// Finds the tasks that wait for a queue that is empty, and when each was dispatched. `queues` are those that
    /// may have any. Where nothing waits, this costs one question a queue and one a partition, every few seconds.
    pub(crate) async fn pass(
        &mut self,
        context: &Context,
        partitions: &[Watched],
        queues: BTreeSet<TaskQueue>,
    ) -> Result<Vec<(TaskId, Timestamp)>, StoreError> {
        // The pass has more to do than to wait for a broker that is away.
        if !*context.broker.ready().borrow() {
            return Ok(Vec::new());
        }
        let began = Instant::now();
        self.next.retain(|queue, _| queues.contains(queue));
        self.found.retain(|_, at| began.duration_since(*at) < AGAIN_AFTER);
        let mut empty = HashSet::new();
        for queue in queues {
            if self.next.get(&queue).is_some_and(|next| began < *next) {
                continue;
            }
            self.next.insert(queue.clone(), began + ASK_EVERY);
            if ready(context, &queue).await == Some(0) {
                empty.insert(queue);
            }
        }
        if empty.is_empty() {
            return Ok(Vec::new());
        }
        let (lost, seen) = self.lost(context, partitions, &empty).await?;
        let in_vain = u32::try_from(seen.saturating_sub(lost.len())).unwrap_or(u32::MAX);
        for queue in empty {
            self.next.insert(queue, began + ASK_EVERY + PAUSE * in_vain);
        }
        self.found.extend(lost.iter().map(|(task, _)| (*task, began)));
        Ok(lost)
    }

    /// Lists the tasks that wait for one of these queues, and says how many were looked at.
    async fn lost(
        &self,
        context: &Context,
        partitions: &[Watched],
        empty: &HashSet<TaskQueue>,
    ) -> Result<(Vec<(TaskId, Timestamp)>, usize), StoreError> {
        let now = context.now();
        let looks = now + BEYOND_CLAIMS..=FAR;
        let (mut lost, mut seen) = (Vec::new(), 0);
        for (one, mut page) in watched(context, partitions, &looks, PAGE).await? {
            let (partition, mut skip) = (one.0, 0);
            while !page.is_empty() && lost.len() < MOST {
                seen += page.len();
                let tasks: Vec<TaskId> = page
                    .iter()
                    .map(|(_, task)| *task)
                    .filter(|task| !self.found.contains_key(task))
                    .collect();
                let records = context.store.tasks(&tasks).await;
                let Some(records) = skip_if_damaged(partition, records, UNWATCHED)? else { break };
                for (task, record) in tasks.into_iter().zip(records) {
                    if let Some(TaskRecord::Queued { dispatched_at, lane }) = record
                        && empty.contains(&lane.queue)
                        && now.since(dispatched_at) >= ON_ITS_WAY
                    {
                        lost.push((task, dispatched_at));
                    }
                }
                if page.len() < PAGE {
                    break;
                }
                skip += PAGE;
                let next = context.store.watched(partition, looks.clone(), skip, PAGE).await;
                page = skip_if_damaged(partition, next, UNWATCHED)?.unwrap_or_default();
            }
        }
        Ok((lost, seen))
    }
}
