//! From the bytes of a message or a request to submissions: one object, or an array of them.

use std::fmt;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{IdempotencyKey, Submission, SubmissionError};
use crate::definition::nearest;
use crate::{Code, number};

/// The longest submission, in bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// The longest submission that brings its definition, in bytes.
const MAX_DEFINITION_BYTES: usize = 6 * 1024 * 1024;

/// The longest array of submissions, in bytes: what a broker takes as one message by default.
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// The greatest number of submissions in an array.
const MAX_BATCH: usize = 10_000;

const FIELDS: [&str; 20] = [
    "v",
    "run",
    "uses",
    "with",
    "workflow",
    "params",
    "env",
    "pool",
    "priority",
    "timeout",
    "retry",
    "delay",
    "at",
    "at_most_once",
    "working_dir",
    "labels",
    "idempotency_key",
    "traceparent",
    "definition",
    "base_dir",
];

impl Submission {
    /// Reads the submissions in `payload`: an object is one, an array is as many as it holds, each judged by itself.
    /// What only matters for an ad-hoc task is checked by [`Submission::to_workflow`].
    ///
    /// # Errors
    /// When the payload as a whole is no JSON, too long, or an array that is empty or holds more than 10,000.
    pub fn parse(payload: &[u8]) -> Result<Vec<Result<Self, SubmissionError>>, SubmissionError> {
        if payload.len() > MAX_BATCH_BYTES {
            let message =
                format!("{} bytes: expected at most {MAX_BATCH_BYTES}; submit in chunks", payload.len());
            return Err(SubmissionError::new(Code::TooLarge, message));
        }
        if payload.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[') {
            return Ok(vec![Self::parse_one(payload)]);
        }
        let mut reader = serde_json::Deserializer::from_slice(payload);
        let batch = reader.deserialize_seq(Batch).and_then(|batch| reader.end().map(|()| batch));
        let batch = batch.map_err(|error| match error.to_string() {
            message if message.contains(TOO_MANY) => SubmissionError::new(Code::TooMany, TOO_MANY),
            _ => SubmissionError::new(Code::InvalidJson, not_json(&error)),
        })?;
        if batch.is_empty() {
            return Err(SubmissionError::new(
                Code::Empty,
                "an empty array: expected at least one submission",
            ));
        }
        Ok(batch.into_iter().map(|one| Self::parse_one(one.get().as_bytes())).collect())
    }

    fn parse_one(object: &[u8]) -> Result<Self, SubmissionError> {
        if object.len() > MAX_DEFINITION_BYTES {
            return Err(too_large(object.len(), MAX_DEFINITION_BYTES));
        }
        let mut submission =
            serde_json::from_slice::<Self>(object).map_err(|error| explain(object, &error))?;
        if object.len() > MAX_BYTES && submission.definition.is_none() {
            return Err(too_large(object.len(), MAX_BYTES));
        }
        number::check_numbers(object)
            .map_err(|error| SubmissionError::new(Code::BadField, error.to_string()))?;
        submission.check_shape()?;
        if let Some(key) = &submission.idempotency_key {
            submission.idempotency_key = IdempotencyKey::given(key.as_str().as_bytes())?;
        }
        Ok(submission)
    }

    /// Checks that exactly one thing is asked for, in a version that is known.
    pub(super) fn check_shape(&self) -> Result<(), SubmissionError> {
        if let Some(version) = self.v.filter(|version| *version != 1) {
            let message = format!("version {version} is not known: expected \"v\": 1");
            return Err(SubmissionError::new(Code::UnsupportedVersion, message));
        }
        match (&self.run, &self.uses, &self.workflow, &self.definition) {
            (None, None, None, None) => {
                let message = "nothing to do: expected one of run, uses, workflow and definition";
                return Err(SubmissionError::new(Code::Empty, message));
            }
            (Some(_), None, None, None) | (None, Some(_), None, None) => {}
            (None, None, Some(_), None) | (None, None, None, Some(_)) => self.check_workflow_fields()?,
            _ => {
                let message = "expected only one of run, uses, workflow and definition";
                return Err(SubmissionError::new(Code::Ambiguous, message));
            }
        }
        if self.with.is_some() && self.uses.is_none() {
            return Err(SubmissionError::field("with", "goes with `uses` only"));
        }
        if self.base_dir.is_some() && self.definition.is_none() {
            return Err(SubmissionError::field("base_dir", "goes with `definition` only"));
        }
        if self.delay.is_some() && self.at.is_some() {
            return Err(SubmissionError::new(Code::Ambiguous, "expected only one of delay and at"));
        }
        if self.traceparent.as_ref().is_some_and(|trace| trace.len() > 512) {
            return Err(SubmissionError::field("traceparent", "expected at most 512 bytes"));
        }
        let long_label = |(name, text): (&String, &String)| name.len() > 256 || text.len() > 256;
        if self.labels.len() > 64 || self.labels.iter().any(long_label) {
            return Err(SubmissionError::field(
                "labels",
                "expected at most 64, names and values of up to 256 bytes",
            ));
        }
        Ok(())
    }

