//! What the loop does about what the watch found.

use millrace_domain::run::dispatch;
use millrace_domain::{Epoch, PartitionId, RunId, Seq, TaskId, Timestamp};

use super::watch;
use crate::partition::actor::{Actor, Drafts};
use crate::partition::memory::owned::Owned;

impl Actor {
    /// Attempts that the broker does not have are published again.
    pub(crate) async fn publish_again(&mut self, tasks: Vec<(TaskId, Timestamp)>) {
        // A run that is not ours must not get into memory: nobody would keep it up to date.
        let missing = |id: &RunId| self.owned.contains_key(&id.partition()) && !self.runs.has(*id);
        let mut runs: Vec<RunId> = tasks.iter().map(|(task, _)| task.run).filter(missing).collect();
        runs.sort_unstable();
        runs.dedup();
        self.load_runs(&runs).await;
        let mut found = Vec::new();
        for (id, dispatched_at) in tasks {
            let Some(Owned { epoch, seq, .. }) = self.owned.get(&id.run.partition()) else { continue };
            let (epoch, seq) = (*epoch, *seq);
            let Some(run) = self.runs.get(id.run) else { continue };
            if run.current_attempt(id.step) != Some(id.attempt) {
                continue;
            }
            if let Ok(mut task) = dispatch::task(run, id.step, id.attempt, dispatched_at) {
                (task.epoch, task.seq) = (epoch, seq);
                found.push((task, epoch));
            }
        }
        watch::publish_again(&self.context, found);
    }

    /// Entries of the watch whose attempts are over leave it.
    pub(crate) async fn forget_watched(&mut self, tasks: Vec<TaskId>) {
        let now = self.context.now();
        let mut drafts = Drafts::new();
        for task in tasks {
            if let Some(draft) = self.draft(&mut drafts, task.run.partition()) {
                draft.delta(task.run).retired.push((task.step, task.attempt));
            }
        }
        self.settle(drafts, now).await;
    }

    pub(crate) fn start_watch(&mut self) {
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
        let open = self.open().into_iter().filter(|(_, open)| *open > 0);
        let pools = open.map(|(pool, _)| pool.to_string()).collect();
        self.watch.start(&self.context, self.inner.clone(), watched, pools, self.claimed.clone());
    }
}
