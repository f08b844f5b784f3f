//! What the loop does about what the watch found.

use std::time::Duration;

use millrace_domain::{Epoch, PartitionId, RunId, Seq, TaskId, Timestamp};

use super::actor::{Actor, Drafts};
use super::draft::FIRST_LOOK_MS;
use super::owned::Owned;
use super::watch;

impl Actor {
    /// Attempts that nobody has claimed: publish again what the broker may have lost.
    pub(super) async fn look_unclaimed(&mut self, tasks: Vec<(TaskId, Timestamp, bool)>) {
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
    pub(super) async fn forget_watched(&mut self, tasks: Vec<TaskId>) {
        let now = self.context.now();
        let mut drafts = Drafts::new();
        for task in tasks {
            if let Some(draft) = self.draft(&mut drafts, task.run.partition()) {
                draft.delta(task.run).retired.push((task.step, task.attempt));
            }
        }
        self.settle(drafts, now).await;
    }

    pub(super) fn start_watch(&mut self) {
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
