//! A workflow is to be forgotten.

use millrace_domain::WorkflowId;
use millrace_domain::message::Reply;
use millrace_store::{Timer, WorkflowDelta};

use crate::partition::answer::unknown_workflow;
use crate::partition::turn::Turn;

/// Forgets a workflow. Its runs go on with the version they have.
pub(crate) fn handle(turn: &mut Turn<'_>, name: &WorkflowId) -> Reply {
    let Some(entry) = turn.memory.workflows.get(name) else { return unknown_workflow(name) };
    for trigger in entry.head.triggers() {
        turn.draft.cleared.push(Timer::Fire(name.clone(), trigger));
    }
    entry.head.deleted = true;
    entry.head.applied_at = turn.now;
    entry.head.next.clear();
    turn.draft.workflows.push(WorkflowDelta::Unlist { workflow: name.clone(), head: entry.head.record() });
    Reply::Workflow { workflow: name.clone(), version: entry.head.version, unchanged: false }
}
