//! Timers of a partition, and their text form.

use std::fmt;
use std::str::FromStr;

use millrace_domain::{IdError, RunId, Unit, WorkflowName};

/// A timer of a partition: what it is for. Its text form is what is stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Timer {
    /// A delayed run is to start.
    Start(RunId),
    /// A retry is due.
    Retry(RunId, Unit),
    /// A run has taken too long.
    RunTimeout(RunId),
    /// It is time to see whether a cancelled run has ended, and to tell the workers again.
    CancelCheck(RunId),
    /// A schedule fires: the workflow, and the place of the schedule in its list.
    Fire(WorkflowName, u32),
}

impl Timer {
    /// The run that the timer belongs to.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::Start(run) | Self::Retry(run, _) | Self::RunTimeout(run) | Self::CancelCheck(run) => {
                Some(*run)
            }
            Self::Fire(..) => None,
        }
    }
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(run) => write!(f, "start:{run}"),
            Self::Retry(run, unit) => write!(f, "retry:{run}:{unit}"),
            Self::RunTimeout(run) => write!(f, "timeout:{run}"),
            Self::CancelCheck(run) => write!(f, "cancel:{run}"),
            Self::Fire(workflow, index) => write!(f, "fire:{workflow}:{index}"),
        }
    }
}

impl FromStr for Timer {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let unknown = || IdError(format!("{text:?} is not a timer"));
        let mut parts = text.split(':');
        let mut next = || parts.next().ok_or_else(unknown);
        let kind = next()?;
        Ok(match kind {
            "start" => Self::Start(next()?.parse()?),
            "retry" => Self::Retry(next()?.parse()?, next()?.parse()?),
            "timeout" => Self::RunTimeout(next()?.parse()?),
            "cancel" => Self::CancelCheck(next()?.parse()?),
            "fire" => Self::Fire(next()?.parse()?, next()?.parse().map_err(|_| unknown())?),
            _ => return Err(unknown()),
        })
    }
}
