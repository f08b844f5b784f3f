//! What is to be known of the question that a step asks people: who has to answer, with what, and what the step gives then.

use serde_json::{Map, Value};

use super::arguments::check_values;
use super::workflow::{DeclaredOutput, Param, ParamKind, Question, Wants};
use crate::Timestamp;
use crate::expression::Fire;
use crate::params::Params;

impl Question {
    /// The number of different people who have to answer.
    pub fn of(&self) -> u32 {
        match self.wants {
            Wants::Approval { of, .. } => of,
            Wants::Input { .. } => 1,
        }
    }

    /// The fields of the values that are asked for; none where it is approval.
    pub fn fields(&self) -> &[Param] {
        match &self.wants {
            Wants::Approval { .. } => &[],
            Wants::Input { fields, .. } => fields,
        }
    }

    /// The outputs of a step that was answered.
    pub fn outputs(&self) -> Box<[DeclaredOutput]> {
        let output = |key: &str, kind| DeclaredOutput { key: key.to_owned(), kind, description: None };
        match &self.wants {
            Wants::Approval { .. } => Box::new([
                output("approved", ParamKind::Bool),
                output("by", ParamKind::Json),
                output("comment", ParamKind::String),
            ]),
            Wants::Input { fields, .. } => fields
                .iter()
                .map(|field| DeclaredOutput {
                    description: field.description.clone(),
                    ..output(field.name.as_str(), field.kind.clone())
                })
                .collect(),
        }
    }
}

/// Completes the values of fields: what was given, checked, and a default for each of the others.
///
/// # Errors
/// Everything that is wrong, a text for each field.
pub fn complete_fields(
    fields: &[Param],
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<String>> {
    let given: Params = given.clone().into_iter().collect();
    // The default of a field is no expression, so that it knows no time.
    let fire = Fire { time: Timestamp::default(), zone: &jiff::tz::TimeZone::UTC };
    Ok(check_values("field", fields, &given, fire)?.into_iter().collect())
}
