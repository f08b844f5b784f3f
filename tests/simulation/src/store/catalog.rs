//! Stored definitions of one home partition.

use std::collections::BTreeMap;

use millrace_domain::WorkflowId;
use millrace_store::{StoredWorkflow, WorkflowDelta};

/// The workflows at home in a partition.
#[derive(Debug, Default)]
pub(crate) struct Catalog(BTreeMap<WorkflowId, Entry>);

#[derive(Debug)]
struct Entry {
    current: u32,
    listed: bool,
    head: String,
    versions: BTreeMap<u32, String>,
}

impl Catalog {
    pub(super) fn apply(&mut self, delta: &WorkflowDelta) {
        match delta {
            WorkflowDelta::Put { workflow, version, source, head } => {
                let entry = self.0.entry(workflow.clone()).or_insert_with(|| Entry {
                    current: 0,
                    listed: true,
                    head: String::new(),
                    versions: BTreeMap::new(),
                });
                (entry.current, entry.listed) = (*version, true);
                entry.head.clone_from(head);
                // A version that exists keeps its source: runs depend on it.
                entry.versions.entry(*version).or_insert_with(|| source.to_string());
            }
            WorkflowDelta::Head { workflow, head } => self.set_head(workflow, head, true),
            WorkflowDelta::Unlist { workflow, head } => self.set_head(workflow, head, false),
        }
    }

    fn set_head(&mut self, workflow: &WorkflowId, head: &str, keep: bool) {
        if let Some(entry) = self.0.get_mut(workflow) {
            head.clone_into(&mut entry.head);
            entry.listed &= keep;
        }
    }

    pub(crate) fn load(&self, workflow: &WorkflowId, version: Option<u32>) -> Option<StoredWorkflow> {
        let entry = self.0.get(workflow)?;
        let version = version.unwrap_or(entry.current);
        let source = entry.versions.get(&version)?.clone();
        Some(StoredWorkflow { head: entry.head.clone(), version, source })
    }

    pub(crate) fn list(&self) -> Vec<(WorkflowId, String)> {
        let listed = self.0.iter().filter(|(_, entry)| entry.listed);
        listed.map(|(name, entry)| (name.clone(), entry.head.clone())).collect()
    }
}
