//! How an attempt, a step or a run ended.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The outcome of an attempt or a step: the closed set of ways to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The work was done.
    #[serde(alias = "success")]
    Succeeded,
    /// The task ran and reported an error, or could not be run at all.
    Failed,
    /// The task took longer than its timeout and was killed.
    TimedOut,
    /// Somebody stopped the task.
    Cancelled,
    /// The worker went away. Only attempts are lost: a step whose last attempt is lost has `failed`.
    Lost,
    /// The step never started, and never will: what it waits for cannot come about any more.
    Skipped,
}

impl Outcome {
    /// The word for the outcome in definitions, messages and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
            Self::Skipped => "skipped",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Outcome {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "succeeded" | "success" => Ok(Self::Succeeded),
            "failed" => Ok(Self::Failed),
            "timed_out" => Ok(Self::TimedOut),
            "cancelled" => Ok(Self::Cancelled),
            "lost" => Ok(Self::Lost),
            "skipped" => Ok(Self::Skipped),
            _ => Err(format!(
                "unknown outcome {text:?}: expected succeeded, failed, timed_out, cancelled, lost or skipped"
            )),
        }
    }
}
