//! The schedules of a workflow are to rest, or to go on.

use std::sync::Arc;

use millrace_domain::WorkflowId;
use millrace_domain::message::Reply;
use millrace_store::WorkflowDelta;

use super::apply::plan_fires;
use crate::partition::answer::unknown_workflow;
use crate::partition::turn::Turn;

/// Lets the schedules of a workflow rest, or go on. What falls due while they rest is missed.
pub(crate) fn handle(turn: &mut Turn<'_>, name: &WorkflowId, paused: bool) -> Reply {
    let Some(entry) = turn.memory.workflows.get(name) else { return unknown_workflow(name) };
    let unchanged = entry.head.paused == paused;
    if !unchanged {
        entry.head.paused = paused;
        let workflow = Arc::clone(&entry.workflow);
        plan_fires(&mut entry.head, None, &workflow, turn.draft, turn.now);
        turn.draft.workflows.push(WorkflowDelta::Head { workflow: name.clone(), head: entry.head.record() });
    }
    Reply::Workflow { workflow: name.clone(), version: entry.head.version, unchanged }
}
