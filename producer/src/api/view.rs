//! How a run looks from outside.

use std::collections::BTreeMap;
use std::sync::Arc;

use millrace_domain::definition::{Params, nearest};
use millrace_domain::run::{Blocker, ItemCounts, Mover, Run, RunState, RunTimer, Spec, StepState, Trigger};
use millrace_domain::{Code, Hook, RunId, SessionId, StepIndex, Timestamp, Unit};
use millrace_store::{StoredRun, TaskRecord};
use serde::Serialize;
use serde_json::{Map, Value};

use super::error::{ApiError, ApiResult};
use super::parent::{ParentView, child_of};
use super::pools::Served;
pub(crate) use super::summary::{RunSummaryView, reason, summary};
use crate::context::Context;

/// A run with its steps.
#[derive(Debug, Serialize)]
pub(crate) struct RunView {
    #[serde(flatten)]
    pub(super) summary: RunSummaryView,
    #[serde(flatten)]
    pub(super) asked: Option<AskedView>,
    /// The step of another run that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<ParentView>,
    /// What the run hands on, once it has succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outputs: Option<Map<String, Value>>,
    pub(super) steps: Vec<StepView>,
}

/// The request that a run stands for.
#[derive(Debug, Serialize)]
pub(crate) struct AskedView {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    params: Params,
    trigger: Trigger,
    priority: String,
    scheduled_at: String,
}

/// A step of a run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct StepView {
    name: String,
    /// waiting, queued, running, asking, succeeded, failed, timed_out, cancelled, skipped.
    pub(super) state: String,
    /// The current or last attempt; 0 when there was none.
    attempt: u32,
    #[serde(skip_serializing_if = "is_zero")]
    lost: u32,
    depends_on: Vec<String>,
    /// What it is the hook of: `on_failure of <step>`, or `on_failure` of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    hook: Option<String>,
    pool: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i32>,
    /// Why it stands where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<String>,
    /// The run in which it had ended, of which this one is a continuation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) carried_from: Option<RunId>,
    /// Who has said that it ended so.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    outputs: Map<String, Value>,
    /// The bytes (JSON) of outputs that are large: they are not shown here.
    #[serde(skip_serializing_if = "Option::is_none")]
    outputs_bytes: Option<u64>,
    /// The run that the last attempt is, where the step runs another workflow.
    #[serde(skip_serializing_if = "Option::is_none")]
    child: Option<RunId>,
    /// The items of a step that has fanned out, by how they stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    items: Option<ItemsView>,
}

/// The counts of a step's items.
#[derive(Debug, Serialize)]
struct ItemsView {
    total: u32,
    /// Those that have not begun.
    waiting: u32,
    /// Those that were skipped, and once the step has ended those that never began: they were given up.
    skipped: u32,
    /// Those that are with the fleet, or wait for their next attempt.
    open: u32,
    succeeded: u32,
    failed: u32,
    cancelled: u32,
}

