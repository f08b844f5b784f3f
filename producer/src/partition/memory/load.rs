//! Runs and workflows that a batch needs and memory does not hold.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use millrace_domain::definition::Workflow;
use millrace_domain::run::{Run, Spec};
use millrace_domain::{PartitionId, RunId, WorkflowId};
use millrace_runtime::Unknown;
use millrace_store::{StoreError, StoredRun};

use super::Memory;
use super::carry::Carried;
use crate::context::Context;
use crate::definitions::DefinitionError;
use crate::link;
use crate::workflow_head::WorkflowHead;

/// Runs loaded in one trip, at most.
const LOAD: usize = 512;

/// What the commands of a batch need.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// Runs that something happened to.
    pub(crate) runs: Vec<RunId>,
    /// Runs that are to be continued: what they keep apart is read with them.
    pub(crate) continued: Vec<RunId>,
    /// Whether the secret of links is wanted.
    pub(crate) secret: bool,
    /// Stored workflows that runs are wanted of.
    pub(crate) started: BTreeSet<WorkflowId>,
    /// Partitions whose locks are asked for, or released.
    pub(crate) locks: BTreeSet<PartitionId>,
    /// Workflows that are to change or to fire, with their homes.
    pub(crate) at_home: Vec<(PartitionId, WorkflowId)>,
}

/// What a batch needs and memory does not keep.
#[derive(Default)]
pub(crate) struct Loaded {
    /// Stored workflows that the batch starts runs of, as they are now.
    pub(crate) current: HashMap<WorkflowId, (WorkflowHead, Arc<Workflow>)>,
    /// Runs that are stored and cannot be read here.
    pub(crate) foreign: Foreign,
    /// What runs keep apart that are to be continued.
    pub(crate) carried: Carried,
    /// Whether the secret of links is stored, where that was asked.
    pub(crate) has_secret: bool,
}

/// Runs that are stored and cannot be read here, and why: a newer version has written them. They are not in memory, and
/// not absent: what happens to them is kept for an owner of that version.
pub(crate) type Foreign = BTreeMap<RunId, String>;

/// Why a stored run did not become one in memory.
enum Unrestored {
    /// The store did not answer: try again.
    Store(StoreError),
    /// What is stored cannot be read, today or tomorrow.
    Unreadable(String),
}

impl Memory {
    /// Loads the runs and workflows that a batch needs: in one trip those that runs are wanted of, in one those that are
    /// to change or to fire. `None` when the store does not answer.
    pub(crate) async fn load(&mut self, context: &Context, needs: Needs) -> Option<Loaded> {
        let Needs { mut runs, continued, secret, started, locks, at_home } = needs;
        runs.retain(|run| !self.runs.has(*run));
        runs.sort_unstable();
        runs.dedup();
        let foreign = match runs.is_empty() {
            true => Foreign::new(),
            false => self.load_runs(context, &runs).await?,
        };
        let carried = self.read_carried(context, &continued).await?;
        self.locks.load(context, locks).await?;
        let has_secret = match secret {
            true => link::secret(&*context.store).await,
            false => Ok(None),
        };
        let current = context.definitions.current(&*context.store, context.partitions, started).await;
        let loaded = self.workflows.load(context, at_home).await;
        match (current, loaded, has_secret) {
            (Ok(current), Ok(()), Ok(secret)) => {
                Some(Loaded { current, foreign, carried, has_secret: secret.is_some() })
            }
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
                tracing::warn!(%error, "what a batch needs cannot be loaded");
                None
            }
        }
    }

    /// Loads runs into memory; those that cannot be read or do not exist stay out. Answers those that cannot be read;
    /// `None` when the store does not answer.
    pub(crate) async fn load_runs(&mut self, context: &Context, ids: &[RunId]) -> Option<Foreign> {
        let mut foreign = Foreign::new();
        for ids in ids.chunks(LOAD) {
            let stored = match load_stored(context, ids).await {
                Ok(stored) => stored,
                Err(error) => {
                    tracing::warn!(%error, "runs cannot be loaded");
                    return None;
                }
            };
            for (id, stored) in ids.iter().zip(stored) {
                let Some(stored) = stored else { continue };
                match restore(context, *id, &stored).await {
                    Ok(run) => self.runs.insert(run, stored.definition.len()),
                    // Not there and not to be had now are two things: what happens to the run must wait.
                    Err(Unrestored::Store(error)) => {
                        tracing::warn!(run = %id, %error, "its definition cannot be loaded");
                        return None;
                    }
                    Err(Unrestored::Unreadable(why)) => {
                        Unknown::Run.note(format_args!("run {id}: {why}"));
                        foreign.insert(*id, why);
                    }
                }
            }
        }
        Some(foreign)
    }
}

/// Runs as they are stored. One that cannot be read does not keep the others from being loaded.
async fn load_stored(context: &Context, ids: &[RunId]) -> Result<Vec<Option<StoredRun>>, StoreError> {
    let store = &context.store;
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

async fn restore(context: &Context, id: RunId, stored: &StoredRun) -> Result<Run, Unrestored> {
    let unreadable = |e: &dyn std::fmt::Display| Unrestored::Unreadable(e.to_string());
    if let Some(field) = stored.unknown.first() {
        return Err(unreadable(&format_args!("what its field {field} says is not known here")));
    }
    let spec: Spec = serde_json::from_str(&stored.definition).map_err(|e| unreadable(&e))?;
    if spec.v > Spec::VERSION {
        return Err(unreadable(&format_args!("its definition has version {}", spec.v)));
    }
    let workflow = context.definitions.of_spec(&*context.store, context.partitions, &spec).await;
    let workflow = workflow.map_err(|error| match error {
        DefinitionError::Store(error) => Unrestored::Store(error),
        other => unreadable(&other),
    })?;
    let mut run = Run::restore(id, workflow, Arc::new(spec), &stored.head, &stored.steps, &stored.attempts())
        .map_err(|e| unreadable(&e))?;
    for step in run.lists_wanted() {
        let list = context.store.apart(id, step).await.map_err(Unrestored::Store)?.unwrap_or_default();
        run.give_list(step, &list).map_err(|e| unreadable(&e))?;
    }
    Ok(run)
}
