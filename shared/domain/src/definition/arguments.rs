//! The values that a run gives to a workflow's params: checked against what is declared, and completed with the
//! defaults.

use std::fmt::Write;

use serde_json::{Number, Value};

use super::{Param, ParamKind, nearest};
use crate::expression::{Fire, Scope};
use crate::nesting::{MAX_NESTING, check_nesting};
use crate::params::Params;
use crate::{environment, number};

/// The greatest number of params that a message lists.
const MAX_LISTED: usize = 20;

/// Reads the value of a param that was given as text, on a command line: `5` is a number for an `int`.
///
/// # Errors
/// What was expected instead.
pub fn from_text(kind: &ParamKind, text: &str) -> Result<Value, String> {
    let lossless = |text: &str| number::check_numbers(text.as_bytes()).map_err(|error| error.to_string());
    let value = match kind {
        ParamKind::Int => text.parse::<i64>().map(Value::from).ok(),
        ParamKind::Float => match serde_json::from_str::<Number>(text) {
            Ok(number) => {
                lossless(text)?;
                Some(Value::Number(number))
            }
            Err(_) => None,
        },
        ParamKind::Bool => match text {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ => None,
        },
        ParamKind::Json => {
            let value = serde_json::from_str(text).map_err(|error| {
                format!("expected JSON, found {}: {error}; a text needs double quotes", shown(text))
            })?;
            lossless(text)?;
            Some(value)
        }
        ParamKind::String | ParamKind::Date | ParamKind::Path | ParamKind::Enum(_) => None,
    };
    let value = value.unwrap_or_else(|| Value::String(text.to_owned()));
    check_kind(kind, &value).map(|()| value)
}

/// Checks that `value` is of this kind.
///
/// # Errors
/// What was expected instead.
pub fn check_kind(kind: &ParamKind, value: &Value) -> Result<(), String> {
    let fits = match (kind, value) {
        (ParamKind::String, Value::String(_)) | (ParamKind::Bool, Value::Bool(_)) | (ParamKind::Json, _) => {
            true
        }
        (ParamKind::Int, Value::Number(number)) => number.is_i64(),
        (ParamKind::Float, Value::Number(_)) => true,
        (ParamKind::Date, Value::String(text)) => is_date(text),
        (ParamKind::Path, Value::String(text)) => !text.is_empty() && !text.contains('\0'),
        (ParamKind::Enum(choices), Value::String(text)) => choices.contains(text),
        _ => false,
    };
    if fits {
        return check_nesting(value, MAX_NESTING).map_err(|error| error.to_string());
    }
    let found = match value {
        Value::String(text) => format!("the text {}", shown(text)),
        other => shown(&other.to_string()),
    };
    Err(format!("expected {}, found {found}", expected(kind)))
}

/// Completes the params of a run: what was given, checked, and a default for each of the others. A default may use
/// the fire, and the params declared before it.
///
/// # Errors
/// Everything that is wrong, a text for each param.
pub fn check_params(declared: &[Param], given: &Params, fire: Fire<'_>) -> Result<Params, Vec<String>> {
    check_values("param", declared, given, fire)
}

/// The same of what is called by another word than params.
pub(super) fn check_values(
    word: &str,
    declared: &[Param],
    given: &Params,
    fire: Fire<'_>,
) -> Result<Params, Vec<String>> {
    let mut errors: Vec<String> =
        given.keys().filter_map(|name| undeclared(word, declared, name)).take(MAX_LISTED).collect();
    let mut params = Params::new();
    for param in declared {
        match value_of(param, given, &params, fire) {
            Ok(value) => {
                params.insert(param.name.as_str().to_owned(), value);
            }
            Err(error) => errors.push(format!("{word} `{}`: {error}", param.name)),
        }
    }
    if errors.is_empty() { Ok(params) } else { Err(errors) }
}

fn value_of(param: &Param, given: &Params, before: &Params, fire: Fire<'_>) -> Result<Value, String> {
    let value = match (given.get(param.name.as_str()), &param.default) {
        (Some(value), _) => value.clone(),
        (None, Some(default)) => {
            let scope = Scope::of_defaults(before, fire);
            default.render(&scope).map_err(|error| format!("its default has no value: {error}"))?
        }
        (None, None) => return Err(format!("no value and no default: expected {}", expected(&param.kind))),
    };
    check_kind(&param.kind, &value)?;
    param.limits.check(&value)?;
    environment::check_value(param.name.as_str(), &environment::text_of(&value))
        .map_err(|error| error.to_string())?;
    Ok(value)
}

fn undeclared(word: &str, declared: &[Param], name: &str) -> Option<String> {
    let names = || declared.iter().map(|param| param.name.as_str());
    if names().any(|declared| declared == name) {
        return None;
    }
    let mut message = format!("{word} {} is not declared", shown(name));
    if declared.is_empty() {
        message.push_str(": the workflow has none");
        return Some(message);
    }
    let listed = names().take(MAX_LISTED).collect::<Vec<_>>().join(", ");
    let more = if declared.len() > MAX_LISTED { ", …" } else { "" };
    let _ = write!(message, "; {word}s: {listed}{more}");
    if let Some(near) = nearest(name, names()) {
        let _ = write!(message, "; did you mean `{near}`?");
    }
    Some(message)
}

/// Whether the text is `YYYY-MM-DD`, and a day that exists.
fn is_date(text: &str) -> bool {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    shape && text.parse::<jiff::civil::Date>().is_ok()
}

/// What a value of this kind is called in a message.
pub(super) fn expected(kind: &ParamKind) -> String {
    match kind {
        ParamKind::String => "a text".to_owned(),
        ParamKind::Int => "a whole number of 64 bits".to_owned(),
        ParamKind::Float => "a number".to_owned(),
        ParamKind::Bool => "true or false".to_owned(),
        ParamKind::Date => "a date as YYYY-MM-DD".to_owned(),
        ParamKind::Path => "a path without NUL bytes".to_owned(),
        ParamKind::Enum(choices) => {
            let more = if choices.len() > MAX_LISTED { ", …" } else { "" };
            format!(
                "one of {}{more}",
                choices.iter().take(MAX_LISTED).cloned().collect::<Vec<_>>().join(", ")
            )
        }
        ParamKind::Json => "JSON".to_owned(),
    }
}

fn shown(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        format!("`{}…`", short.escape_debug())
    } else {
        format!("`{}`", short.escape_debug())
    }
}
