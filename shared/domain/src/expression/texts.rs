//! The filters that make texts, or values of texts: each says how much it makes before it does.

use minijinja::value::{Kwargs, Serde, Value, ValueKind};
use minijinja::{Error, ErrorKind, State};

use super::budget::{MAX_TEXT_BYTES, bounded, charge};
use super::excerpt::excerpt;
use crate::number;

/// How much more memory a value may take than its JSON, at most: a `[]` of three bytes is a list.
const GROWTH: usize = 16;

pub(super) fn replace(state: &mut State<'_, '_>, text: &str, from: &str, to: &str) -> Result<String, Error> {
    let growth = text.matches(from).count().saturating_mul(to.len());
    let length = text.len().saturating_add(growth);
    bounded(length)?;
    charge(state, length)?;
    Ok(text.replace(from, to))
}

pub(super) fn join(state: &mut State<'_, '_>, list: &Value, between: Option<&str>) -> Result<String, Error> {
    let mut text = String::new();
    for (at, item) in list.try_iter()?.enumerate() {
        if at > 0 {
            text.push_str(between.unwrap_or_default());
        }
        match item.as_str() {
            Some(item) => text.push_str(item),
            None => text.push_str(&serde_json::to_string(&item).unwrap_or_default()),
        }
        bounded(text.len())?;
    }
    charge(state, text.len())?;
    Ok(text)
}

pub(super) fn tojson(
    state: &mut State<'_, '_>,
    value: &Value,
    indent: Option<Value>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    let json = minijinja::filters::tojson(value, indent, kwargs)?;
    charge(state, json.as_str().map_or(0, str::len))?;
    Ok(json)
}

/// The sum of a list, as minijinja makes it, but for what is not defined: that is an error here as everywhere, so that a slip in
/// `map(attribute=...)` does not come to 0.
pub(super) fn sum(
    state: &State<'_, '_>,
    values: Value,
    attribute: Option<&str>,
    start: Option<Value>,
    kwargs: Kwargs,
) -> Result<Value, Error> {
    if attribute.is_none() && values.try_iter()?.any(|value| value.is_undefined()) {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    // Of texts, each step would copy all before it.
    let start = match start {
        Some(start) => Some(start),
        None => kwargs.get("start")?,
    };
    if start.as_ref().is_some_and(|start| start.as_str().is_some()) {
        let message = "sum adds numbers; put texts together with |join";
        return Err(Error::new(ErrorKind::InvalidOperation, message));
    }
    minijinja::filters::sum(state, values, attribute, start, kwargs)
}

/// The value of a JSON text.
pub(super) fn fromjson(state: &mut State<'_, '_>, value: &Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let wrong = |message: String| Error::new(ErrorKind::InvalidOperation, message);
    let text =
        value.as_str().ok_or_else(|| wrong(format!("fromjson needs a text, found {}", shown(value))))?;
    if text.len() > MAX_TEXT_BYTES {
        let bytes = text.len();
        return Err(wrong(format!("fromjson: {bytes} bytes, expected at most {MAX_TEXT_BYTES}")));
    }
    charge(state, text.len().saturating_mul(GROWTH))?;
    let read: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| wrong(format!("fromjson: expected JSON, found {}: {error}", shown(value))))?;
    number::check_numbers(text.as_bytes()).map_err(|error| wrong(format!("fromjson: {error}")))?;
    Ok(Value::from(Serde(&read)))
}

/// A value in a message: a text in quotes, and anything else as JSON.
pub(super) fn shown(value: &Value) -> String {
    let text = match value.as_str() {
        Some(text) => format!("`{}`", text.chars().take(80).collect::<String>().escape_debug()),
        None => match (value.kind(), value.len()) {
            (ValueKind::Undefined, _) => "nothing".to_owned(),
            (ValueKind::None, _) => "none".to_owned(),
            (ValueKind::Map, Some(length)) => format!("a map of {length}"),
            (_, Some(length)) => format!("a list of {length}"),
            _ => serde_json::to_string(value).unwrap_or_default(),
        },
    };
    excerpt(&text)
}