    /// Checks that nothing is said which the definition of a workflow says already.
    fn check_workflow_fields(&self) -> Result<(), SubmissionError> {
        let said = [
            ("env", !self.env.is_empty()),
            ("pool", self.pool.is_some()),
            ("timeout", self.timeout.is_some()),
            ("retry", self.retry.is_some()),
            ("at_most_once", self.at_most_once),
            ("working_dir", self.working_dir.is_some()),
        ];
        match said.iter().find(|(_, said)| *said) {
            Some((name, _)) => {
                Err(SubmissionError::field(name, "belongs to ad-hoc tasks; a workflow's definition says it"))
            }
            None => Ok(()),
        }
    }
}

fn too_large(bytes: usize, limit: usize) -> SubmissionError {
    SubmissionError::new(Code::TooLarge, format!("a submission of {bytes} bytes: expected at most {limit}"))
}

const TOO_MANY: &str = "more than 10000 submissions in one array: submit in chunks";

/// Reads an array without judging what is in it, and stops when it is too long.
struct Batch;

impl<'de> Visitor<'de> for Batch {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of submissions")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut batch = Vec::new();
        while let Some(item) = items.next_element()? {
            if batch.len() == MAX_BATCH {
                return Err(A::Error::custom(TOO_MANY));
            }
            batch.push(item);
        }
        Ok(batch)
    }
}

/// The error for an object that is no submission. It is read again, to find the field that is wrong.
fn explain(object: &[u8], error: &serde_json::Error) -> SubmissionError {
    if !error.is_data() {
        return SubmissionError::new(Code::InvalidJson, not_json(error));
    }
    let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(object) else {
        return SubmissionError::new(Code::BadField, "expected an object, such as {\"run\":\"echo hi\"}");
    };
    for (name, value) in fields {
        if !FIELDS.contains(&name.as_str()) {
            return unknown(&name);
        }
        if matches!(name.as_str(), "timeout" | "delay") && value.is_number() {
            return SubmissionError::field(&name, format!("a bare number has no unit; write \"{value}s\""));
        }
        let alone = Value::Object(Map::from_iter([(name.clone(), value)]));
        if let Err(error) = serde_json::from_value::<Submission>(alone) {
            let message = error.to_string();
            let message = match name.as_str() {
                "priority" if message.contains("untagged") => {
                    "expected P0 to P3, or a number from 0 to 9".to_owned()
                }
                "v" => "expected the number 1".to_owned(),
                _ => message,
            };
            return SubmissionError::field(&name, message);
        }
    }
    SubmissionError::new(Code::BadField, error.to_string())
}

/// The message for a text that is no JSON.
fn not_json(error: &serde_json::Error) -> String {
    let message = error.to_string();
    if !message.contains("hex escape") {
        return format!("not JSON: {message}");
    }
    format!(
        "not JSON: line {}, column {}: half a character. `\\ud800` to `\\udfff` come in pairs; write the character itself",
        error.line(),
        error.column()
    )
}

fn unknown(name: &str) -> SubmissionError {
    let shown: String = name.chars().take(64).collect();
    let meant = match (elsewhere(name), nearest(name, FIELDS)) {
        (Some(ours), _) => format!("here it is called `{ours}`"),
        (None, Some(near)) => format!("did you mean `{near}`?"),
        (None, None) => format!("expected one of {}", FIELDS.join(", ")),
    };
    SubmissionError::new(Code::UnknownField, format!("unknown field `{shown}`: {meant}"))
}

/// The name of the field that is called `name` elsewhere.
fn elsewhere(name: &str) -> Option<&'static str> {
    Some(match name {
        "command" | "cmd" | "script" | "shell" | "exec" => "run",
        "executor" => "uses",
        "input" => "with",
        "args" | "kwargs" | "arguments" | "parameters" => "params",
        "environment" => "env",
        "queue" => "pool",
        "countdown" => "delay",
        "eta" | "run_at" => "at",
        "retries" => "retry",
        "cwd" | "workdir" => "working_dir",
        _ => return None,
    })
}
