//! What a workflow wants to become of a run when it already has as many under way as it allows.

use serde::{Deserialize, Serialize};

/// What becomes of a run for which there is no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AtLimit {
    /// It waits for one.
    Queue {
        /// The number of runs that may wait; `None` where any number may.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_queued: Option<u32>,
        /// What becomes of one more.
        #[serde(default)]
        on_full: OnFull,
    },
    /// It is skipped.
    Skip,
    /// It takes the place of the oldest, which is cancelled: never of a run that waits for it.
    Replace,
    /// It fails.
    Fail,
}

/// What becomes of a run when as many wait as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFull {
    /// It fails.
    #[default]
    Reject,
    /// It waits, and the one that has waited longest is cancelled.
    DropOldest,
    /// It is skipped: one that waits already stands for both.
    Merge,
}

impl Default for AtLimit {
    fn default() -> Self {
        Self::Queue { max_queued: None, on_full: OnFull::Reject }
    }
}

impl AtLimit {
    /// The word for the policy in definitions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queue { .. } => "queue",
            Self::Skip => "skip",
            Self::Replace => "replace",
            Self::Fail => "fail",
        }
    }
}

impl OnFull {
    /// The word for the policy in definitions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::DropOldest => "drop_oldest",
            Self::Merge => "merge",
        }
    }
}
