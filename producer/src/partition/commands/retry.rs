//! A run that has ended is to go on from where it failed: as another run, its continuation, in the same partition. The one commit that
//! creates it copies what had succeeded, and notes it in the run that it goes on with, so that a request which comes again
//! finds it.

use std::sync::Arc;

use millrace_domain::message::Reply;
use millrace_domain::run::continuation::NOTHING;
use millrace_domain::run::{Advanced, Continuation, Head, Run, RunState, Spec, Trigger};
use millrace_domain::{Code, RunId};

use crate::failpoint;
use crate::partition::answer::{newer_version, refusal, store_full};
use crate::partition::turn::{Turn, Wanted};

/// A continuation that is wanted.
pub(crate) struct Retry {
    /// The run that has ended.
    pub(crate) run: RunId,
    /// The id of the request.
    pub(crate) id: String,
    pub(crate) by: String,
    pub(crate) why: String,
    /// The last continuation of the run, once that is known and was looked for.
    pub(crate) last: Option<RunId>,
}

/// The fate of a continuation that is wanted.
pub(crate) enum Retried {
    /// The continuation is in the draft.
    New(RunId),
    /// The request has brought about this one before.
    Known(RunId),
    /// There is to be none.
    Refused(Reply),
    /// More has to be read before.
    Later(Box<Retry>),
    /// The run is one that only a newer version can read.
    Kept,
}

/// Creates the continuation of a run. Refused, it changes nothing.
pub(crate) fn handle(turn: &mut Turn<'_>, mut retry: Box<Retry>) -> Retried {
    let (id, is_unguarded) = (retry.run, failpoint::is_removed("retry"));
    if turn.loaded.foreign.contains_key(&id) {
        return Retried::Kept;
    }
    // Whether it is created is not known before its commit holds.
    if turn.draft.creates(id) {
        return Retried::Later(retry);
    }
    let Some(run) = turn.memory.runs.get(id) else {
        return Retried::Refused(refusal(Code::NotFound, format!("there is no run {id}")));
    };
    if let Some(known) = run.continued_by(&retry.id).filter(|_| !is_unguarded) {
        return Retried::Known(known);
    }
    if let Err(why) = run.can_be_continued() {
        return Retried::Refused(refusal(Code::WrongState, why));
    }
    let last = run.continued_last();
    if last != retry.last {
        retry.last = last;
        return Retried::Later(retry);
    }
    if let Some(last) = last.filter(|_| !is_unguarded) {
        if let Some(why) = turn.loaded.foreign.get(&last) {
            return Retried::Refused(newer_version(&format!("its continuation {last}: {why}")));
        }
        // One that is forgotten is over.
        if let Some(Err(why)) = turn.memory.runs.get(last).map(|last| is_over(id, last)) {
            return Retried::Refused(refusal(Code::WrongState, why));
        }
    }
    if let Some(why) = turn.context.backpressure.why_stopped() {
        return Retried::Refused(store_full(&why));
    }
    create(turn, retry)
}

/// Whether the last continuation of `run` leaves room for another one.
fn is_over(run: RunId, last: &Run) -> Result<(), String> {
    let (id, state) = (last.id, last.head.state);
    match state {
        RunState::Waiting | RunState::Running => Err(format!(
            "run {run} was retried as run {id}, which is under way ({}): wait for its end",
            state.as_str()
        )),
        RunState::Succeeded => {
            Err(format!("run {run} was retried as run {id}, which has succeeded: {NOTHING}"))
        }
        RunState::Failed | RunState::TimedOut | RunState::Cancelled | RunState::Skipped => Ok(()),
    }
}

fn create(turn: &mut Turn<'_>, retry: Box<Retry>) -> Retried {
    let now = turn.now;
    let Some(run) = turn.memory.runs.get(retry.run) else { return Retried::Later(retry) };
    let mut carried = run.carried_over(now);
    // A step has ended since what is kept apart was read.
    if carried.iter().any(|(step, end)| end.is_apart() && !turn.loaded.carried.contains_key(&(run.id, *step)))
    {
        return Retried::Later(retry);
    }
    let kept = |step| turn.loaded.carried.get(&(retry.run, step));
    // Without its outputs, it is as if it had not run.
    carried.retain(|(step, _)| kept(*step).is_none_or(|kept| kept.is_whole));
    let apart: Vec<_> = carried.iter().filter_map(|(step, _)| Some((*step, kept(*step)?.clone()))).collect();

    let (n, id) = run.next_continuation();
    let Retry { run: of, id: request, by, why, .. } = *retry;
    let head = Head {
        labels: run.head.labels.clone(),
        retry_of: Some(Box::new(run.retry_of(&by, &why))),
        ..Head::new(run.head.workflow.clone(), run.head.version, now)
    };
    let spec = Spec { trigger: Trigger::Api, ..Spec::clone(&run.spec) };
    let workflow = Arc::clone(&run.workflow);
    run.note_continuation(Continuation { n, run: id, request, at: now, by, why });
    turn.take(of, Advanced { head: true, ..Advanced::default() });
    turn.create(Wanted { id, keyed: false, workflow, spec, head, carried, stopped: None });
    for (step, kept) in apart {
        turn.draft.keep_apart(id, kept.apart.map(|apart| (step, apart)), kept.items);
        turn.memory.runs.note_apart();
    }
    Retried::New(id)
}
