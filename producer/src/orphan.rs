//! Tasks of runs that are not stored. A store that failed over to a replica may have lost the commit that created
//! the run, after its task was published: then the run is created again, as far as the task tells what it was. What
//! is not of a lost commit is a late copy, of a run that was forgotten.

use millrace_domain::WorkflowName;
use millrace_domain::message::ReplyError;
use millrace_domain::run::Trigger;
use millrace_domain::submission::Submission;
use millrace_domain::task::Task;
use millrace_store::StoreError;

use crate::context::Context;
use crate::partition::mailbox::Submit;

/// What is to become of one.
pub(crate) enum Fate {
    /// Nothing: its run is there, or was forgotten.
    Drop,
    /// Its run is created again.
    Restore(Box<Submit>),
    /// Nobody can tell what its run was: it is put away.
    Reject(ReplyError),
}

/// Judges one.
pub(crate) async fn judge(context: &Context, task: &Task) -> Result<Fate, StoreError> {
    let is_stored = context.store.load_runs(&[task.run]).await?.into_iter().any(|run| run.is_some());
    if is_stored || !context.store.is_lost(task.run.partition(), task.epoch, task.seq).await? {
        return Ok(Fate::Drop);
    }
    tracing::warn!(run = %task.run, workflow = %task.workflow, "the store has lost this run: a task of it was found");
    metrics::counter!("millrace_orphans_total").increment(1);
    if task.workflow == WorkflowName::adhoc() && task.attempt == 1 {
        let submission = Submission::of_task(task);
        let submit = Submit { submission, run: Some(task.run), trigger: Trigger::Message, digest: None };
        return Ok(Fate::Restore(Box::new(submit)));
    }
    let message = format!(
        "the store has lost run {} of {} (its commit {} of epoch {}); start it again",
        task.run, task.workflow, task.seq.0, task.epoch.0
    );
    Ok(Fate::Reject(ReplyError::new("lost-run", message)))
}
