//! Hooks: steps that start when a step, or all steps of a run, have ended in some way.

use std::fmt;

use crate::rule::Status;
use crate::{Outcome, StepIndex};

/// When a hook starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    /// What it is the hook of succeeded.
    Success,
    /// What it is the hook of failed or timed out.
    Failure,
    /// What it is the hook of ended, however it did.
    Finish,
}

/// What a step is the hook of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hook {
    /// A step: the hook depends on it.
    Step(When, StepIndex),
    /// The run: the hook starts when all steps that are no such hooks have ended.
    Run(When),
}

impl When {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Self; 3] = [Self::Success, Self::Failure, Self::Finish];

    /// The name of the field in a definition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "on_success",
            Self::Failure => "on_failure",
            Self::Finish => "on_finish",
        }
    }

    /// The status that the hook of a step wants of it.
    pub(crate) fn status(self) -> Status {
        match self {
            Self::Success => Status::Success,
            Self::Failure => Status::Failed,
            Self::Finish => Status::Ran,
        }
    }

    /// Whether the hook of a run starts, whose other steps have ended with this outcome.
    pub(crate) fn is_for(self, outcome: Outcome) -> bool {
        match self {
            Self::Success => outcome == Outcome::Succeeded,
            Self::Failure => matches!(outcome, Outcome::Failed | Outcome::TimedOut),
            Self::Finish => true,
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
