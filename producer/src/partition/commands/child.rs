//! A run that is a step of another: its parent asks for its start, again after a while, or for its end. Each of them may
//! come twice, late, or in another order: the id of the run follows from the attempt that it is, so that there is one.

use std::sync::Arc;
use std::time::Duration;

use millrace_domain::definition::{Params, Workflow};
use millrace_domain::message::{InboxBody, Reply};
use millrace_domain::run::{ChildStart, Head, Source, Spec, Trigger};
use millrace_domain::task::TaskResult;
use millrace_domain::{Outcome, RunId, Timestamp};
use serde_json::{Map, Value};

use super::submit::checked_params;
use crate::failpoint;
use crate::partition::turn::{Turn, Wanted};
use crate::workflow_head::WorkflowHead;

/// How long a run of which only one may be is kept, at least: see [`millrace_store::NewRun::keyed`]. A start that is older,
/// and older than ended runs are kept, may be that of one which has ended and is forgotten.
const AT_LEAST_KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// What a parent wants of a child.
pub(crate) struct Order {
    /// The id of the child.
    pub(crate) child: RunId,
    pub(crate) start: ChildStart,
    pub(crate) wish: Wish,
}

/// The wish of a parent.
pub(crate) enum Wish {
    /// The child is to start.
    Start {
        /// Whether it may be there already, and even have ended.
        again: bool,
    },
    /// The child is to end, or never to begin.
    Stop {
        /// Why it is stopped.
        reason: String,
        /// Whether its hooks are to be stopped, too, where it is being stopped already.
        hooks: bool,
    },
}

impl Order {
    /// An order for the child that is the attempt of `start`.
    pub(crate) fn of(start: ChildStart, wish: Wish, partitions: u16) -> Self {
        Self { child: start.parent.attempt.child(partitions), start, wish }
    }

    /// Whether the run has to be read before: the commit does not tell of one that is there all that is wanted.
    pub(crate) fn needs_run(&self) -> bool {
        !matches!(self.wish, Wish::Start { again: false })
    }
}

/// The fate of an order.
pub(crate) enum Fate {
    /// The child is in the draft.
    New,
    /// The child is there already, or its parent is told why it cannot be.
    Done,
    /// The child is to be stopped, for this reason.
    Stop(String),
    /// The order waits for the verdict on the commit that is in the making, or for the child to be read.
    Later(Box<Order>),
    /// The child is one that only a newer version can read.
    Kept,
}

/// Carries an order out.
pub(crate) fn handle(turn: &mut Turn<'_>, order: Box<Order>) -> Fate {
    let id = order.child;
    if turn.loaded.foreign.contains_key(&id) {
        return Fate::Kept;
    }
    let Some(run) = turn.memory.runs.get(id) else { return create(turn, order) };
    let (told, waits) = (run.head.told_parent(), order.start.parent.waits);
    let (is_stopped, has_begun) = (run.head.stopping.is_some(), run.head.started_at.is_some());
    match &order.wish {
        // Whether it is created is not known before its commit holds.
        Wish::Stop { .. } if turn.draft.creates(id) => return Fate::Later(order),
        // A parent asks again until it is told of the end, which must not stop the hooks of the child.
        Wish::Stop { reason, hooks } if waits && told.is_none() && (*hooks || !is_stopped) => {
            return Fate::Stop(reason.clone());
        }
        // What its own commit tells is not told twice by it.
        Wish::Start { .. } if turn.draft.creates(id) => {}
        Wish::Start { .. } | Wish::Stop { .. } => {
            let never_was = is_stopped && !has_begun;
            let reason = run.head.reason.clone().filter(|_| never_was).unwrap_or_default();
            let now = turn.now;
            if let Some(told) = told.or_else(|| match never_was && !waits {
                true => Some(refused(&order, Outcome::Cancelled, reason, now)),
                false => started(&order, now),
            }) {
                tell(turn, None, told);
            }
        }
    }
    Fate::Done
}

