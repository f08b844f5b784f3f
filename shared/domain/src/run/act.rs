//! What people do to a step of a run: they have it tried again, skip it, say how it ended, or answer what it asks for.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::Unit;

/// The number of acts that a run remembers: one of them that comes again is known by its id.
pub(super) const REMEMBERED: usize = 64;

/// The most characters of who acts, and of why.
pub const MAX_WORDS: usize = 1_000;

/// An act: what somebody does to a unit, who that is, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// The id of the act, which no other act has.
    pub id: String,
    /// The unit.
    pub unit: Unit,
    /// The last attempt of the unit that whoever acts has seen; 0 where there was none. An act on a unit that has gone on
    /// since is refused.
    pub attempt: u32,
    /// What is done to the unit.
    pub deed: Deed,
    /// Who does it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// An act that was done: what a run remembers of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The id of the act.
    pub id: String,
    /// A digest of what was done, and to which unit.
    pub what: String,
}

impl Act {
    /// What a run remembers of the act.
    pub(super) fn remembered(&self) -> Done {
        // Who answers is what is done: another's answer is another act.
        let what = match self.deed.is_answer() {
            true => serde_json::to_vec(&(self.unit, &self.deed, &self.by)),
            false => serde_json::to_vec(&(self.unit, &self.deed)),
        };
        Done { id: self.id.clone(), what: digest_of(&what.unwrap_or_default()) }
    }
}

/// The digest of what was done.
pub(super) fn digest(what: &impl Serialize) -> String {
    digest_of(&serde_json::to_vec(what).unwrap_or_default())
}

fn digest_of(what: &[u8]) -> String {
    Sha256::digest(what).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The deed of an act: what is done to a unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// The unit is tried again, at once.
    Retry,
    /// The unit ends as skipped.
    Skip,
    /// The unit ends as one that succeeded, and gives these outputs.
    Succeed {
        /// The outputs, with their types.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        outputs: Map<String, Value>,
    },
    /// The unit ends as one that failed.
    Fail,
    /// What the unit asks for is approved.
    Approve,
    /// What the unit asks for is rejected, by which it fails.
    Reject,
    /// The unit gets the values that it asks for.
    Supply {
        /// The values, with their types, as they were given.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        values: Map<String, Value>,
    },
}

impl Deed {
    /// The word for the deed in metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Skip => "skip",
            Self::Succeed { .. } => "mark_succeeded",
            Self::Fail => "mark_failed",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Supply { .. } => "supply",
        }
    }

    /// What was done to the unit, as the middle of a sentence.
    pub(super) fn done(&self) -> &'static str {
        match self {
            Self::Retry => "tried again",
            Self::Skip => "skipped",
            Self::Succeed { .. } => "marked as succeeded",
            Self::Fail => "marked as failed",
            Self::Approve => "approved",
            Self::Reject => "rejected",
            Self::Supply { .. } => "given values",
        }
    }

    /// Whether this answers what a unit asks for.
    pub fn is_answer(&self) -> bool {
        match self {
            Self::Approve | Self::Reject | Self::Supply { .. } => true,
            Self::Retry | Self::Skip | Self::Succeed { .. } | Self::Fail => false,
        }
    }
}

/// The act in words, without its unit: `skipped by ann: not needed`.
impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.deed.done())?;
        if !self.by.is_empty() {
            write!(f, " by {}", self.by)?;
        }
        if !self.why.is_empty() {
            write!(f, ": {}", self.why)?;
        }
        Ok(())
    }
}
