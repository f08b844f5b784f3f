//! Tasks of runs that are not stored. A store that failed over to a replica, or was emptied, may have lost the commit
//! that created the run, after its task was published: then the run is created again, as far as the task tells what it
//! was. What is not of a lost commit is a late copy, of a run that was forgotten. Nothing is dropped uncounted. A task that
//! a worker cannot read, since it is of a newer version, comes here as well.

use millrace_domain::Code;
use millrace_domain::message::ReplyError;
use millrace_domain::run::Trigger;
use millrace_domain::submission::Submission;
use millrace_domain::task::Task;
use millrace_store::StoreError;

use crate::context::Context;
use crate::partition::commands::submit::Submit;

/// The fate of a task whose run is not stored.
pub(crate) enum Fate {
    /// Nothing: its run is there, or was forgotten.
    Drop,
    /// The run of the task is created again.
    Restore(Box<Submit>),
    /// The task is put away: nobody can tell what its run was, or it must not run again.
    Reject(ReplyError),
}

/// Judges one. `ran` says that it was carried out already, and its outcome could not be stored; `unread` that a worker of
/// an older version has got it.
pub(crate) async fn judge(
    context: &Context,
    task: &Task,
    ran: bool,
    unread: bool,
) -> Result<Fate, StoreError> {
    let (run, workflow) = (task.run, &task.workflow);
    if context.store.load_runs(&[run]).await?.into_iter().any(|run| run.is_some()) {
        if unread {
            // Nobody has claimed it: the watch publishes it again, until a worker gets it that can read it.
            tracing::debug!(task = %task.id(), "a worker of an older version cannot read this task");
            return Ok(Fate::Drop);
        }
        // Another copy may have brought it back. Or the worker does not look into our store.
        tracing::warn!(%run, %workflow, "a worker does not find this run, and it is here; if this is said again and \
            again, a worker has another MILLRACE_REDIS_URL than this producer");
        dropped("found-run");
        return Ok(Fate::Drop);
    }
    if !context.store.is_lost(run.partition(), task.epoch, task.seq).await? {
        tracing::info!(%run, %workflow, "a late copy of a task, of a run that was forgotten");
        dropped("forgotten-run");
        return Ok(Fate::Drop);
    }
    tracing::warn!(%run, %workflow, "the store has lost this run: a task of it was found");
    metrics::counter!("millrace_orphans_total").increment(1);
    let may_run = !(ran && task.at_most_once);
    if workflow.is_adhoc() && task.attempt == 1 && may_run {
        let submission = Submission::of_task(task);
        let submit = Submit { submission, run: Some(run), trigger: Trigger::Message, digest: None };
        return Ok(Fate::Restore(Box::new(submit)));
    }
    let advice = match may_run {
        true => "start it again",
        false => "it has run, and at most once is what was asked for: see whether it did its work",
    };
    let message = format!(
        "the store has lost run {run} of {workflow} (its commit {} of epoch {}); {advice}",
        task.seq.0, task.epoch.0
    );
    Ok(Fate::Reject(ReplyError::new(Code::LostRun, message)))
}

/// Counts a task that goes nowhere, and why.
fn dropped(why: &'static str) {
    metrics::counter!("millrace_dropped_total", "what" => "task", "why" => why).increment(1);
}
