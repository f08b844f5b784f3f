//! What the loop does about what the watch found.

use millrace_domain::run::dispatch;
use millrace_domain::{RunId, TaskId, Timestamp};

use super::republish;
use crate::partition::actor::Actor;
use crate::partition::memory::owned::{Drafts, Owned};

impl Actor {
    /// Attempts that the broker does not have are published again.
    pub(crate) async fn publish_again(&mut self, tasks: Vec<(TaskId, Timestamp)>) {
        // A run that is not ours must not get into memory: nobody would keep it up to date.
        let missing = |id: &RunId| self.partitions.has(id.partition()) && !self.memory.runs.has(*id);
        let mut runs: Vec<RunId> = tasks.iter().map(|(task, _)| task.run).filter(missing).collect();
        runs.sort_unstable();
        runs.dedup();
        let foreign = self.memory.load_runs(&self.context, &runs).await.unwrap_or_default();
        let units = tasks.iter().map(|(task, _)| *task);
        let lent = self.memory.lend_for_tasks(&self.context, units).await.unwrap_or_default();
        let (mut found, now) = (Vec::new(), self.context.now());
        for (id, dispatched_at) in tasks {
            let Some(Owned { epoch, seq, .. }) = self.partitions.get(id.run.partition()) else { continue };
            let (epoch, seq) = (*epoch, *seq);
            if foreign.contains_key(&id.run) {
                self.look_later(id.run.partition(), vec![id], now);
                continue;
            }
            let Some(run) = self.memory.runs.get(id.run) else { continue };
            if run.current_attempt(id.unit) != Some(id.attempt) {
                continue;
            }
            if let Ok(mut task) = dispatch::task(run, id.unit, id.attempt, dispatched_at) {
                (task.epoch, task.seq) = (epoch, seq);
                found.push((task, epoch));
            }
        }
        self.memory.take_back(lent);
        republish::missing(&self.context, found);
    }

    /// Entries of the watch whose attempts are over leave it.
    pub(crate) async fn forget_watched(&mut self, tasks: Vec<TaskId>) {
        let now = self.context.now();
        let mut drafts = Drafts::new();
        for task in tasks {
            if let Some(draft) = self.partitions.draft(&mut drafts, task.run.partition()) {
                draft.delta(task.run).retired.push((task.unit, task.attempt));
            }
        }
        self.settle(drafts, now).await;
    }

    /// Begins a pass of the watch over the partitions in which something may be dispatched.
    pub(crate) fn start_watch(&mut self) {
        for (partition, seq) in self.watch.rested() {
            if let Some(owned) = self.partitions.get_mut(partition).filter(|owned| owned.seq == seq) {
                owned.watching = false;
            }
        }
        let watching = self.partitions.iter().filter(|(_, owned)| owned.watching);
        let watched = watching.map(|(partition, owned)| (partition, owned.epoch, owned.seq)).collect();
        let in_flight = self.partitions.in_flight().into_iter().filter(|(_, count)| *count > 0);
        let queues = in_flight.map(|(queue, _)| queue).collect();
        let progress = self.dispatcher.progress.clone();
        self.watch.start(&self.context, self.inner.clone(), watched, queues, progress);
    }
}
