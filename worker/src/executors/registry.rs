//! Executors by the name that definitions use.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use millrace_domain::task::Task;

use super::{Ended, Execution, Executor, Http, Noop, Shell};
use crate::settings::Settings;

/// The executors of a worker, by name.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<String, Arc<dyn Executor>>);

impl Registry {
    /// The standard executors: `shell`, `http` and `noop`. They cost next to nothing: what is expensive is built at
    /// first use.
    pub fn standard(settings: &Settings) -> Self {
        let mut registry = Self::default();
        registry.add("shell", Arc::new(Shell::new(settings)));
        registry.add("http", Arc::new(Http::new(settings.http.clone())));
        registry.add("noop", Arc::new(Noop));
        registry
    }

    /// Adds an executor, in place of one with the same name.
    pub fn add(&mut self, name: &str, executor: Arc<dyn Executor>) {
        self.0.insert(name.to_owned(), executor);
    }

    /// Finds the executor of a name.
    pub fn get(&self, name: &str) -> Option<Arc<dyn Executor>> {
        self.0.get(name).cloned()
    }

    /// The names of all executors, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// A registry executes by the task's own `uses`; a name it does not know fails the task.
#[async_trait]
impl Executor for Registry {
    async fn execute(&self, task: &Task, context: &Execution) -> Ended {
        match self.0.get(&task.uses) {
            Some(executor) => executor.execute(task, context).await,
            None => {
                let known = self.names().collect::<Vec<_>>().join(", ");
                Ended::failed(None, format!("this worker has no executor `{}`, only {known}", task.uses))
            }
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
