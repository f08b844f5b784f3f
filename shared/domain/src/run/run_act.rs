//! What people do to a run as a whole: they pause it, let it go on, or change its priority.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::act::{Done, digest};
use crate::{Priority, Timestamp};

/// An act on a run: what somebody does to all of it, who that is, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunAct {
    /// The id of the act, which no other act has.
    pub id: String,
    /// What is done to the run.
    pub deed: RunDeed,
    /// Who does it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// The deed of an act on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunDeed {
    /// Nothing of the run begins any more.
    Pause,
    /// The run goes on with all that was held.
    Resume,
    /// What of the run has not begun gets this priority.
    Priority {
        /// The priority.
        priority: Priority,
    },
}

/// A pause: who holds a run back, why, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Who has paused it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Since when.
    pub at: Timestamp,
}

impl RunDeed {
    /// The word for the deed in metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Priority { .. } => "priority",
        }
    }
}

impl RunAct {
    /// What a run remembers of the act.
    pub(super) fn remembered(&self) -> Done {
        Done { id: self.id.clone(), what: digest(&("run", &self.deed)) }
    }
}

fn write_who(f: &mut fmt::Formatter<'_>, by: &str) -> fmt::Result {
    if by.is_empty() { Ok(()) } else { write!(f, " by {by}") }
}

fn write_why(f: &mut fmt::Formatter<'_>, why: &str) -> fmt::Result {
    if why.is_empty() { Ok(()) } else { write!(f, ": {why}") }
}

/// The act in words, without its run: `paused by ann: the disk is full`.
impl fmt::Display for RunAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.deed {
            RunDeed::Pause => f.write_str("paused")?,
            RunDeed::Resume => f.write_str("resumed")?,
            RunDeed::Priority { priority } => write!(f, "given priority {priority}")?,
        }
        write_who(f, &self.by)?;
        write_why(f, &self.why)
    }
}

/// The pause in words: `paused by ann since 2026-01-01T00:00:00Z: the disk is full`.
impl fmt::Display for Paused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("paused")?;
        write_who(f, &self.by)?;
        write!(f, " since {}", self.at)?;
        write_why(f, &self.why)
    }
}
