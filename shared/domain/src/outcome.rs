//! How an attempt, a step or a run ended.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The closed set of ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It did what it should.
    #[serde(alias = "success")]
    Succeeded,
    /// It ran and reported an error, or could not be run at all.
    Failed,
    /// It took longer than its timeout and was killed.
    TimedOut,
    /// Somebody stopped it.
    Cancelled,
    /// Its worker went away. Only attempts are lost: a step whose last attempt is lost has `failed`.
    Lost,
    /// It never started, and never will: what it waits for cannot come about any more.
    Skipped,
}

impl Outcome {
    /// The word in definitions, messages and the API.
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
