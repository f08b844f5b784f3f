//! Reading answers. What has another shape than expected is [`StoreError::Corrupt`].

use std::str::FromStr;

use millrace_domain::Timestamp;
use redis::Value;

use crate::StoreError;

/// The error of an answer: what was expected, and what came.
pub(super) fn unexpected(expected: &str, value: &Value) -> StoreError {
    let shown: String = format!("{value:?}").chars().take(200).collect();
    StoreError::Corrupt(format!("expected {expected}, got {shown}"))
}

/// Reads a whole number.
pub(super) fn int(value: &Value) -> Result<i64, StoreError> {
    match value {
        Value::Int(number) => Ok(*number),
        other => Err(unexpected("a number", other)),
    }
}

/// Reads a text.
pub(super) fn text(value: Value) -> Result<String, StoreError> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes)
            .map_err(|error| StoreError::Corrupt(format!("expected text, got other bytes: {error}"))),
        Value::SimpleString(text) => Ok(text),
        other => Err(unexpected("text", &other)),
    }
}

/// Reads a text, or nothing.
pub(super) fn maybe_text(value: Value) -> Result<Option<String>, StoreError> {
    if value == Value::Nil { Ok(None) } else { text(value).map(Some) }
}

/// Reads an array.
pub(super) fn array(value: Value) -> Result<Vec<Value>, StoreError> {
    match value {
        Value::Array(values) => Ok(values),
        other => Err(unexpected("an array", &other)),
    }
}

/// Reads an array of texts.
pub(super) fn texts(value: Value) -> Result<Vec<String>, StoreError> {
    array(value)?.into_iter().map(text).collect()
}

/// Reads a value from its text form.
pub(super) fn parsed<T: FromStr>(text: &str, expected: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt(format!("expected {expected}, got {text:?}")))
}

/// Reads an instant in milliseconds; scores come as floating point numbers.
pub(super) fn timestamp(text: &str) -> Result<Timestamp, StoreError> {
    match text.parse::<i64>() {
        Ok(millis) => Ok(Timestamp::from_millis(millis)),
        // Exact: instants are far below 2^53.
        Err(_) => parsed::<f64>(text, "an instant").map(|score| Timestamp::from_millis(score as i64)),
    }
}

/// Reads the answer of a command with WITHSCORES: (score, member) pairs.
pub(super) fn scored<T: FromStr>(value: Value, expected: &str) -> Result<Vec<(Timestamp, T)>, StoreError> {
    let texts = texts(value)?;
    texts.chunks_exact(2).map(|pair| Ok((timestamp(&pair[1])?, parsed(&pair[0], expected)?))).collect()
}

/// Reads the only answer to a single command.
pub(super) fn single(values: Vec<Value>) -> Result<Value, StoreError> {
    let count = values.len();
    values
        .into_iter()
        .next()
        .filter(|_| count == 1)
        .ok_or_else(|| StoreError::Corrupt(format!("expected one answer, got {count}")))
}
