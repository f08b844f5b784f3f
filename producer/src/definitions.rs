//! Definitions of stored workflows, parsed once per version. Versions are immutable, so what is cached is true
//! for as long as the store holds what it held; which version is current is asked every time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use millrace_domain::definition::{self, Workflow};
use millrace_domain::run::{Source, Spec};
use millrace_domain::{PartitionId, WorkflowId};
use millrace_store::{Store, StoreError};

use crate::workflow_head::WorkflowHead;

/// Parsed versions kept in memory.
const CACHED: usize = 1_000;

/// Why a definition cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DefinitionError {
    /// The workflow does not exist.
    #[error("there is no workflow {0}")]
    Unknown(WorkflowId),
    /// The stored definition cannot be read any more.
    #[error("the stored definition of {0} cannot be read: {1}")]
    Unreadable(WorkflowId, String),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The cache of parsed definitions, by workflow and version.
#[derive(Default)]
pub(crate) struct Definitions {
    parsed: Mutex<HashMap<(WorkflowId, u32), Arc<Workflow>>>,
}

impl Definitions {
    /// The definition that a run runs.
    pub(crate) async fn of_spec(
        &self,
        store: &dyn Store,
        partitions: u16,
        spec: &Spec,
    ) -> Result<Arc<Workflow>, DefinitionError> {
        match &spec.source {
            Source::Stored { workflow, version } => {
                if let Some(parsed) = self.cached(workflow, *version) {
                    return Ok(parsed);
                }
                let home = PartitionId::home_of(workflow, partitions);
                let stored = store.load_workflow(home, workflow, Some(*version)).await?;
                let stored = stored.ok_or_else(|| DefinitionError::Unknown(workflow.clone()))?;
                self.parse(workflow, *version, &stored.source)
            }
            Source::Adhoc(submission) => submission
                .to_workflow()
                .map(Arc::new)
                .map_err(|e| DefinitionError::Unreadable(WorkflowId::adhoc(), e.message)),
            Source::Inline(source) => parse_one(source)
                .map(Arc::new)
                .map_err(|e| DefinitionError::Unreadable(WorkflowId::adhoc(), e)),
        }
    }

    /// The current versions of stored workflows, with their heads. Those that are not there, were deleted, or
    /// cannot be read any more are left out.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn current(
        &self,
        store: &dyn Store,
        partitions: u16,
        workflows: impl IntoIterator<Item = WorkflowId>,
    ) -> Result<HashMap<WorkflowId, (WorkflowHead, Arc<Workflow>)>, StoreError> {
        let homes = workflows.into_iter().map(|name| (PartitionId::home_of(&name, partitions), name));
        let wanted: Vec<_> = homes.collect();
        let stored = store.load_workflows(&wanted).await?;
        let read = wanted.into_iter().zip(stored).filter_map(|((_, name), stored)| {
            let stored = stored?;
            let head = serde_json::from_str::<WorkflowHead>(&stored.head).map_err(|e| e.to_string());
            let parsed = self.parse(&name, stored.version, &stored.source).map_err(|e| e.to_string());
            match (head, parsed) {
                (Ok(head), Ok(parsed)) => (!head.deleted).then_some((name, (head, parsed))),
                (Err(error), _) | (_, Err(error)) => {
                    tracing::error!(workflow = %name, error, "the stored workflow cannot be read");
                    None
                }
            }
        });
        Ok(read.collect())
    }

    /// Parses a version that is stored, unless that was done before. What is not stored yet is not for here: another
    /// owner may store something else as that version.
    pub(crate) fn parse(
        &self,
        workflow: &WorkflowId,
        version: u32,
        source: &str,
    ) -> Result<Arc<Workflow>, DefinitionError> {
        if let Some(parsed) = self.cached(workflow, version) {
            return Ok(parsed);
        }
        let parsed = parse_one(source).map_err(|e| DefinitionError::Unreadable(workflow.clone(), e))?;
        let parsed = Arc::new(parsed);
        self.keep(workflow, version, &parsed);
        Ok(parsed)
    }

    /// Keeps a version that is stored, and was parsed elsewhere.
    pub(crate) fn keep(&self, workflow: &WorkflowId, version: u32, parsed: &Arc<Workflow>) {
        if let Ok(mut cache) = self.parsed.lock() {
            if cache.len() >= CACHED {
                cache.clear();
            }
            cache.insert((workflow.clone(), version), Arc::clone(parsed));
        }
    }

    /// The number of steps of a version, when it is in memory.
    pub(crate) fn steps_of(&self, workflow: &WorkflowId, version: u32) -> Option<usize> {
        self.cached(workflow, version).map(|parsed| parsed.steps.len())
    }

    /// Drops all: what was stored under a name and a version may not be that any more.
    pub(crate) fn forget(&self) {
        if let Ok(mut cache) = self.parsed.lock() {
            cache.clear();
        }
    }

    fn cached(&self, workflow: &WorkflowId, version: u32) -> Option<Arc<Workflow>> {
        self.parsed.lock().ok()?.get(&(workflow.clone(), version)).cloned()
    }
}

/// Parses a source that holds one document.
fn parse_one(source: &str) -> Result<Workflow, String> {
    definition::parse_stored(source).map_err(|problems| problems.to_string())
}
