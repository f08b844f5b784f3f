//! What a unit that asks people wants of them, for people: in words, and with the command by which they answer.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Asks, Run};
use crate::definition::{Param, ParamKind, Question, Wants};
use crate::people::list;
use crate::{Timestamp, Unit};

/// An approval that is wanted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ApprovalWanted {
    /// What is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Who may approve; anybody may where nobody is named.
    pub who: Vec<String>,
    /// The number of different people who have to approve.
    pub of: u32,
    /// The number of those who have.
    pub approvals: usize,
    /// Those of them who have said who they are.
    pub by: Vec<String>,
    /// When it is over.
    pub until: Timestamp,
    /// What is so then: `approve` or `reject`.
    pub default: &'static str,
    /// What to type.
    pub command: String,
}

/// Values that are wanted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InputWanted {
    /// What is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Who may supply them; anybody may where nobody is named.
    pub who: Vec<String>,
    /// What the values must be.
    pub fields: Vec<FieldWanted>,
    /// When it is over.
    pub until: Timestamp,
    /// The values that count then; without them the step times out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Map<String, Value>>,
    /// What to type.
    pub command: String,
}

/// A field of the values that are wanted, as it is declared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldWanted {
    /// The name of the field.
    pub name: String,
    /// The type of its value.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The values of an enum.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Its default; without one, it has to be given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// The description, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl FieldWanted {
    fn of(field: &Param) -> Self {
        let values = match &field.kind {
            ParamKind::Enum(values) => values.clone(),
            _ => Vec::new(),
        };
        Self {
            name: field.name.to_string(),
            kind: field.kind.as_str(),
            values,
            default: field.default.as_ref().and_then(crate::expression::Templated::to_literal),
            description: field.description.clone(),
        }
    }
}

impl Run {
    /// The approval that a unit waits for.
    pub(super) fn approval_wanted(
        &self,
        unit: Unit,
        asks: &Asks,
        until: Timestamp,
    ) -> Option<ApprovalWanted> {
        let (question, Asks::Approval(approval)) = (self.question_of(unit)?, asks) else { return None };
        let by_default = matches!(question.wants, Wants::Approval { by_default: true, .. });
        Some(ApprovalWanted {
            message: approval.asked.message.clone(),
            who: approval.asked.who.clone(),
            of: question.of(),
            approvals: approval.votes.len(),
            by: approval.by(),
            until,
            default: if by_default { "approve" } else { "reject" },
            command: self.command("approve", unit, ""),
        })
    }

    /// The values that a unit waits for.
    pub(super) fn input_wanted(&self, unit: Unit, asks: &Asks, until: Timestamp) -> Option<InputWanted> {
        let (question, Asks::Input(asked)) = (self.question_of(unit)?, asks) else { return None };
        let Wants::Input { fields, by_default } = &question.wants else { return None };
        let required = fields.iter().filter(|field| field.default.is_none());
        let values: String = required.map(|field| format!(" -p {}=...", field.name)).collect();
        Some(InputWanted {
            message: asked.message.clone(),
            who: asked.who.clone(),
            fields: fields.iter().map(FieldWanted::of).collect(),
            until,
            default: by_default.clone(),
            command: self.command("supply", unit, &values),
        })
    }

    fn question_of(&self, unit: Unit) -> Option<&Question> {
        self.workflow.step(unit.step)?.question.as_deref()
    }

    fn command(&self, deed: &str, unit: Unit, more: &str) -> String {
        let name = self.workflow.step(unit.step).map(|step| step.name.as_str()).unwrap_or("?");
        let item = unit.item.map(|item| format!(" --item {item}")).unwrap_or_default();
        format!("millrace runs {deed} {} {name}{item}{more}", self.id)
    }
}

impl ApprovalWanted {
    /// It in words.
    pub(super) fn words(&self) -> String {
        let Self { of, approvals, by, until, command, .. } = self;
        let so_far = match (approvals, by.as_slice()) {
            _ if *of == 1 => String::new(),
            (0, _) => format!(" of {of} people"),
            (_, by) => format!(" of {of} people, and has that of {}", list(by)),
        };
        let then = if self.default == "approve" { "is approved" } else { "times out" };
        format!(
            "waits for approval{so_far}{}; {} may; at {until} it {then} ({command}, or reject)",
            said(self.message.as_deref()),
            list(&self.who)
        )
    }
}

impl InputWanted {
    /// It in words.
    pub(super) fn words(&self) -> String {
        let Self { until, command, .. } = self;
        let field = |field: &FieldWanted| match &field.default {
            None => format!("{} ({})", field.name, field.kind),
            Some(default) => format!("{} ({}, {default} by default)", field.name, field.kind),
        };
        let fields: Vec<String> = self.fields.iter().map(field).collect();
        let then = match &self.default {
            None => "it times out".to_owned(),
            Some(values) => format!("this counts: {}", Value::Object(values.clone())),
        };
        format!(
            "waits for {}{}; {} may give them; at {until} {then} ({command})",
            list(&fields),
            said(self.message.as_deref()),
            list(&self.who)
        )
    }
}

/// A message as a part of a sentence.
fn said(message: Option<&str>) -> String {
    message.map(|message| format!(": {message:?}")).unwrap_or_default()
}
