//! Runs and workflows that a batch needs and memory does not hold.

use std::sync::Arc;

use millrace_domain::run::{Run, Spec};
use millrace_domain::{PartitionId, RunId, Timestamp};
use millrace_store::{StoreError, StoredRun, TaskRecord};

use crate::definitions::DefinitionError;
use crate::partition::actor::Actor;
use crate::partition::mailbox::{What, Work};
use crate::partition::replan::Planned;
use crate::partition::submit;

/// Runs loaded in one trip, at most.
const LOAD: usize = 512;

/// Why a stored run did not become one in memory.
enum Unrestored {
    /// The store did not answer: try again.
    Store(StoreError),
    /// What is stored cannot be read, today or tomorrow.
    Unreadable(String),
}

impl Actor {
    /// Loads runs and workflows that a batch needs and memory does not hold. `None` when the store does not answer.
    pub(crate) async fn load(&mut self, placed: &[(PartitionId, Work)]) -> Option<submit::Loaded> {
        let mut missing: Vec<RunId> = Vec::new();
        for (_, work) in placed {
            match &work.what {
                What::Event(run, _) => missing.push(*run),
                What::Results(results) => missing.extend(results.iter().map(|(run, _)| *run)),
                What::Replan(_, Planned::Timers(timers)) => {
                    missing.extend(timers.iter().filter_map(|(_, timer)| timer.run()));
                }
                _ => {}
            }
        }
        missing.retain(|run| !self.runs.has(*run));
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() && !self.load_runs(&missing).await {
            return None;
        }
        submit::load(self, placed).await
    }

    /// Loads runs into memory; those that cannot be read or do not exist stay out. `false`: no answer.
    pub(crate) async fn load_runs(&mut self, ids: &[RunId]) -> bool {
        for ids in ids.chunks(LOAD) {
            let stored = match self.load_stored(ids).await {
                Ok(stored) => stored,
                Err(error) => {
                    tracing::warn!(%error, "runs cannot be loaded");
                    return false;
                }
            };
            for (id, stored) in ids.iter().zip(stored) {
                let Some(stored) = stored else { continue };
                match self.restore(*id, &stored).await {
                    Ok(run) => self.runs.insert(run, stored.definition.len()),
                    // Not there and not to be had now are two things: what happens to the run must wait.
                    Err(Unrestored::Store(error)) => {
                        tracing::warn!(run = %id, %error, "its definition cannot be loaded");
                        return false;
                    }
                    Err(Unrestored::Unreadable(error)) => {
                        tracing::error!(run = %id, %error, "the run cannot be restored");
                    }
                }
            }
        }
        true
    }

    /// Runs as they are stored. One that cannot be read does not keep the others from being loaded.
    async fn load_stored(&self, ids: &[RunId]) -> Result<Vec<Option<StoredRun>>, StoreError> {
        let store = &self.context.store;
        match store.load_runs(ids).await {
            Err(StoreError::Corrupt(_)) => {}
            other => return other,
        }
        let mut stored = Vec::with_capacity(ids.len());
        for id in ids {
            stored.push(match store.load_runs(std::slice::from_ref(id)).await {
                Ok(mut one) => one.pop().flatten(),
                Err(StoreError::Corrupt(why)) => {
                    tracing::error!(run = %id, why, "the stored run cannot be read");
                    None
                }
                Err(error) => return Err(error),
            });
        }
        Ok(stored)
    }

    async fn restore(&self, id: RunId, stored: &StoredRun) -> Result<Run, Unrestored> {
        let unreadable = |e: &dyn std::fmt::Display| Unrestored::Unreadable(e.to_string());
        let spec: Spec = serde_json::from_str(&stored.definition).map_err(|e| unreadable(&e))?;
        let context = &self.context;
        let workflow = context.definitions.of_spec(&*context.store, context.partitions, &spec).await;
        let workflow = workflow.map_err(|error| match error {
            DefinitionError::Store(error) => Unrestored::Store(error),
            other => unreadable(&other),
        })?;
        let attempts: Vec<_> = stored
            .tasks
            .iter()
            .map(|(step, attempt, record)| {
                let at = match record {
                    TaskRecord::Queued { dispatched_at, .. } => *dispatched_at,
                    TaskRecord::Claimed { claimed_at, .. } => *claimed_at,
                    TaskRecord::Finished { .. } | TaskRecord::Revoked => Timestamp::default(),
                };
                (*step, *attempt, at)
            })
            .collect();
        Run::restore(id, workflow, Arc::new(spec), &stored.head, &stored.steps, &attempts)
            .map_err(|e| unreadable(&e))
    }
}
