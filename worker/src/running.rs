//! What this worker executes now, so that it can be stopped: one task by a cancel, all by the drain or the lease.

use std::collections::BTreeMap;
use std::sync::Mutex;

use millrace_domain::TaskId;

use crate::stop::{Stop, StopHandle, StopReason};

/// The tasks that run in this worker.
#[derive(Debug, Default)]
pub(crate) struct Running {
    tasks: Mutex<BTreeMap<TaskId, StopHandle>>,
}

impl Running {
    /// Registers a task that begins. It counts as running until the guard is dropped.
    pub(crate) fn begin<'r>(&'r self, task: TaskId) -> (RunningTask<'r>, StopHandle, Stop) {
        let (handle, stop) = StopHandle::new();
        if let Ok(mut tasks) = self.tasks.lock() {
            tasks.insert(task, handle.clone());
        }
        (RunningTask { running: self, task }, handle, stop)
    }

    /// Stops one task, if it runs here.
    pub(crate) fn stop(&self, task: TaskId, reason: StopReason) -> bool {
        let handle = self.tasks.lock().ok().and_then(|tasks| tasks.get(&task).cloned());
        handle.is_some_and(|handle| handle.stop(reason))
    }

    /// Stops all tasks, and answers how many there were.
    pub(crate) fn stop_all(&self, reason: StopReason) -> usize {
        let Ok(tasks) = self.tasks.lock() else { return 0 };
        tasks.values().for_each(|handle| {
            handle.stop(reason);
        });
        tasks.len()
    }

    /// Lists the tasks that run.
    pub(crate) fn tasks(&self) -> Vec<TaskId> {
        self.tasks.lock().map_or_else(|_| Vec::new(), |tasks| tasks.keys().copied().collect())
    }

    /// Counts the tasks that run.
    pub(crate) fn count(&self) -> usize {
        self.tasks.lock().map_or(0, |tasks| tasks.len())
    }
}

/// The guard of one running task.
pub(crate) struct RunningTask<'r> {
    running: &'r Running,
    task: TaskId,
}

impl Drop for RunningTask<'_> {
    fn drop(&mut self) {
        if let Ok(mut tasks) = self.running.tasks.lock() {
            tasks.remove(&self.task);
        }
    }
}
