//! The slot that a run has, or waits for, where its workflow allows only so many runs at a time.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::lock::LockName;

/// A slot of its workflow that a run has, or waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The name of the slots, which tells the key of the run.
    pub name: LockName,
    /// Since when it is wanted.
    pub since: Timestamp,
    /// When it was granted; `None` while the run waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_at: Option<Timestamp>,
}

/// How many runs may be under way at a time, in words.
pub(super) fn at_a_time(slots: &LockName, limit: u32) -> String {
    let runs = if limit == 1 { "1 run".to_owned() } else { format!("{limit} runs") };
    let (workflow, _) = slots.slots().unwrap_or_default();
    let key = slots.key_in_words().map(|key| format!(" with {key}")).unwrap_or_default();
    format!("{runs} of {workflow}{key} may be under way at a time")
}
