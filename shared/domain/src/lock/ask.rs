//! What is wanted of locks, and by whom.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Asker, AtLimit, Holder, LockGroup, LockName, MAX_LOCKS};
use crate::quantity::format_duration;
use crate::{Priority, StepName, Timestamp, WorkflowId};

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
    /// The period of a rate, in milliseconds: its slots come back so long after they were used, and not when they are given
    /// back. `None` for a lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_ms: Option<u64>,
}

/// An ask for locks of one group: all of them, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Who asks.
    #[serde(flatten)]
    pub asker: Asker,
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
    /// The name of the step that asks; `None` for a run as a whole. In JSON, `step` is its place, as in every attempt.
    #[serde(default, rename = "name", skip_serializing_if = "Option::is_none")]
    pub step: Option<StepName>,
    /// Those that wait for whoever asks, the outermost first: for a step, the steps or items of other runs that wait for its
    /// run; for a run, the runs that it is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub above: Vec<Holder>,
    /// What becomes of a run for which there is no slot; `None` for a step, which waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_limit: Option<AtLimit>,
}

/// How much there is of a lock or a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Size {
    pub(super) slots: u32,
    per_ms: Option<u64>,
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
        Self { lock, slots: 1, weight: 1, shared: false, per_ms: None }
    }

    /// A rate that allows so much in any period, of which `cost` is wanted.
    pub fn of_rate(lock: LockName, limit: u32, per: Duration, cost: u32) -> Self {
        let per_ms = Some(u64::try_from(per.as_millis()).unwrap_or(u64::MAX));
        Self { lock, slots: limit, weight: cost, shared: false, per_ms }
    }

    /// Whether it is a rate.
    pub fn is_rate(&self) -> bool {
        self.per_ms.is_some()
    }

    /// The period of a rate.
    pub fn per(&self) -> Duration {
        Duration::from_millis(self.per_ms.unwrap_or_default())
    }

    /// How much there is of it, which all that want it have to agree on.
    pub(super) fn size(&self) -> Size {
        Size { slots: self.slots, per_ms: self.per_ms }
    }

    /// The same of a lock of which there is so much.
    pub(super) fn of_size(&self, size: Size) -> Self {
        Self { slots: size.slots, per_ms: size.per_ms, ..self.clone() }
    }
}

impl Ask {
    /// The group that the locks are in.
    pub fn group(&self) -> Option<LockGroup> {
        self.wants.first().map(|want| want.lock.group())
    }

    /// Whoever asks, in words: `step load of etl`, `a run of etl`.
    pub(super) fn who(&self) -> String {
        match &self.step {
            Some(step) => format!("step {step} of {}", self.workflow),
            None => format!("a run of {}", self.workflow),
        }
    }
}

/// The names of locks, in words: `lock db/primary`, `locks db/a and db/b`.
pub fn in_words<'n>(names: impl IntoIterator<Item = &'n LockName>) -> String {
    let names: Vec<&LockName> = names.into_iter().collect();
    match names.as_slice() {
        [] => "no lock".to_owned(),
        [one] => one.in_words(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(|name| name.as_str()).collect();
            format!("locks {} and {last}", first.join(", "))
        }
    }
}

/// How much a rate allows, in words: `100 per 1m`.
pub(crate) fn rate_in_words(limit: u32, per: Duration) -> String {
    format!("{limit} per {}", format_duration(per))
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
