//! Reading, for anybody: runs and workflows as they are stored now.

use std::ops::Range;

use async_trait::async_trait;
use millrace_domain::{PartitionId, RunId, StepIndex, WorkflowId};

use super::super::{RunQuery, RunSummary, StoreError, StoredRun, StoredWorkflow};

/// The part of a store that anybody reads.
#[async_trait]
pub trait ReadStore: Send + Sync + 'static {
    /// Reads runs as they are stored now: `None` for those that are not.
    async fn load_runs(&self, runs: &[RunId]) -> Result<Vec<Option<StoredRun>>, StoreError>;

    /// Reads the ends of items of a step, for the items in `items`: `None` for those that have not ended.
    async fn items(
        &self,
        run: RunId,
        step: StepIndex,
        items: Range<u32>,
    ) -> Result<Vec<Option<String>>, StoreError>;

    /// Reads what a step keeps apart from its run: the list over which it has fanned out, or its large outputs.
    async fn apart(&self, run: RunId, step: StepIndex) -> Result<Option<String>, StoreError>;

    /// Reads the entries of a run's history after the one numbered `after`, with their numbers, in order, at most `limit`.
    async fn history(&self, run: RunId, after: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError>;

    /// Lists the heads of runs, the newest first.
    async fn list_runs(&self, query: &RunQuery) -> Result<Vec<RunSummary>, StoreError>;

    /// Reads a workflow whose home is `home`: its head, and the source of `version` (the current one when `None`).
    async fn load_workflow(
        &self,
        home: PartitionId,
        workflow: &WorkflowId,
        version: Option<u32>,
    ) -> Result<Option<StoredWorkflow>, StoreError>;

    /// Reads workflows by their homes and names, with the sources of their current versions: `None` for those that
    /// are not there.
    async fn load_workflows(
        &self,
        workflows: &[(PartitionId, WorkflowId)],
    ) -> Result<Vec<Option<StoredWorkflow>>, StoreError> {
        let mut stored = Vec::with_capacity(workflows.len());
        for (home, workflow) in workflows {
            stored.push(self.load_workflow(*home, workflow, None).await?);
        }
        Ok(stored)
    }

    /// Lists the heads of all workflows whose home is `home`.
    async fn list_workflows(&self, home: PartitionId) -> Result<Vec<(WorkflowId, String)>, StoreError>;
}
