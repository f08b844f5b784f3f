//! What is wanted of locks, and by whom.

use serde::{Deserialize, Serialize};

use super::{LockGroup, LockName, MAX_LOCKS};
use crate::{Priority, RunId, StepName, TaskId, Timestamp, Unit, WorkflowId};

/// What is wanted of one lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Want {
    /// The lock.
    pub lock: LockName,
    /// The number of slots that the lock has, as far as whoever asks is concerned.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub slots: u32,
    /// The number of slots that are wanted of them.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u32,
    /// Whether the lock is wanted together with others that share it: any number of those hold it, or one that does not
    /// share it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
}

/// An ask for locks of one group: all of them, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The attempt for which it is asked. One that follows it because it was lost goes on with what it had.
    #[serde(flatten)]
    pub task: TaskId,
    /// What is wanted: at least one lock, and each once.
    pub wants: Box<[Want]>,
    /// The priority. The more urgent is served first, and of those that are alike the older.
    pub priority: Priority,
    /// Since when it is wanted.
    pub since: Timestamp,
    /// The workflow of whoever asks.
    pub workflow: WorkflowId,
    /// The version of the workflow, where that is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The name of the step that asks. In JSON, `step` is its place, as in every attempt.
    #[serde(rename = "name")]
    pub step: StepName,
    /// The steps, or items, of other runs that wait for the run of this one, the outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub above: Vec<(RunId, Unit)>,
}

fn one() -> u32 {
    1
}

fn is_one(number: &u32) -> bool {
    *number == 1
}

impl Want {
    /// A lock that one may hold at a time.
    pub fn exclusive(lock: LockName) -> Self {
        Self { lock, slots: 1, weight: 1, shared: false }
    }
}

impl Ask {
    /// The group that the locks are in.
    pub fn group(&self) -> Option<LockGroup> {
        self.wants.first().map(|want| want.lock.group())
    }
}

/// The names of locks, in words: `lock db/primary`, `locks db/a and db/b`.
pub fn in_words<'n>(names: impl IntoIterator<Item = &'n LockName>) -> String {
    let names: Vec<&str> = names.into_iter().map(LockName::as_str).collect();
    match names.as_slice() {
        [] => "no lock".to_owned(),
        [one] => format!("lock {one}"),
        [first @ .., last] => format!("locks {} and {last}", first.join(", ")),
    }
}

/// How many slots a lock has, in words that follow its name.
pub(crate) fn size_in_words(shared: bool, slots: u32) -> String {
    match (shared, slots) {
        (true, _) => "is shared".to_owned(),
        (false, 1) => "has 1 slot".to_owned(),
        (false, slots) => format!("has {slots} slots"),
    }
}

/// Checks what is wanted together.
///
/// # Errors
/// A fragment that says what was expected.
pub(crate) fn check_wants(wants: &[Want]) -> Result<(), String> {
    if wants.len() > MAX_LOCKS {
        return Err(format!("{} locks: expected at most {MAX_LOCKS}", wants.len()));
    }
    for (place, want) in wants.iter().enumerate() {
        if wants[..place].iter().any(|other| other.lock == want.lock) {
            return Err(format!("lock {} is wanted twice", want.lock));
        }
        let (first, own) = (wants[0].lock.group_name(), want.lock.group_name());
        if first != own {
            return Err(format!(
                "locks of two groups, {first:?} and {own:?}: all locks of a step are of one group, so that it gets all of them or none; name both {first}/…"
            ));
        }
    }
    Ok(())
}
