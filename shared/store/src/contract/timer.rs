//! Timers of a partition, and their text form.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use millrace_domain::{RunId, TriggerId, Unit, WorkflowId};

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
    /// A schedule of a workflow fires.
    Fire(WorkflowId, TriggerId),
    /// What only a newer version knows, by its text. It stays as it is until an owner comes that can read it.
    Unknown(String),
}

impl Timer {
    /// The run that the timer belongs to.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::Start(run) | Self::Retry(run, _) | Self::RunTimeout(run) | Self::CancelCheck(run) => {
                Some(*run)
            }
            Self::Fire(..) | Self::Unknown(_) => None,
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
            Self::Fire(workflow, trigger) => write!(f, "fire:{workflow}:{trigger}"),
            Self::Unknown(text) => f.write_str(text),
        }
    }
}

impl FromStr for Timer {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(known(text).unwrap_or_else(|| Self::Unknown(text.to_owned())))
    }
}

/// Reads the text of a timer, to its last part: one more may be what makes it another timer.
fn known(text: &str) -> Option<Timer> {
    let (kind, about) = text.split_once(':')?;
    Some(match kind {
        "start" => Timer::Start(about.parse().ok()?),
        "retry" => {
            let (run, unit) = about.split_once(':')?;
            Timer::Retry(run.parse().ok()?, unit.parse().ok()?)
        }
        "timeout" => Timer::RunTimeout(about.parse().ok()?),
        "cancel" => Timer::CancelCheck(about.parse().ok()?),
        "fire" => {
            let (workflow, trigger) = about.split_once(':')?;
            Timer::Fire(workflow.parse().ok()?, trigger.parse().ok()?)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_of_another_kind_or_form_keeps_its_text() {
        let run = "9de6b497-4996-8dc2-a5cc-615a89fa003f";
        for text in [
            "",
            "lease",
            "lease:db/primary",
            "start:",
            &format!("start:{run}:2"),
            &format!("retry:{run}"),
            &format!("retry:{run}:3.17.1"),
            &format!("retry:{run}:3:17"),
            &format!("timeout:{run}:x"),
            "fire:a/b/daily:0",
            "fire:daily:0:1",
            "fire:daily:first",
        ] {
            let timer: Timer = text.parse().unwrap();
            assert_eq!(timer, Timer::Unknown(text.to_owned()));
            assert_eq!(timer.to_string(), text);
        }
    }
}