impl ItemsView {
    fn of(counts: &ItemCounts, has_ended: bool) -> Self {
        let ItemCounts { total, begun, succeeded, failed, cancelled, skipped } = *counts;
        let (left, open) = (total.saturating_sub(begun), begun.saturating_sub(counts.ended()));
        let (waiting, skipped) = if has_ended { (0, skipped + left) } else { (left, skipped) };
        Self { total, waiting, skipped, open, succeeded, failed, cancelled }
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A stored run, restored; a text when it cannot be read.
pub(super) async fn restored(context: &Context, id: RunId, stored: &StoredRun) -> Result<Run, String> {
    let spec: Spec = serde_json::from_str(&stored.definition).map_err(|e| e.to_string())?;
    let workflow = context.definitions.of_spec(&*context.store, context.partitions, &spec).await;
    let workflow = workflow.map_err(|e| e.to_string())?;
    Run::restore(id, workflow, Arc::new(spec), &stored.head, &stored.steps, &stored.attempts())
        .map_err(|e| e.to_string())
}

/// A stored run as it is seen from outside; a text when it cannot be read.
pub(crate) async fn run(context: &Context, id: RunId, stored: &StoredRun) -> Result<RunView, String> {
    let run = restored(context, id, stored).await?;
    let held: BTreeMap<Unit, (u32, &TaskRecord)> =
        stored.tasks.iter().map(|(unit, attempt, record)| (*unit, (*attempt, record))).collect();
    let is_with_the_fleet = run.dispatched().next().is_some();
    let sessions =
        if is_with_the_fleet { context.store.sessions().await.unwrap_or_default() } else { Vec::new() };
    let paused =
        if is_with_the_fleet { context.store.paused_pools().await.unwrap_or_default() } else { Vec::new() };
    let hosts: BTreeMap<SessionId, String> =
        sessions.iter().map(|session| (session.id, session.host.clone())).collect();
    let fleet = Fleet { hosts, served: Served::by(sessions, paused) };
    let steps = (0..run.steps.len())
        .map(|index| {
            step(&run, index.into(), held.get(&StepIndex::from(index).into()), &fleet, context.partitions)
        })
        .collect();
    let asked = AskedView {
        params: run.spec.params.clone(),
        trigger: run.spec.trigger,
        priority: run.priority().to_string(),
        scheduled_at: run.spec.scheduled_at.to_string(),
    };
    let mut head = run.head;
    let parent = head.parent.as_deref().map(ParentView::of);
    let outputs = head.outputs.take().filter(|_| head.state == RunState::Succeeded);
    Ok(RunView { summary: summary(id, head), asked: Some(asked), parent, outputs, steps })
}

/// The workers, as far as runs tell of them.
struct Fleet {
    hosts: BTreeMap<SessionId, String>,
    served: Served,
}

fn step(
    run: &Run,
    index: StepIndex,
    held: Option<&(u32, &TaskRecord)>,
    fleet: &Fleet,
    partitions: u16,
) -> StepView {
    let step = &run.workflow.steps[index.at()];
    let name = |index: &StepIndex| run.workflow.steps[index.at()].name.to_string();
    let dependencies = run.workflow.graph.dependencies(index);
    let view = StepView {
        child: child_of(run, index.into(), run.last_attempt(index.into()), partitions),
        name: step.name.to_string(),
        depends_on: dependencies.iter().map(name).collect(),
        hook: step.hook.map(|hook| match hook {
            Hook::Step(when, of) => format!("{when} of {}", name(&of)),
            Hook::Run(when) => when.to_string(),
        }),
        pool: step.pool.to_string(),
        ..StepView::default()
    };
    match &run.steps[index.at()] {
        StepState::Waiting => {
            let reason = match run.mover_of(index.into()) {
                Some(Mover::Timer(RunTimer::Start)) if run.head.state == RunState::Waiting => {
                    run.blockers(index.into(), Timestamp::default()).first().map(Blocker::words)
                }
                Some(Mover::Timer(RunTimer::Start)) => {
                    match run.blockers(index.into(), Timestamp::default()).into_iter().next() {
                        Some(Blocker::Time { what, .. }) => Some(what),
                        _ => None,
                    }
                }
                Some(Mover::Steps) => {
                    let open: Vec<_> = run.waits_for(index).map(|on| name(&on)).collect();
                    Some(format!("waits for {}", open.join(", ")))
                }
                Some(Mover::Resume) => why_held(run, index),
                Some(Mover::Timer(_) | Mover::Attempt { .. } | Mover::Items) | None => None,
            };
            StepView { state: "waiting".to_owned(), reason, ..view }
        }
        StepState::Backoff { attempts, .. } if run.head.paused.is_some() => StepView {
            state: "waiting".to_owned(),
            attempt: attempts.attempt,
            lost: attempts.lost,
            reason: why_held(run, index),
            ..view
        },
        StepState::Backoff { attempts, until, reason } if attempts.attempt == 0 => {
            let what = reason.as_deref().unwrap_or("it waits");
            StepView { state: "waiting".to_owned(), reason: Some(format!("{what}; until {until}")), ..view }
        }
        StepState::Backoff { attempts, until, reason } => {
            let why = reason.as_deref().unwrap_or("it did not succeed");
            StepView {
                state: "waiting".to_owned(),
                attempt: attempts.attempt,
                lost: attempts.lost,
                reason: Some(format!("attempt {}: {why}; the next is due at {until}", attempts.attempt)),
                ..view
            }
        }
        StepState::Asking { end, .. } => StepView {
            state: "asking".to_owned(),
            attempt: end.attempts.attempt,
            lost: end.attempts.lost,
            started_at: end.started_at.map(|at| at.to_string()),
            code: end.code,
            reason: run.blockers(index.into(), Timestamp::default()).first().map(Blocker::words),
            worker: Some(end.worker.clone()).filter(|worker| !worker.is_empty()),
            ..view
        },
        StepState::Locking { attempts, .. } => StepView {
            state: "blocked".to_owned(),
            attempt: attempts.attempt,
            lost: attempts.lost,
            reason: run.blockers(index.into(), Timestamp::default()).first().map(Blocker::words),
            ..view
        },
        StepState::Dispatched(attempts) => {
            let (attempt, record) =
                held.map_or((attempts.attempt, None), |(attempt, record)| (*attempt, Some(*record)));
            let view = StepView { attempt, lost: attempts.lost, ..view };
            match record {
                Some(TaskRecord::Claimed { session, claimed_at, .. }) => StepView {
                    state: "running".to_owned(),
                    started_at: Some(claimed_at.to_string()),
                    worker: fleet.hosts.get(session).cloned(),
                    ..view
                },
                Some(TaskRecord::Finished { .. }) => StepView { state: "running".to_owned(), ..view },
                _ => StepView {
                    state: "queued".to_owned(),
                    reason: Some(
                        fleet
                            .served
                            .why_not(step.pool.as_str())
                            .unwrap_or_else(|| format!("waits for a free worker of pool {}", step.pool)),
                    ),
                    ..view
                },
            }
        }
        StepState::Child { attempts, .. } => StepView {
            state: "running".to_owned(),
            attempt: attempts.attempt,
            started_at: Some(attempts.dispatched_at.to_string()),
            reason: run.blockers(index.into(), Timestamp::default()).first().map(Blocker::words),
            ..view
        },
        StepState::Fanned(fan) => {
            let blockers = run.blockers(index.into(), Timestamp::default());
            StepView {
                state: "running".to_owned(),
                started_at: Some(fan.fanned.began_at.to_string()),
                reason: blockers.first().map(Blocker::words),
                items: Some(ItemsView::of(&fan.fanned.counts, false)),
                ..view
            }
        }
        StepState::Ended(end) => StepView {
            items: end.items.as_deref().map(|counts| ItemsView::of(counts, true)),
            state: end.outcome.to_string(),
            carried_from: end.carried,
            attempt: end.attempts.attempt,
            lost: end.attempts.lost,
            started_at: end.started_at.map(|at| at.to_string()),
            ended_at: Some(end.ended_at.to_string()),
            code: end.code,
            reason: end
                .carried
                .map(|of| format!("carried over from run {of}"))
                .or_else(|| end.reason.clone()),
            worker: Some(end.worker.clone()).filter(|worker| !worker.is_empty()),
            by: end.by.clone().filter(|by| !by.is_empty()),
            outputs: end.outputs.clone(),
            outputs_bytes: Some(end.outputs_bytes).filter(|bytes| *bytes > 0),
            ..view
        },
    }
}

/// Why a step does not begin whose run is paused.
fn why_held(run: &Run, index: StepIndex) -> Option<String> {
    let blockers = run.blockers(index.into(), Timestamp::default());
    let words: Vec<String> = blockers.iter().map(Blocker::words).collect();
    (!words.is_empty()).then(|| words.join("; "))
}

/// A step of a run by its name: its place, and its last attempt. Of one that has items, each has its own.
pub(crate) fn step_of(view: &RunView, name: &str) -> Option<(StepIndex, u32)> {
    let place = view.steps.iter().position(|step| step.name == name)?;
    Some((place.into(), view.steps[place].attempt))
}

/// Answers that a run has no such step.
pub(super) fn no_such_step(run: &Run, name: &str) -> ApiError {
    let names = run.workflow.steps.iter().map(|step| step.name.as_str());
    let near = nearest(name, names).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
    ApiError::not_found(format!("step {name:?} in run {}{near}", run.id))
}

/// The id in a path.
pub(super) fn parse_id(text: &str) -> ApiResult<RunId> {
    text.parse().map_err(|_| ApiError::not_found(format!("run {text:?} (a run id is a UUID)")))
}

/// A stored run.
pub(super) async fn load(context: &Context, id: RunId) -> ApiResult<StoredRun> {
    if id.partition().0 >= context.partitions {
        return Err(ApiError::not_found(format!("run {id}")));
    }
    let stored = context.store.load_runs(&[id]).await?.pop().flatten();
    stored.ok_or_else(|| ApiError::not_found(format!("run {id}")))
}

/// Answers that what is stored cannot be read.
pub(super) fn unreadable(why: impl std::fmt::Display) -> ApiError {
    tracing::error!(%why, "what is stored cannot be read");
    ApiError::new(Code::Unreadable, format!("what is stored cannot be read: {why}"))
}
