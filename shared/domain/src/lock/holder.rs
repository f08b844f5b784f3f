//! Who asks for locks, holds them, or waits for them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{IdError, RunId, TaskId, Unit};

/// What is asked for, of what a step may need. It asks for each of these apart, and they may have one home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Locks of one group, or a slot.
    #[default]
    Locks,
    /// A part of a rate.
    Rate,
}

impl Need {
    fn is_locks(&self) -> bool {
        *self == Self::Locks
    }
}

/// Who holds, or waits: a step or an item of a run, or a run as a whole. It has one entry at a time on a board for what it needs. Its
/// text form, `<run>:<unit>` or `<run>`, with `+` behind it for a rate, is the key of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run: RunId,
    /// The step or item; `None` for the run as a whole.
    #[serde(flatten)]
    pub unit: Option<Unit>,
    /// What for.
    #[serde(default, skip_serializing_if = "Need::is_locks")]
    pub need: Need,
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
    /// What for.
    #[serde(default, skip_serializing_if = "Need::is_locks")]
    pub need: Need,
}

impl Holder {
    /// A run as a whole, which has a slot.
    pub fn of_run(run: RunId) -> Self {
        Self { run, unit: None, need: Need::Locks }
    }

    /// A step or an item that has this.
    pub fn of_unit(run: RunId, unit: Unit, need: Need) -> Self {
        Self { run, unit: Some(unit), need }
    }
}

impl Asker {
    /// A run as a whole.
    pub fn of_run(run: RunId) -> Self {
        Self { run, unit: None, attempt: 1, need: Need::Locks }
    }

    /// An attempt that asks for this.
    pub fn of_task(task: TaskId, need: Need) -> Self {
        Self { need, ..task.into() }
    }

    /// The attempt of a step or an item; `None` for a run as a whole.
    pub fn task(self) -> Option<TaskId> {
        self.unit.map(|unit| TaskId { run: self.run, unit, attempt: self.attempt })
    }

    /// Who it is, whatever the attempt.
    pub fn holder(self) -> Holder {
        Holder { run: self.run, unit: self.unit, need: self.need }
    }
}

impl From<TaskId> for Asker {
    fn from(TaskId { run, unit, attempt }: TaskId) -> Self {
        Self { run, unit: Some(unit), attempt, need: Need::Locks }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.run.fmt(f)?;
        if let Some(unit) = self.unit {
            write!(f, ":{unit}")?;
        }
        match self.need {
            Need::Locks => Ok(()),
            Need::Rate => f.write_str("+"),
        }
    }
}

impl FromStr for Holder {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (text, need) = text.strip_suffix('+').map_or((text, Need::Locks), |text| (text, Need::Rate));
        let (run, unit) = text.split_once(':').map_or((text, None), |(run, unit)| (run, Some(unit)));
        Ok(Self { run: run.parse()?, unit: unit.map(str::parse).transpose()?, need })
    }
}
