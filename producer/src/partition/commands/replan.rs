//! What was planned by a clock that was ahead is to be planned anew. Each plan is compared with how far ahead it can lie,
//! so it does not matter who made it.

use std::sync::Arc;

use millrace_domain::run::RunTimer;
use millrace_domain::{Timestamp, TriggerId, WorkflowId};
use millrace_store::{Timer, WorkflowDelta};

use crate::partition::turn::Turn;

/// A part of a partition that is to be planned anew.
pub(crate) enum Planned {
    /// Workflows with their schedules.
    Workflows(Vec<WorkflowId>),
    /// Timers of runs.
    Timers(Vec<(Timestamp, Timer)>),
}

/// Plans a part of a partition anew.
pub(crate) fn handle(turn: &mut Turn<'_>, planned: &Planned) {
    match planned {
        Planned::Workflows(names) => names.iter().for_each(|name| workflow(turn, name)),
        Planned::Timers(timers) => timers.iter().for_each(|(due, timer)| run_timer(turn, *due, timer)),
    }
}

/// Plans the fires of a workflow anew where an instant lies before the one that is next: that was planned by a clock that
/// was ahead. An instant that has fired then fires no second run, since its run is there already.
fn workflow(turn: &mut Turn<'_>, name: &WorkflowId) {
    let Some(entry) = turn.memory.workflows.get(name) else { return };
    if entry.head.paused {
        return;
    }
    let workflow = Arc::clone(&entry.workflow);
    let mut changed = Vec::new();
    let triggers: Vec<TriggerId> = entry.head.triggers().collect();
    for ((schedule, trigger), next) in workflow.schedules.iter().zip(triggers).zip(&mut entry.head.next) {
        if let Some(first) = schedule.next_after(turn.now)
            && next.is_none_or(|next| first < next)
        {
            *next = Some(first);
            changed.push((first, Timer::Fire(name.clone(), trigger)));
        }
    }
    if changed.is_empty() {
        return;
    }
    let head = entry.head.record();
    turn.draft.timers.extend(changed);
    turn.draft.workflows.push(WorkflowDelta::Head { workflow: name.clone(), head });
}

/// Brings a timer of a run forward that lies further ahead than it can.
fn run_timer(turn: &mut Turn<'_>, due: Timestamp, timer: &Timer) {
    let (id, of_run) = match timer {
        Timer::Start(run) => (*run, RunTimer::Start),
        Timer::Retry(run, unit) => (*run, RunTimer::Retry(*unit)),
        Timer::RunTimeout(run) => (*run, RunTimer::Timeout),
        Timer::CancelCheck(run) => (*run, RunTimer::CancelCheck),
        Timer::Fire(..) | Timer::Unknown(_) => return,
    };
    let horizon = turn.memory.runs.get(id).and_then(|run| run.horizon(of_run, turn.now));
    if let Some(horizon) = horizon.filter(|horizon| *horizon < due) {
        turn.draft.delta(id).timers.push((horizon, timer.clone()));
    }
}
