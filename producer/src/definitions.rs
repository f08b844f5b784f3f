//! Definitions of stored workflows, parsed once per version. Versions are immutable, so what is cached is true
//! for as long as the store holds what it held; which version is current is asked every time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use millrace_domain::carried::{unknown_fields, with_fields};
use millrace_domain::definition::{self, Workflow};
use millrace_domain::run::{Source, Spec};
use millrace_domain::schedule::{Schedule, Zone};
use millrace_domain::{PartitionId, Timestamp, WorkflowName};
use millrace_store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Parsed versions kept in memory.
const CACHED: usize = 1_000;

/// What is known of a workflow beside its versions. Written by the owner of its home partition alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct WorkflowHead {
    /// The current version.
    pub(crate) version: u32,
    /// Its schedules rest.
    #[serde(default)]
    pub(crate) paused: bool,
    /// It was deleted: only its runs remember it.
    #[serde(default)]
    pub(crate) deleted: bool,
    /// When the current version came.
    pub(crate) applied_at: Timestamp,
    /// Where its shell steps start, when it came from a file of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base_dir: Option<String>,
    /// When each schedule fires next, by its place.
    #[serde(default)]
    pub(crate) next: Vec<Option<Timestamp>>,
    /// For lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// For lists: the schedules as written.
    #[serde(default)]
    pub(crate) schedules: Vec<String>,
    /// For lists: the zones of the schedules, by their places; one, when it is the same for all that follow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) zones: Vec<String>,
    /// For lists.
    #[serde(default)]
    pub(crate) steps: usize,
    /// What a newer version has written here and this one does not know.
    #[serde(skip)]
    pub(crate) carried: Map<String, Value>,
}

impl WorkflowHead {
    /// Reads a head to be changed, as it is stored.
    pub(crate) fn read(text: &str) -> serde_json::Result<Self> {
        let head: Self = serde_json::from_str(text)?;
        Ok(Self { carried: unknown_fields(text, &head), ..head })
    }

    /// The head as it is stored.
    pub(crate) fn record(&self) -> String {
        with_fields(serde_json::to_string(self).unwrap_or_default(), &self.carried)
    }
}

/// The zones of a workflow's schedules, as a head keeps them.
pub(crate) fn zones_of(workflow: &Workflow) -> Vec<String> {
    let own = workflow.timezone.iana_name().unwrap_or("UTC");
    let zone = |schedule: &Schedule| schedule.zone().map_or(own, Zone::name).to_owned();
    let mut zones: Vec<String> = workflow.schedules.iter().map(zone).collect();
    if zones.iter().all(|zone| zones.first() == Some(zone)) {
        zones.truncate(1);
    }
    zones
}

/// Why a definition cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DefinitionError {
    /// There is none.
    #[error("there is no workflow {0}")]
    Unknown(WorkflowName),
    /// What is stored cannot be read any more.
    #[error("the stored definition of {0} cannot be read: {1}")]
    Unreadable(WorkflowName, String),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The cache.
#[derive(Default)]
pub(crate) struct Definitions {
    parsed: Mutex<HashMap<(WorkflowName, u32), Arc<Workflow>>>,
}

impl Definitions {
    /// What a run runs.
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
                .map_err(|e| DefinitionError::Unreadable(WorkflowName::adhoc(), e.message)),
            Source::Inline(source) => parse_one(source)
                .map(Arc::new)
                .map_err(|e| DefinitionError::Unreadable(WorkflowName::adhoc(), e)),
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
        workflows: impl IntoIterator<Item = WorkflowName>,
    ) -> Result<HashMap<WorkflowName, (WorkflowHead, Arc<Workflow>)>, StoreError> {
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

    /// Parses a version, unless that was done before.
    fn parse(
        &self,
        workflow: &WorkflowName,
        version: u32,
        source: &str,
    ) -> Result<Arc<Workflow>, DefinitionError> {
        if let Some(parsed) = self.cached(workflow, version) {
            return Ok(parsed);
        }
        let parsed = parse_one(source).map_err(|e| DefinitionError::Unreadable(workflow.clone(), e))?;
        let parsed = Arc::new(parsed);
        self.remember(workflow, version, &parsed);
        Ok(parsed)
    }

    /// Keeps a version that was parsed elsewhere.
    pub(crate) fn remember(&self, workflow: &WorkflowName, version: u32, parsed: &Arc<Workflow>) {
        if let Ok(mut cache) = self.parsed.lock() {
            if cache.len() >= CACHED {
                cache.clear();
            }
            cache.insert((workflow.clone(), version), Arc::clone(parsed));
        }
    }

    /// Drops all: what was stored under a name and a version may not be that any more.
    pub(crate) fn forget(&self) {
        if let Ok(mut cache) = self.parsed.lock() {
            cache.clear();
        }
    }

    fn cached(&self, workflow: &WorkflowName, version: u32) -> Option<Arc<Workflow>> {
        self.parsed.lock().ok()?.get(&(workflow.clone(), version)).cloned()
    }
}

/// Parses a source that holds one document.
fn parse_one(source: &str) -> Result<Workflow, String> {
    definition::parse_stored(source).map_err(|problems| problems.to_string())
}
