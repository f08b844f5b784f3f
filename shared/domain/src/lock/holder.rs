//! Who asks for locks, holds them, or waits for them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{IdError, RunId, TaskId, Unit};

/// Who holds, or waits: a step or an item of a run, or a run as a whole. It has one entry at a time on a board. Its text form,
/// `<run>:<unit>` or `<run>`, is the key of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run: RunId,
    /// The step or item; `None` for the run as a whole.
    #[serde(flatten)]
    pub unit: Option<Unit>,
}

/// Who asks: an attempt of a step or of an item, or a run as a whole, which asks once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Asker {
    /// The run.
    pub run: RunId,
    /// The step or item; `None` for the run as a whole.
    #[serde(flatten)]
    pub unit: Option<Unit>,
    /// The attempt. One that follows it because it was lost goes on with what it had.
    pub attempt: u32,
}

impl Asker {
    /// A run as a whole.
    pub fn of_run(run: RunId) -> Self {
        Self { run, unit: None, attempt: 1 }
    }

    /// The attempt of a step or an item; `None` for a run as a whole.
    pub fn task(self) -> Option<TaskId> {
        self.unit.map(|unit| TaskId { run: self.run, unit, attempt: self.attempt })
    }

    /// Who it is, whatever the attempt.
    pub fn holder(self) -> Holder {
        Holder { run: self.run, unit: self.unit }
    }
}

impl From<TaskId> for Asker {
    fn from(TaskId { run, unit, attempt }: TaskId) -> Self {
        Self { run, unit: Some(unit), attempt }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unit {
            Some(unit) => write!(f, "{}:{unit}", self.run),
            None => self.run.fmt(f),
        }
    }
}

impl FromStr for Holder {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (run, unit) = text.split_once(':').map_or((text, None), |(run, unit)| (run, Some(unit)));
        Ok(Self { run: run.parse()?, unit: unit.map(str::parse).transpose()? })
    }
}
