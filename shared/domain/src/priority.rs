//! How urgent a task is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The priority of a task: P0 (urgent) to P3 (idle). Users may also write 0-9, 9 being the most urgent, as in AMQP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default)]
#[serde(into = "String", try_from = "PriorityText")]
pub enum Priority {
    /// Urgent: at once.
    P0,
    /// High: before ordinary work.
    P1,
    /// Normal: ordinary work.
    #[default]
    P2,
    /// Idle: only when there is nothing else to do.
    P3,
}

/// The error of a text that is no priority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("priority {0} is out of range: expected P0 to P3, or a number from 0 to 9 (9 is the most urgent)")]
pub struct PriorityError(String);

impl Priority {
    /// All priorities, the most urgent first.
    pub const ALL: [Self; 4] = [Self::P0, Self::P1, Self::P2, Self::P3];

    /// The priority for the number that a user may write: 8-9 P0, 5-7 P1, 2-4 P2, 0-1 P3.
    ///
    /// # Errors
    /// When the number is not in 0..=9.
    pub fn from_number(number: i64) -> Result<Self, PriorityError> {
        match number {
            8..=9 => Ok(Self::P0),
            5..=7 => Ok(Self::P1),
            2..=4 => Ok(Self::P2),
            0..=1 => Ok(Self::P3),
            _ => Err(PriorityError(number.to_string())),
        }
    }

    /// The AMQP priority on a queue of four levels: P0 is 3, P3 is 0.
    pub fn level(self) -> u8 {
        3 - self as u8
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P{}", *self as u8)
    }
}

impl FromStr for Priority {
    type Err = PriorityError;

    fn from_str(text: &str) -> Result<Self, PriorityError> {
        match text {
            "P0" | "p0" => Ok(Self::P0),
            "P1" | "p1" => Ok(Self::P1),
            "P2" | "p2" => Ok(Self::P2),
            "P3" | "p3" => Ok(Self::P3),
            _ => match text.parse() {
                Ok(number) => Self::from_number(number),
                Err(_) => Err(PriorityError(format!("{text:?}"))),
            },
        }
    }
}

impl From<Priority> for String {
    fn from(priority: Priority) -> String {
        priority.to_string()
    }
}

/// A priority in JSON, in either of its spellings: `"P1"` and `6`.
#[derive(Deserialize)]
#[serde(untagged)]
enum PriorityText {
    Number(i64),
    Text(String),
}

impl TryFrom<PriorityText> for Priority {
    type Error = PriorityError;

    fn try_from(text: PriorityText) -> Result<Self, PriorityError> {
        match text {
            PriorityText::Number(number) => Self::from_number(number),
            PriorityText::Text(text) => text.parse(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_fall_into_the_four_bands() {
        let bands: Vec<String> = (0..10).map(|n| Priority::from_number(n).unwrap().to_string()).collect();
        assert_eq!(bands, ["P3", "P3", "P2", "P2", "P2", "P1", "P1", "P1", "P0", "P0"]);
        assert!(Priority::from_number(11).unwrap_err().to_string().contains("0 to 9"));
    }

    #[test]
    fn more_urgent_is_a_higher_level_and_sorts_first() {
        assert!(Priority::P0.level() > Priority::P3.level());
        assert!(Priority::P0 < Priority::P3);
    }
}
