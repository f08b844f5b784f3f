//! What a unit asks people while it is asking: what is to become of it, for their approval, or for values.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Timestamp;
use crate::environment;
use crate::people::{check_message, check_people};

/// What a unit asks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asks {
    /// What is to become of the unit, whose retries are used up.
    #[default]
    AfterFailure,
    /// For approval.
    Approval(Box<Approval>),
    /// For values.
    Input(Box<Asked>),
}

/// A question, rendered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Asked {
    /// What is asked, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The names of those who may answer; anybody may where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub who: Vec<String>,
}

/// An approval that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Approval {
    /// What is asked, and of whom.
    #[serde(flatten)]
    pub asked: Asked,
    /// Those who have approved, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<Vote>,
}

/// The word of one who has approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Who it was; empty where that was not said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// When.
    #[serde(default)]
    pub at: Timestamp,
}

impl Asks {
    /// What is asked in words, and of whom; `None` where it is what is to become of the unit.
    pub fn asked(&self) -> Option<&Asked> {
        match self {
            Self::AfterFailure => None,
            Self::Approval(approval) => Some(&approval.asked),
            Self::Input(asked) => Some(asked),
        }
    }

    pub(super) fn is_after_failure(&self) -> bool {
        *self == Self::AfterFailure
    }
}

impl Asked {
    /// Reads the rendered input of a step of which so many people have to answer.
    ///
    /// # Errors
    /// A fragment that says what was expected of an expression.
    pub(super) fn read(with: &Value, of: u32) -> Result<Self, String> {
        let message = match &with["message"] {
            Value::Null => None,
            message => Some(environment::text_of(message)),
        };
        if let Some(message) = &message {
            check_message(message).map_err(|why| format!("`message`: {why}"))?;
        }
        let who = match &with["who"] {
            Value::Null => return Ok(Self { message, who: Vec::new() }),
            Value::Array(who) => who,
            other => return Err(format!("`who`: expected a list of names, found {other}")),
        };
        let name = |name: &Value| match name {
            Value::String(name) => Ok(name.clone()),
            Value::Number(number) => Ok(number.to_string()),
            other => Err(format!("`who`: expected names, found {other}")),
        };
        let who: Vec<String> = who.iter().map(name).collect::<Result<_, _>>()?;
        let names: Vec<&str> = who.iter().map(String::as_str).collect();
        check_people(&names, of).map_err(|why| format!("`who`: {why}"))?;
        Ok(Self { message, who })
    }
}

impl Approval {
    /// The names of those who have approved.
    pub fn by(&self) -> Vec<String> {
        self.votes.iter().map(|vote| vote.by.clone()).filter(|by| !by.is_empty()).collect()
    }
}

/// What an approval gives that has come to this.
pub(super) fn approval_outputs(approved: bool, by: &[String], comment: &str) -> Map<String, Value> {
    let outputs = [("approved", json!(approved)), ("by", json!(by)), ("comment", json!(comment))];
    outputs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_expression_gave_that_is_no_question_is_told() {
        let asked = Asked::read(&json!({"message": 5, "who": ["ann", 7]}), 2).unwrap();
        assert_eq!(
            (asked.message.as_deref(), asked.who),
            (Some("5"), vec!["ann".to_owned(), "7".to_owned()])
        );
        assert_eq!(Asked::read(&json!({}), 3), Ok(Asked::default()));
        for (with, told) in [
            (json!({"who": "ann"}), "`who`: expected a list of names, found \"ann\""),
            (json!({"who": [["ann"]]}), "`who`: expected names, found [\"ann\"]"),
            (json!({"who": []}), "`who`: it is empty, so that nobody may answer"),
            (json!({"who": ["ann"]}), "`who`: an approval nobody may give: 2 have to approve, and 1 may"),
            (json!({"who": ["ann", "ann"]}), "`who`: `ann` is named twice"),
            (json!({"message": "x".repeat(4_001)}), "`message`: 4001 characters: expected at most 4000"),
        ] {
            assert_eq!(Asked::read(&with, 2).unwrap_err(), told);
        }
    }
}
