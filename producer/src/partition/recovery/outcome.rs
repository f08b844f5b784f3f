//! What was found about an attempt, told to the loop.

use millrace_domain::TaskId;
use millrace_domain::run::Event;
use millrace_domain::task::TaskResult;
use millrace_runtime::Unknown;
use tokio::sync::mpsc::UnboundedSender;

use crate::partition::command::Command;
use crate::partition::mailbox::{Input, Work};

/// Tells the loop of an outcome that was found in the store. `false` for one that a newer version has stored, in a form
/// that is not known here: it stays for an owner of that version.
pub(super) fn report(inner: &UnboundedSender<Input>, task: TaskId, result: &str) -> bool {
    match serde_json::from_str::<TaskResult>(result) {
        Ok(result) => {
            let _ = inner.send(Input::Work(Work::silent(Command::Event(task.run, Event::Result(result)))));
        }
        Err(error) if is_of(task, result) => {
            Unknown::Result.note(format_args!("the result of {task}: {error}"));
            return false;
        }
        Err(error) => {
            tracing::error!(%task, %error, "the stored result cannot be read; the attempt counts as lost");
            taken_back(inner, task, "its stored result cannot be read");
        }
    }
    true
}

/// Whether a result says that it is that of a task: that much is the same in all versions.
fn is_of(task: TaskId, result: &str) -> bool {
    serde_json::from_str::<TaskId>(result).is_ok_and(|of| of == task)
}

/// An attempt was taken back that nobody had claimed: it never began, and is not lost.
pub(super) fn never_begun(inner: &UnboundedSender<Input>, task: TaskId) {
    let TaskId { run, unit, attempt } = task;
    let event = Event::Revoked { unit, attempt, unclaimed: true };
    let _ = inner.send(Input::Work(Work::silent(Command::Event(run, event))));
}

/// An attempt was taken back. Of a run that is being stopped, it ends there; of any other, it is lost. One of
/// the two events applies, the other is refused.
pub(super) fn taken_back(inner: &UnboundedSender<Input>, task: TaskId, reason: &str) {
    let TaskId { run, unit, attempt } = task;
    let revoked = Event::Revoked { unit, attempt, unclaimed: false };
    let events = [revoked, Event::Lost { unit, attempt, reason: reason.to_owned() }];
    for event in events {
        let _ = inner.send(Input::Work(Work::silent(Command::Event(run, event))));
    }
}
