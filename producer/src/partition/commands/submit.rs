//! A run is wanted: of a stored workflow, of a definition that comes with the submission, or of an ad-hoc task.

use std::sync::Arc;

use bytes::Bytes;
use millrace_broker::{Delivery, Properties};
use millrace_domain::definition::{self, Params, Workflow};
use millrace_domain::expression::Fire;
use millrace_domain::message::Reply;
use millrace_domain::run::{Head, Source, Spec, Trigger};
use millrace_domain::submission::Submission;
use millrace_domain::{Code, RunId, Timestamp, WorkflowId};
use sha2::{Digest, Sha256};

use crate::partition::answer::{refusal, store_full, unknown_workflow};
use crate::partition::memory::load::Loaded;
use crate::partition::turn::{Turn, Wanted};

/// A run that is wanted.
pub(crate) struct Submit {
    pub(crate) submission: Submission,
    /// The id of its run, when a key decides it.
    pub(crate) run: Option<RunId>,
    pub(crate) trigger: Trigger,
    /// A digest of the body, for keyed submissions.
    pub(crate) digest: Option<String>,
}

/// The fate of a submission.
pub(crate) enum Created {
    /// The run of the submission is in the draft.
    New(RunId),
    /// The run is there already.
    Known(RunId),
    /// The submission is refused; what was asked for comes with the reply.
    Refused(Reply, Box<Submit>),
}

/// Creates the run of a submission. Refused, it changes nothing.
pub(crate) fn create(turn: &mut Turn<'_>, submit: Box<Submit>) -> Created {
    let id =
        submit.run.unwrap_or_else(|| RunId::new(turn.context.options.ambient.ordered_id(), turn.partition));
    if turn.memory.runs.has(id) || turn.draft.creates(id) {
        return Created::Known(id);
    }
    if let Some(why) = turn.context.backpressure.why_stopped() {
        return Created::Refused(store_full(&why), submit);
    }
    match plan(&submit.submission, turn.loaded, turn.now) {
        Err(reply) => Created::Refused(reply, submit),
        Ok(plan) => {
            let wanted = plan.wanted(*submit, id, turn.now);
            turn.create(wanted);
            Created::New(id)
        }
    }
}

impl Submit {
    /// A submission, with the run that its key decides and a digest of what it asks for.
    pub(crate) fn of(submission: Submission, trigger: Trigger, partitions: u16) -> Self {
        let Some(key) = &submission.idempotency_key else {
            return Self { submission, run: None, trigger, digest: None };
        };
        let adhoc = WorkflowId::adhoc();
        let scope = submission.workflow.as_ref().unwrap_or(&adhoc);
        let run = RunId::of_key(scope, key.as_str(), partitions);
        let digest = digest_of(&submission);
        Self { submission, run: Some(run), trigger, digest: Some(digest) }
    }

    /// The message for the rejected queue when a submission that came by message is refused.
    pub(crate) fn rejected(&self, delivery: Option<&Delivery>) -> Option<(Bytes, Properties)> {
        if self.trigger != Trigger::Message {
            return None;
        }
        Some(match delivery {
            Some(delivery) => (delivery.payload.clone(), delivery.properties.clone()),
            None => (serde_json::to_vec(&self.submission).unwrap_or_default().into(), Properties::default()),
        })
    }
}

/// A digest of what a submission asks for: a repeated request may be part of another trace.
pub(crate) fn digest_of(submission: &Submission) -> String {
    let asked = Submission { traceparent: None, ..submission.clone() };
    let bytes = serde_json::to_vec(&asked).unwrap_or_default();
    Sha256::digest(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The plan of a submission: what it asks for, checked.
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
    fn wanted(self, submit: Submit, id: RunId, now: Timestamp) -> Wanted {
        let Self { workflow, source, params, base_dir, version, start_at } = self;
        let Submit { submission, trigger, digest, run } = submit;
        let keyed = run.is_some();
        let labels = if submission.labels.is_empty() { &workflow.labels } else { &submission.labels };
        let head = Head {
            start_at,
            delayed: submission.delay.is_some(),
            labels: labels.clone(),
            digest: digest.filter(|_| keyed),
            ..Head::new(workflow.id.clone(), version, now)
        };
        let spec = Spec {
            v: Spec::VERSION,
            params,
            scheduled_at: start_at.unwrap_or(now),
            priority: submission.priority.unwrap_or(workflow.priority),
            trigger,
            traceparent: submission.traceparent.clone(),
            base_dir,
            source: source.unwrap_or_else(|| Source::Adhoc(Box::new(submission))),
        };
        Wanted { id, keyed, workflow, spec, head, carried: Vec::new(), stopped: None }
    }
}

/// A definition that came with the submission.
fn inline(source: &str) -> Result<Workflow, Reply> {
    let mut parsed = definition::parse(source, "definition")
        .map_err(|problems| refusal(Code::InvalidDefinition, problems.to_string()))?;
    match (parsed.pop(), parsed.is_empty()) {
        (Some(one), true) => Ok(one.workflow),
        _ => Err(refusal(Code::InvalidDefinition, "expected one workflow in a document of its own")),
    }
}

/// The params of a run, types checked and defaults filled in.
pub(crate) fn checked_params(
    workflow: &Workflow,
    given: &Params,
    scheduled_at: Timestamp,
) -> Result<Params, Reply> {
    let fire = Fire { time: scheduled_at, zone: &workflow.timezone };
    definition::check_params(&workflow.params, given, fire)
        .map_err(|problems| refusal(Code::InvalidParams, problems.join("; ")))
}
