//! From a submission to a run.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use millrace_broker::Properties;
use millrace_domain::definition::{self, Params, Workflow};
use millrace_domain::expression::Fire;
use millrace_domain::message::Reply;
use millrace_domain::run::{Head, Source, Spec, Trigger, create as create_run};
use millrace_domain::{PartitionId, RunId, Timestamp, WorkflowName};
use millrace_store::NewRun;

use super::actor::{Actor, Drafts};
use super::batch::unknown_workflow;
use super::mailbox::{Submit, What, Work, refusal};
use crate::definitions::{DefinitionError, WorkflowHead};

/// Stored workflows that a batch needs: what they are now.
#[derive(Default)]
pub(crate) struct Loaded {
    current: HashMap<WorkflowName, Result<(WorkflowHead, Arc<Workflow>), String>>,
}

/// Loads the workflows that a batch needs. `None` when the store does not answer.
pub(super) async fn load(actor: &mut Actor, placed: &[(PartitionId, Work)]) -> Option<Loaded> {
    let mut loaded = Loaded::default();
    for (partition, work) in placed {
        match &work.what {
            What::Submit(wanted) => {
                let Some(name) = &wanted.submission.workflow else { continue };
                if loaded.current.contains_key(name) {
                    continue;
                }
                let context = &actor.context;
                let found = match context.definitions.current(&*context.store, context.partitions, name).await
                {
                    Ok(found) => Ok(found),
                    Err(DefinitionError::Store(error)) => {
                        tracing::warn!(%error, workflow = %name, "the workflow cannot be loaded");
                        return None;
                    }
                    Err(error) => Err(error.to_string()),
                };
                loaded.current.insert(name.clone(), found);
            }
            What::Apply(apply) => {
                actor.workflows.load(&actor.context, *partition, &apply.workflow.name).await?;
            }
            What::Pause(name, _) | What::Delete(name) | What::Fire(name, ..) => {
                actor.workflows.load(&actor.context, *partition, name).await?;
            }
            _ => {}
        }
    }
    Some(loaded)
}

/// A run that is to be created, whatever asked for it.
pub(super) struct Wanted {
    pub(super) id: RunId,
    pub(super) keyed: bool,
    pub(super) workflow: Arc<Workflow>,
    pub(super) spec: Spec,
    pub(super) head: Head,
}

/// Creates the run of a submission in `partition`: the answer, the run that was drafted if one was, and, when the
/// submission is refused, nothing else.
pub(super) fn create(
    actor: &mut Actor,
    partition: PartitionId,
    wanted: Submit,
    loaded: &Loaded,
    drafts: &mut Drafts,
    now: Timestamp,
) -> (Reply, Option<RunId>) {
    let keyed = wanted.run.is_some();
    let id = wanted.run.unwrap_or_else(|| RunId::new(actor.context.options.ambient.ordered_id(), partition));
    let known = actor.runs.has(id) || drafts.get(&partition).is_some_and(|draft| draft.creates(id));
    if known {
        return (Reply::Run { run_id: id, duplicate: true }, None);
    }
    match plan(wanted, id, keyed, loaded, now) {
        Err(reply) => (reply, None),
        Ok(wanted) => {
            draft(actor, partition, wanted, drafts, now);
            (Reply::Run { run_id: id, duplicate: false }, Some(id))
        }
    }
}

/// Puts a new run into the draft and into memory.
pub(super) fn draft(
    actor: &mut Actor,
    partition: PartitionId,
    wanted: Wanted,
    drafts: &mut Drafts,
    now: Timestamp,
) {
    let Wanted { id, keyed, workflow, spec, head } = wanted;
    let retention = actor.context.options.retention;
    let definition = serde_json::to_string(&spec).unwrap_or_default();
    let new = NewRun { created_at: now, workflow: head.workflow.clone(), keyed, definition };
    let (run, advanced) = create_run(id, workflow, Arc::new(spec), head, now);
    if let Some(draft) = actor.draft(drafts, partition) {
        draft.create(id, new);
        draft.take(id, advanced, now, retention);
        actor.runs.insert(run);
    }
}

/// What a submission asks for, checked.
fn plan(wanted: Submit, id: RunId, keyed: bool, loaded: &Loaded, now: Timestamp) -> Result<Wanted, Reply> {
    let Submit { submission, trigger, digest, .. } = wanted;
    let start_at = submission.start_at(now).map_err(|e| refusal(e.code, e.message))?;
    let scheduled_at = start_at.unwrap_or(now);
    let mut base_dir = None;
    let mut version = None;
    let (workflow, source, params) = if let Some(name) = &submission.workflow {
        let (head, workflow) = match loaded.current.get(name) {
            Some(Ok(found)) => found.clone(),
            Some(Err(_)) | None => return Err(unknown_workflow(name)),
        };
        let params = checked_params(&workflow, &submission.params, scheduled_at)?;
        base_dir = head.base_dir;
        version = Some(head.version);
        (workflow, Source::Stored { workflow: name.clone(), version: head.version }, params)
    } else if let Some(source) = &submission.definition {
        let workflow = Arc::new(inline(source)?);
        let params = checked_params(&workflow, &submission.params, scheduled_at)?;
        base_dir.clone_from(&submission.base_dir);
        (workflow, Source::Inline(source.clone()), params)
    } else {
        let workflow = submission.to_workflow().map_err(|e| refusal(e.code, e.message))?;
        let params = submission.params.clone();
        (Arc::new(workflow), Source::Adhoc(Box::default()), params)
    };
    let labels = if submission.labels.is_empty() { &workflow.labels } else { &submission.labels };
    let head = Head {
        start_at,
        labels: labels.clone(),
        digest: digest.filter(|_| keyed),
        ..Head::new(workflow.name.clone(), version, now)
    };
    let priority = submission.priority.unwrap_or(workflow.priority);
    let traceparent = submission.traceparent.clone();
    let source = match source {
        Source::Adhoc(_) => Source::Adhoc(Box::new(submission)),
        other => other,
    };
    let spec = Spec { v: 1, source, params, scheduled_at, priority, trigger, traceparent, base_dir };
    Ok(Wanted { id, keyed, workflow, spec, head })
}

/// A definition that came with the submission.
fn inline(source: &str) -> Result<Workflow, Reply> {
    let mut parsed = definition::parse(source, "definition")
        .map_err(|problems| refusal("invalid-definition", problems.to_string()))?;
    match (parsed.pop(), parsed.is_empty()) {
        (Some(one), true) => Ok(one.workflow),
        _ => Err(refusal("invalid-definition", "expected one workflow in a document of its own")),
    }
}

/// The params of a run, types checked and defaults filled in.
pub(super) fn checked_params(
    workflow: &Workflow,
    given: &Params,
    scheduled_at: Timestamp,
) -> Result<Params, Reply> {
    let fire = Fire { time: scheduled_at, zone: &workflow.timezone };
    definition::check_params(&workflow.params, given, fire)
        .map_err(|problems| refusal("invalid-params", problems.join("; ")))
}

/// What goes to the rejected queue when a submission that came by message is refused.
pub(super) fn rejected(work: &Work) -> Option<(Bytes, Properties)> {
    let What::Submit(wanted) = &work.what else { return None };
    if wanted.trigger != Trigger::Message {
        return None;
    }
    Some(match &work.delivery {
        Some(delivery) => (delivery.payload.clone(), delivery.properties.clone()),
        None => (serde_json::to_vec(&wanted.submission).unwrap_or_default().into(), Properties::default()),
    })
}
