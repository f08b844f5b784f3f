//! Stored workflows whose home is here, in memory. Like runs, any of them can be dropped between batches and loaded
//! again: two generations bound the memory, so that a million schedules cost no more of it than those that fire.

use std::collections::HashMap;
use std::sync::Arc;

use millrace_domain::definition::Workflow;
use millrace_domain::{PartitionId, WorkflowId};
use millrace_store::{StoreError, StoredWorkflow};

use crate::context::Context;
use crate::definitions::Definitions;
use crate::workflow_head::WorkflowHead;

/// Workflows in one generation, at most.
const GENERATION: usize = 10_000;

/// Workflows loaded in one trip, at most.
const LOAD: usize = 512;

/// The workflows whose home is an owned partition, as last committed.
#[derive(Default)]
pub(crate) struct Workflows {
    young: HashMap<WorkflowId, Option<Entry>>,
    old: HashMap<WorkflowId, Option<Entry>>,
    /// The workflows that are stored and cannot be read, with their heads as far as these are known.
    unreadable: HashMap<WorkflowId, WorkflowHead>,
}

/// A workflow in memory.
pub(crate) struct Entry {
    pub(crate) head: WorkflowHead,
    pub(crate) source: Arc<str>,
    pub(crate) workflow: Arc<Workflow>,
}

/// A stored workflow that cannot be read: its head, if that can be, and why.
struct Unreadable {
    head: Option<Box<WorkflowHead>>,
    why: String,
}

impl Entry {
    fn read(
        definitions: &Definitions,
        name: &WorkflowId,
        stored: StoredWorkflow,
    ) -> Result<Self, Unreadable> {
        let head = match WorkflowHead::read(&stored.head) {
            Ok(head) => head,
            Err(error) => return Err(Unreadable { head: None, why: error.to_string() }),
        };
        match definitions.parse(name, stored.version, &stored.source) {
            Ok(workflow) => Ok(Self { head, source: stored.source.into(), workflow }),
            Err(error) => Err(Unreadable { head: Some(Box::new(head)), why: error.to_string() }),
        }
    }
}

impl Workflows {
    /// Loads those of `wanted` that exist and are not in memory.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn load(
        &mut self,
        context: &Context,
        mut wanted: Vec<(PartitionId, WorkflowId)>,
    ) -> Result<(), StoreError> {
        wanted.retain(|(_, name)| !self.renew(name));
        wanted.sort_unstable();
        wanted.dedup();
        for wanted in wanted.chunks(LOAD) {
            let stored = context.store.load_workflows(wanted).await?;
            for ((_, name), stored) in wanted.iter().zip(stored) {
                let read = |stored| Entry::read(&context.definitions, name, stored);
                let entry = match stored.map(read).transpose() {
                    Ok(entry) => entry,
                    Err(Unreadable { head, why }) => {
                        tracing::error!(workflow = %name, why, "it is stored and cannot be read: apply it again");
                        self.unreadable.insert(name.clone(), *head.unwrap_or_default());
                        None
                    }
                };
                self.young.insert(name.clone(), entry);
            }
        }
        Ok(())
    }

    /// Keeps a workflow for longer, if it is in memory: whether it is.
    fn renew(&mut self, name: &WorkflowId) -> bool {
        if let Some((name, entry)) = self.old.remove_entry(name) {
            self.young.entry(name).or_insert(entry);
            return true;
        }
        self.young.contains_key(name)
    }

    /// Puts a workflow into memory.
    pub(crate) fn put(&mut self, name: &WorkflowId, entry: Entry) {
        self.old.remove(name);
        self.unreadable.remove(name);
        self.young.insert(name.clone(), Some(entry));
    }

    /// The head of a workflow that is stored and cannot be read.
    pub(crate) fn unreadable(&self, name: &WorkflowId) -> Option<&WorkflowHead> {
        self.unreadable.get(name)
    }

    /// Finds a workflow that was loaded, also when it was deleted.
    pub(crate) fn any(&self, name: &WorkflowId) -> Option<&Entry> {
        self.young.get(name).or_else(|| self.old.get(name))?.as_ref()
    }

    /// Finds a workflow that was loaded and is not deleted.
    pub(crate) fn get(&mut self, name: &WorkflowId) -> Option<&mut Entry> {
        self.young
            .get_mut(name)
            .or_else(|| self.old.get_mut(name))?
            .as_mut()
            .filter(|entry| !entry.head.deleted)
    }

    /// Forgets a workflow whose change was not committed: the store knows what holds.
    pub(crate) fn read_again(&mut self, name: &WorkflowId) {
        self.young.remove(name);
        self.old.remove(name);
    }

    /// Forgets the workflows of a partition that is not ours any more.
    pub(crate) fn forget(&mut self, partition: PartitionId, partitions: u16) {
        self.young.retain(|name, _| PartitionId::home_of(name, partitions) != partition);
        self.old.retain(|name, _| PartitionId::home_of(name, partitions) != partition);
        self.unreadable.retain(|name, _| PartitionId::home_of(name, partitions) != partition);
    }

    /// Drops the workflows that were not used while the young generation filled up. To be called between batches.
    pub(crate) fn age(&mut self) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
    }
}
