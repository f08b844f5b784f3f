//! What a unit holds of locks, or has asked for.

use serde::{Deserialize, Serialize};

use crate::lock::{LockGroup, TOKENS};

/// The field of a unit's record that says what it holds.
pub(super) const HOLD: &str = "hold";

/// What a unit holds of locks, or has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The attempt for which it was asked. Those that follow it because it was lost go on with it.
    pub attempt: u32,
    /// The group of the locks.
    pub group: LockGroup,
    /// The fencing token of the grant; `None` while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<u64>,
}

impl Hold {
    /// The fencing token of an attempt: it rises from one that was lost to the next, which goes on with the same grant.
    pub fn token_of(&self, attempt: u32) -> Option<u64> {
        let after = u64::from(attempt.saturating_sub(self.attempt));
        Some(self.token? + after.min(TOKENS - 1))
    }
}
