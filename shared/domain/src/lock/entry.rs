//! What is written down of whoever holds locks, or waits for them.

use serde::{Deserialize, Serialize};

use super::{Ask, Holder};
use crate::{RunId, Timestamp};

/// An entry of a board: an ask, and what was granted of it. As JSON it is one row of the table of its partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What is asked for.
    #[serde(flatten)]
    pub ask: Ask,
    /// The grant; `None` while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// Whether a holder of any lock here waited for a run that it is in, when it asked: so it goes before all others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nested: bool,
    /// The run that took the place of this one, which is to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<RunId>,
}

/// A grant: from its instant on, what was asked for is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The fencing token: higher than that of any grant of the same lock before.
    pub token: u64,
    /// When it was made.
    pub at: Timestamp,
    /// Of a rate: since when the reserve is used, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
}

impl Entry {
    /// Who it is of.
    pub fn holder(&self) -> Holder {
        self.ask.asker.holder()
    }
}
