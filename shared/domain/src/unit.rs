//! What has attempts of its own in a run, and the id of one attempt of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{RunId, StepIndex};
use crate::name::IdError;

/// A unit of work of a run: a step, or one item of a step that fans out. It is what has attempts, a record, a log and
/// an idempotency key of its own. Its text form is `<step>`, or `<step>.<item>`, as in `4` and `4.17`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Unit {
    /// The step, by its place in the definition.
    pub step: StepIndex,
    /// The item of the step, by its place in the list, from 0; `None` for the step as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
}

impl Unit {
    /// The step, where the unit is one as a whole.
    pub fn whole_step(self) -> Option<StepIndex> {
        self.item.is_none().then_some(self.step)
    }
}

impl From<StepIndex> for Unit {
    fn from(step: StepIndex) -> Self {
        Self { step, item: None }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.item {
            None => write!(f, "{}", self.step.0),
            Some(item) => write!(f, "{}.{item}", self.step.0),
        }
    }
}

impl FromStr for Unit {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let number = |text: &str| {
            // What is parsed is what is written: no sign, no leading zeros, so that one unit has one name.
            let is_plain =
                text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
            let number = text.parse().ok().filter(|_| is_plain);
            number.ok_or_else(|| IdError(format!("{text:?} is not a number")))
        };
        let (step, item) = match text.split_once('.') {
            Some((step, item)) => (number(step)?, Some(number(item)?)),
            None => (number(text)?, None),
        };
        Ok(Self { step: StepIndex(step), item })
    }
}

/// The id of a task, which is one dispatch of one unit of a run: (run, unit, attempt). Its text form is
/// `<run>:<step>:<attempt>`, or `<run>:<step>.<item>:<attempt>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TaskId {
    /// The run.
    pub run: RunId,
    /// The unit of the run.
    #[serde(flatten)]
    pub unit: Unit,
    /// The attempt, from 1.
    pub attempt: u32,
}

impl TaskId {
    /// The id of the child that this attempt is, where it is a run of another workflow.
    pub fn child(self, partitions: u16) -> RunId {
        RunId::of_text(&format!("{self}/child"), partitions)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.run, self.unit, self.attempt)
    }
}

impl FromStr for TaskId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let parts: Vec<&str> = text.split(':').collect();
        let [run, unit, attempt] = parts[..] else {
            return Err(IdError(format!("{text:?} is not <run>:<step>[.<item>]:<attempt>")));
        };
        let attempt = attempt.parse().map_err(|_| IdError(format!("{attempt:?} is not a number")))?;
        Ok(Self { run: run.parse()?, unit: unit.parse()?, attempt })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::PartitionId;

    #[test]
    fn a_task_id_survives_its_text_form() {
        let run = RunId::new(Uuid::new_v4(), PartitionId(3));
        for (item, text, json) in [
            (None, "7", r#""step":7"#),
            (Some(0), "7.0", r#""step":7,"item":0"#),
            (Some(99_999), "7.99999", r#""step":7,"item":99999"#),
        ] {
            let id = TaskId { run, unit: Unit { step: StepIndex(7), item }, attempt: 2 };
            assert_eq!(id.to_string(), format!("{run}:{text}:2"));
            assert_eq!(id.to_string().parse::<TaskId>(), Ok(id));
            let written = serde_json::to_string(&id).unwrap();
            assert_eq!(written, format!(r#"{{"run":"{run}",{json},"attempt":2}}"#));
            assert_eq!(serde_json::from_str::<TaskId>(&written).unwrap(), id);
        }
    }

    #[test]
    fn a_task_id_with_a_part_too_many_or_too_few_is_none() {
        let run = RunId::new(Uuid::new_v4(), PartitionId(3));
        for text in
            ["", "7", "7:", ":1", "7:1:1", "7.:1", ".1:1", "7.1.1:1", "7.-1:1", "+7:1", "07:1", "7.01:1"]
        {
            assert!(format!("{run}:{text}").parse::<TaskId>().is_err(), "{text}");
        }
    }
}
