//! How a run looks in a list.

use std::borrow::Cow;
use std::collections::BTreeMap;

use millrace_domain::run::{Head, Paused};
use millrace_domain::{RunId, Timestamp};
use millrace_store::PausedPool;
use serde::Serialize;

/// A run in a list.
#[derive(Debug, Serialize)]
pub(crate) struct RunSummaryView {
    #[serde(rename = "id")]
    pub(super) run: RunId,
    pub(super) workflow: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<u32>,
    pub(super) state: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// Who has paused it, why, and since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<PausedView>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ended_at: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, String>,
    /// The run of which this one is a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent_run_id: Option<RunId>,
    /// The run that this one goes on with, and the first of those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry_of: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) origin: Option<RunId>,
    /// The run that goes on with this one, the last of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retried_by: Option<RunId>,
}

/// A pause, of a run or of a pool.
#[derive(Debug, Serialize)]
pub(crate) struct PausedView {
    #[serde(skip_serializing_if = "String::is_empty")]
    by: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    why: String,
    at: String,
}

impl PausedView {
    pub(super) fn of_pool(paused: &PausedPool) -> Self {
        Self { by: paused.by.clone(), why: paused.why.clone(), at: paused.at.to_string() }
    }

    pub(super) fn of(paused: &Paused) -> Self {
        Self { by: paused.by.clone(), why: paused.why.clone(), at: paused.at.to_string() }
    }
}

/// The summary of a head.
pub(crate) fn summary(id: RunId, head: Head) -> RunSummaryView {
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    RunSummaryView {
        run: id,
        workflow: head.workflow.to_string(),
        version: head.version,
        state: head.state.as_str().into(),
        reason: reason(&head),
        paused: head.paused.as_deref().map(PausedView::of),
        created_at: head.created_at.to_string(),
        start_at: text(head.start_at),
        started_at: text(head.started_at),
        ended_at: text(head.ended_at),
        labels: head.labels,
        retry_of: head.retry_of.as_ref().map(|of| of.run),
        origin: head.retry_of.map(|of| of.origin),
        retried_by: head.continuations.last().map(|known| known.run),
        parent_run_id: head.parent.map(|parent| parent.attempt.run),
    }
}

/// Why a run stands where it stands: that it is paused comes first.
pub(crate) fn reason(head: &Head) -> Option<String> {
    match (&head.paused, &head.reason) {
        (Some(paused), Some(reason)) => Some(format!("{paused}; {reason}")),
        (Some(paused), None) => Some(paused.to_string()),
        (None, reason) => reason.clone(),
    }
}
