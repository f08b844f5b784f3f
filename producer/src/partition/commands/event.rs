//! Something happened to a run: a timer went off, an attempt ended or was lost, somebody wants it stopped.

use std::panic::{AssertUnwindSafe, catch_unwind};

use millrace_domain::lock::{Asker, LockName, Need};
use millrace_domain::message::{InboxBody, Reply};
use millrace_domain::run::history::advance_noting;
use millrace_domain::run::{Deed, Event, Paused, Refusal, Run};
use millrace_domain::task::TaskResult;
use millrace_domain::{Code, RunId, TaskId};
use millrace_store::Timer;

use crate::failpoint;
use crate::partition::answer::refusal;
use crate::partition::draft::Draft;
use crate::partition::turn::Turn;

/// The event broke its run: the rules panicked on it.
pub(crate) struct Broke;

/// The fate of an event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Applied {
    /// The event holds once the commit does, or has no effect.
    Done,
    /// Somebody wants to do what cannot be done: they are told why.
    Refused(Reply),
    /// The run is one that only a newer version can read: the event has to be kept for that.
    Kept,
}

/// Advances a run by an event. An event that its run refuses changes nothing.
pub(crate) fn apply(turn: &mut Turn<'_>, id: RunId, event: &Event) -> Result<Applied, Broke> {
    let now = turn.now;
    if turn.loaded.foreign.contains_key(&id) {
        keep(turn.draft, id, event);
        return Ok(Applied::Kept);
    }
    let stale_timer = match event {
        Event::StartDue => Some(Timer::Start(id)),
        Event::RetryDue { unit } => Some(Timer::Retry(id, *unit)),
        Event::TimedOut => Some(Timer::RunTimeout(id)),
        Event::CancelCheckDue => Some(Timer::CancelCheck(id)),
        _ => None,
    };
    let run = turn.memory.runs.get(id);
    if let (Some(run), Event::Result(result)) = (&run, event) {
        turn.dispatcher.note_result(run, result, now);
    }
    let outcome = run.map(|run| {
        catch_unwind(AssertUnwindSafe(|| {
            failpoint::pass("advance");
            let hidden = hide_pause(run, event);
            let advanced = advance_noting(run, event, now);
            run.head.paused = run.head.paused.take().or(hidden);
            advanced
        }))
    });
    // What an item gave is not kept in memory.
    if let (
        Some(Ok(Ok(_))),
        Event::Result(result @ TaskResult { item: None, .. })
        | Event::ChildEnded(result @ TaskResult { item: None, .. }),
    ) = (&outcome, event)
    {
        turn.memory.runs.note_outputs(&result.outputs);
    }
    if let (Some(Ok(Ok(_))), Event::ChildEnded(result)) = (&outcome, event) {
        metrics::counter!("millrace_child_runs_total", "outcome" => result.outcome.as_str()).increment(1);
    }
    if let (Some(Ok(Ok(_))), Event::Act(act)) = (&outcome, event)
        && let (None, Deed::Succeed { outputs } | Deed::Supply { values: outputs }) =
            (act.unit.item, &act.deed)
    {
        turn.memory.runs.note_outputs(outputs);
    }
    if let Some(Err(_)) = outcome {
        tracing::error!(run = %id, ?event, "an event broke the run");
        return Err(Broke);
    }
    // A timer that went off is cleared, unless the advance sets it again.
    match stale_timer {
        Some(timer) if outcome.is_some() => turn.draft.delta(id).cleared.push(timer),
        Some(timer) => turn.draft.cleared.push(timer),
        None => {}
    }
    match outcome {
        None => {
            unknown_run(id, event);
            refuse_grant(turn, id, event);
            if let Event::Act(_) | Event::RunAct(_) = event {
                return Ok(Applied::Refused(refusal(Code::NotFound, format!("there is no run {id}"))));
            }
        }
        Some(Ok(Ok((advanced, entry)))) => {
            if !advanced.apart.is_empty() {
                turn.memory.runs.note_apart();
            }
            turn.take(id, advanced);
            if let Some(entry) = entry {
                turn.draft.note(id, &entry);
            }
        }
        Some(Ok(Err(refused))) => {
            tracing::debug!(run = %id, %refused, "an event without effect");
            retire_stale(turn.draft, id, event);
            refuse_grant(turn, id, event);
            let run = turn.memory.runs.get(id);
            let why = run.and_then(|run| match event {
                Event::Act(act) => Some(run.why_refused(act, &refused)),
                Event::RunAct(act) => Some(run.why_run_act_refused(act, &refused)),
                _ => None,
            });
            if let Some(why) = why {
                let code = match refused {
                    Refusal::AnotherAct(_) => Code::KeyConflict,
                    _ => Code::WrongState,
                };
                return Ok(Applied::Refused(refusal(code, why)));
            }
        }
        Some(Err(_)) => {}
    }
    Ok(Applied::Done)
}

/// Hides from the rules that a run is paused, where that guard is taken away for the test of the auditor.
fn hide_pause(run: &mut Run, event: &Event) -> Option<Box<Paused>> {
    let is_hidden =
        run.head.paused.is_some() && !matches!(event, Event::RunAct(_)) && failpoint::is_removed("pause");
    is_hidden.then(|| run.head.paused.take()).flatten()
}

/// Keeps an event of a run that cannot be read here. A timer stays set in the store, and comes up with the next owner.
/// What is stored of an attempt stays too: the watch need not look at it every second.
fn keep(draft: &mut Draft, run: RunId, event: &Event) {
    let (unit, attempt) = match event {
        Event::Result(result) => (result.id().unit, result.attempt),
        Event::Lost { unit, attempt, .. } | Event::Revoked { unit, attempt, .. } => (*unit, *attempt),
        _ => return,
    };
    draft.then.kept.push(TaskId { run, unit, attempt });
}

/// Something happened to a run that is not stored. What a task has brought about may be in no other place.
fn unknown_run(run: RunId, event: &Event) {
    let Event::Result(result) = event else {
        return tracing::debug!(%run, "an event for a run that is not there");
    };
    let (step, attempt, outcome) = (result.step.0, result.attempt, result.outcome);
    tracing::warn!(%run, step, attempt, %outcome, "a result is dropped: its run is not stored (any more)");
    metrics::counter!("millrace_dropped_total", "what" => "result", "why" => "unknown-run").increment(1);
}

/// A grant that is not wanted (any more) is given back: nobody else would.
fn refuse_grant(turn: &mut Turn<'_>, run: RunId, event: &Event) {
    let (asker, name) = match event {
        Event::Granted { unit, attempt, locks, .. } => {
            let is_rate = locks.first().is_some_and(|name| name.rate().is_some());
            let need = if is_rate { Need::Rate } else { Need::Locks };
            (Asker::of_task(TaskId { run, unit: *unit, attempt: *attempt }, need), locks.first())
        }
        Event::SlotGranted { slots } | Event::Displaced { slots, .. } => (Asker::of_run(run), Some(slots)),
        _ => return,
    };
    let Some(group) = name.map(LockName::group).filter(|_| !failpoint::is_removed("lock-grant")) else {
        return;
    };
    let home = group.home(turn.context.partitions);
    turn.draft.send(None, home, &InboxBody::ReleaseLocks { asker, group, used: None }, turn.now);
}

/// A result that came too late leaves nothing behind in the store.
fn retire_stale(draft: &mut Draft, run: RunId, event: &Event) {
    if let Event::Result(result) = event {
        draft.delta(run).retired.push((result.id().unit, result.attempt));
    }
}
