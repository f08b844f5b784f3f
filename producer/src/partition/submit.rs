//! From a submission to a run.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use millrace_broker::{Delivery, Properties};
use millrace_domain::definition::{self, Params, Workflow};
use millrace_domain::expression::Fire;
use millrace_domain::message::Reply;
use millrace_domain::run::{Head, Source, Spec, Trigger, create as create_run};
use millrace_domain::submission::Submission;
use millrace_domain::{PartitionId, RunId, Timestamp, WorkflowName};
use millrace_store::NewRun;

use super::actor::{Actor, Drafts};
use super::batch::unknown_workflow;
use super::mailbox::{Submit, What, Work, refusal};
use super::replan::Planned;
use super::store_full;
use crate::definitions::WorkflowHead;

/// Stored workflows that a batch needs: what they are now.
#[derive(Default)]
pub(crate) struct Loaded {
    current: HashMap<WorkflowName, (WorkflowHead, Arc<Workflow>)>,
}

/// Loads the workflows that a batch needs, in one trip for those that runs are wanted of, and in one for those that
/// are to change or to fire. `None` when the store does not answer.
pub(super) async fn load(actor: &mut Actor, placed: &[(PartitionId, Work)]) -> Option<Loaded> {
    let (mut started, mut at_home) = (BTreeSet::new(), Vec::new());
    for (partition, work) in placed {
        match &work.what {
            What::Submit(wanted) | What::Restore(wanted) => {
                started.extend(wanted.submission.workflow.clone());
            }
            What::Apply(apply) => at_home.push((*partition, apply.workflow.name.clone())),
            What::Pause(name, _) | What::Delete(name) | What::Fire(name, ..) => {
                at_home.push((*partition, name.clone()));
            }
            What::Replan(_, Planned::Workflows(names)) => {
                at_home.extend(names.iter().map(|name| (*partition, name.clone())));
            }
            _ => {}
        }
    }
    let context = &actor.context;
    let current = context.definitions.current(&*context.store, context.partitions, started).await;
    let loaded = actor.workflows.load(context, at_home).await;
    match (current, loaded) {
        (Ok(current), Ok(())) => Some(Loaded { current }),
        (Err(error), _) | (_, Err(error)) => {
            tracing::warn!(%error, "workflows cannot be loaded");
            None
        }
    }
}

/// A run that is to be created, whatever asked for it.
pub(super) struct Wanted {
    pub(super) id: RunId,
    pub(super) keyed: bool,
    pub(super) workflow: Arc<Workflow>,
    pub(super) spec: Spec,
    pub(super) head: Head,
}

/// What became of a submission.
pub(super) enum Created {
    /// Its run is drafted.
    New(RunId),
    /// There is one already.
    Known(RunId),
    /// It cannot be done; what was asked for.
    Refused(Reply, Box<Submit>),
}

/// Creates the run of a submission in `partition`. Refused, it drafts nothing.
pub(super) fn create(
    actor: &mut Actor,
    partition: PartitionId,
    wanted: Box<Submit>,
    loaded: &Loaded,
    drafts: &mut Drafts,
    now: Timestamp,
) -> Created {
    let id = wanted.run.unwrap_or_else(|| RunId::new(actor.context.options.ambient.ordered_id(), partition));
    if actor.runs.has(id) || drafts.get(&partition).is_some_and(|draft| draft.creates(id)) {
        return Created::Known(id);
    }
    if let Some(why) = actor.context.backpressure.why_stopped() {
        return Created::Refused(store_full::store_full(&why), wanted);
    }
    match plan(&wanted.submission, loaded, now) {
        Err(reply) => Created::Refused(reply, wanted),
        Ok(plan) => {
            let wanted = plan.wanted(*wanted, id, now);
            draft(actor, partition, wanted, drafts, now);
            Created::New(id)
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
    let text = definition.len();
    let new = NewRun { created_at: now, workflow: head.workflow.clone(), keyed, definition };
    let (run, advanced) = create_run(id, workflow, Arc::new(spec), head, now);
    if let Some(draft) = actor.draft(drafts, partition) {
        draft.create(id, new);
        draft.take(id, advanced, now, retention);
        actor.runs.insert(run, text);
    }
}

/// What a submission asks for, checked.
struct Plan {
    workflow: Arc<Workflow>,
    /// Absent for an ad-hoc task: the submission itself is the source.
    source: Option<Source>,
    params: Params,
    base_dir: Option<String>,
    version: Option<u32>,
    start_at: Option<Timestamp>,
}

fn plan(submission: &Submission, loaded: &Loaded, now: Timestamp) -> Result<Plan, Reply> {
    let start_at = submission.start_at(now).map_err(|e| refusal(e.code, e.message))?;
    let scheduled_at = start_at.unwrap_or(now);
    if let Some(name) = &submission.workflow {
        let Some((head, workflow)) = loaded.current.get(name) else { return Err(unknown_workflow(name)) };
        return Ok(Plan {
            params: checked_params(workflow, &submission.params, scheduled_at)?,
            workflow: Arc::clone(workflow),
            source: Some(Source::Stored { workflow: name.clone(), version: head.version }),
            base_dir: head.base_dir.clone(),
            version: Some(head.version),
            start_at,
        });
    }
    if let Some(source) = &submission.definition {
        let workflow = Arc::new(inline(source)?);
        return Ok(Plan {
            params: checked_params(&workflow, &submission.params, scheduled_at)?,
            workflow,
            source: Some(Source::Inline(source.clone())),
            base_dir: submission.base_dir.clone(),
            version: None,
            start_at,
        });
    }
    let workflow = submission.to_workflow().map_err(|e| refusal(e.code, e.message))?;
    let params = submission.params.clone();
    Ok(Plan { workflow: Arc::new(workflow), source: None, params, base_dir: None, version: None, start_at })
}

impl Plan {
    /// The run that follows from it.
    fn wanted(self, wanted: Submit, id: RunId, now: Timestamp) -> Wanted {
        let Self { workflow, source, params, base_dir, version, start_at } = self;
        let Submit { submission, trigger, digest, run } = wanted;
        let keyed = run.is_some();
        let labels = if submission.labels.is_empty() { &workflow.labels } else { &submission.labels };
        let head = Head {
            start_at,
            delayed: submission.delay.is_some(),
            labels: labels.clone(),
            digest: digest.filter(|_| keyed),
            ..Head::new(workflow.name.clone(), version, now)
        };
        let spec = Spec {
            v: 1,
            params,
            scheduled_at: start_at.unwrap_or(now),
            priority: submission.priority.unwrap_or(workflow.priority),
            trigger,
            traceparent: submission.traceparent.clone(),
            base_dir,
            source: source.unwrap_or_else(|| Source::Adhoc(Box::new(submission))),
        };
        Wanted { id, keyed, workflow, spec, head }
    }
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
pub(super) fn rejected(wanted: &Submit, delivery: Option<&Delivery>) -> Option<(Bytes, Properties)> {
    if wanted.trigger != Trigger::Message {
        return None;
    }
    Some(match delivery {
        Some(delivery) => (delivery.payload.clone(), delivery.properties.clone()),
        None => (serde_json::to_vec(&wanted.submission).unwrap_or_default().into(), Properties::default()),
    })
}