/// Creates a child that is not there, or answers why it cannot be.
fn create(turn: &mut Turn<'_>, mut order: Box<Order>) -> Fate {
    let Order { child, start, wish } = &*order;
    if turn.context.backpressure.why_stopped().is_some() {
        return match wish {
            // It is asked for again.
            Wish::Start { .. } => Fate::Done,
            // What has begun goes on, and can be stopped.
            Wish::Stop { reason, .. } => refuse(turn, &order, Outcome::Cancelled, reason.clone()),
        };
    }
    let (head, workflow, params) = match callable(turn, start, wish) {
        Ok(called) => called,
        Err(why) => {
            return match &mut order.wish {
                // It may be there, and have been created before there was anything against it.
                Wish::Start { again } if !*again => {
                    *again = true;
                    Fate::Later(order)
                }
                Wish::Start { .. } => refuse(turn, &order, Outcome::Failed, why),
                Wish::Stop { reason, .. } => {
                    let reason = reason.clone();
                    refuse(turn, &order, Outcome::Cancelled, reason)
                }
            };
        }
    };
    let spec = Spec {
        v: Spec::VERSION,
        source: Source::Stored { workflow: start.workflow.clone(), version: head.version },
        params,
        scheduled_at: start.scheduled_at,
        priority: workflow.priority.min(start.priority),
        trigger: Trigger::Workflow,
        traceparent: start.traceparent.clone(),
        base_dir: head.base_dir,
    };
    let head = Head {
        labels: workflow.labels.clone(),
        parent: Some(Box::new(start.parent.clone())),
        ..Head::new(start.workflow.clone(), Some(head.version), turn.now)
    };
    let id = match failpoint::is_removed("child") {
        true => RunId::new(turn.context.options.ambient.ordered_id(), turn.partition),
        false => *child,
    };
    let stopped = match wish {
        Wish::Start { .. } => None,
        Wish::Stop { reason, .. } => Some(reason.clone()),
    };
    let told = started(&order, turn.now).map(|told| match &stopped {
        None => told,
        Some(reason) => refused(&order, Outcome::Cancelled, reason.clone(), turn.now),
    });
    turn.create(Wanted { id, keyed: true, workflow, spec, head, carried: Vec::new(), stopped });
    if let Some(told) = told {
        tell(turn, Some(id), told);
    }
    Fate::New
}

/// What a child is to run, and with which params. One that is not to begin needs none.
fn callable(
    turn: &Turn<'_>,
    start: &ChildStart,
    wish: &Wish,
) -> Result<(WorkflowHead, Arc<Workflow>, Params), String> {
    let name = &start.workflow;
    let kept = turn.context.options.retention.max(AT_LEAST_KEPT);
    if turn.now.since(start.began_at) > kept {
        return Err(format!("its run was asked for at {}, and may have ended since", start.began_at));
    }
    let Some(found) = turn.loaded.current.get(name) else {
        return Err(format!("there is no workflow {name}; `millrace workflows list` shows what there is"));
    };
    let (head, workflow) = found;
    let (above, most) = (start.recursions(), workflow.recursive as usize);
    if above > most {
        return Err(match most {
            0 => format!(
                "workflow {name} would run within a run of itself: it has to say how often, as in recursive: {{max: 5}}"
            ),
            _ => format!("{above} runs of workflow {name} are above this one, and it allows {most}"),
        });
    }
    let params = match wish {
        Wish::Stop { .. } => Params::new(),
        Wish::Start { .. } => {
            let checked = checked_params(workflow, &start.params, start.scheduled_at);
            checked.map_err(|refusal| format!("workflow {name}: {}", words_of(&refusal)))?
        }
    };
    Ok((head.clone(), Arc::clone(workflow), params))
}

fn words_of(refusal: &Reply) -> &str {
    match refusal {
        Reply::Error { error } => &error.message,
        _ => "it cannot start",
    }
}

/// The child will never be: its parent is told.
fn refuse(turn: &mut Turn<'_>, order: &Order, outcome: Outcome, reason: String) -> Fate {
    let told = refused(order, outcome, reason, turn.now);
    tell(turn, None, told);
    Fate::Done
}

/// What a parent is told of a child that has not begun.
fn refused(order: &Order, outcome: Outcome, reason: String, now: Timestamp) -> TaskResult {
    let told = order.start.parent.told(outcome);
    TaskResult { started_at: now, ended_at: now, reason: Some(reason), ..told }
}

/// What the parent of a child that is there is told, where it waits for nothing else.
fn started(order: &Order, now: Timestamp) -> Option<TaskResult> {
    let parent = Some(&order.start.parent).filter(|parent| !parent.waits)?;
    let outputs = Map::from_iter([("run_id".to_owned(), Value::String(order.child.to_string()))]);
    let (started_at, ended_at) = (order.start.began_at, now);
    Some(TaskResult { started_at, ended_at, outputs, ..parent.told(Outcome::Succeeded) })
}

/// Tells a parent what has become of its attempt; with the run `of`, if that is given.
fn tell(turn: &mut Turn<'_>, of: Option<RunId>, told: TaskResult) {
    let to = told.run.partition();
    turn.draft.send(of, to, &InboxBody::ChildEnded { result: Box::new(told) }, turn.now);
}
