//! `uses: noop`: a task that succeeds at once. For joins, for tests of a graph, and for measuring everything around a
//! task.

use async_trait::async_trait;
use millrace_domain::task::Task;
use serde_json::Map;

use super::{Ended, Execution, Executor};

/// The executor that does nothing, and succeeds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Noop;

#[async_trait]
impl Executor for Noop {
    async fn execute(&self, task: &Task, context: &Execution) -> Ended {
        match context.stop.now() {
            Some(reason) => Ended::stopped(reason, task),
            None => Ended::succeeded(None, Map::new()),
        }
    }
}
