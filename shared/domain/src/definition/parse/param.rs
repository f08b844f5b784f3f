//! `params:`: what a run may be given.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde_json::Value;

use super::super::arguments::{check_kind, from_text};
use super::super::checker::Checker;
use super::super::document::{Content, Node};
use super::super::limits::{Limits, Pattern, compare};
use super::super::{Param, ParamKind};
use super::expression::{Names, Place, read_templated};
use super::fields::{Fields, Schema};
use super::json;
use super::kind::read_kind;
use super::synonyms;
use crate::ParamName;
use crate::environment;
use crate::expression::Templated;

pub(in crate::definition) const MAX_PARAMS: usize = 256;

pub(in crate::definition) const PARAM: Schema = Schema {
    what: "a param",
    known: &["name", "type", "default", "values", "min", "max", "pattern", "description"],
    later: &[],
    synonyms: synonyms::OF_PARAM,
};

/// Reads the params of `node`, in the order of the file.
pub(super) fn read_params(node: &Node, checker: &mut Checker) -> Vec<Param> {
    read_declared(node, "param", checker)
}

/// Reads what is declared as params are, and called by another word.
pub(super) fn read_declared(node: &Node, word: &str, checker: &mut Checker) -> Vec<Param> {
    let words = format!("{word}s");
    let hint = matches!(node.content, Content::Map(_)).then(|| "write - {name: ..., type: ...}".to_owned());
    let items = checker.list(node, &words, &words, hint).unwrap_or_default();
    if items.len() > MAX_PARAMS {
        let message = format!("{} {words}: expected at most {MAX_PARAMS}", items.len());
        checker.problem(node.at, "out-of-range", message, None);
        return Vec::new();
    }
    let mut params: Vec<Param> = Vec::with_capacity(items.len());
    let mut seen = HashSet::new();
    for item in items {
        let Some(param) = read_param(item, word, &params, checker) else { continue };
        if !seen.insert(param.name.clone()) {
            let message = format!("{word} `{}` is declared twice", param.name);
            checker.problem(item.at, "duplicate-param", message, None);
            continue;
        }
        params.push(param);
    }
    params
}

fn read_param(node: &Node, word: &str, before: &[Param], checker: &mut Checker) -> Option<Param> {
    let fields = PARAM.read(node, checker)?;
    let name = match fields.get("name") {
        Some(name) => {
            let text = checker.text(name, "name")?;
            let parsed = text.parse::<ParamName>().map_err(|error| error.to_string());
            let settable = parsed.and_then(|name| match environment::check_name(text) {
                Ok(()) => Ok(name),
                Err(error) => Err(error.to_string()),
            });
            settable.map_err(|message| checker.problem(name.at, "bad-name", message, None)).ok()
        }
        None => {
            checker.problem(node.at, "missing-field", format!("a {word} needs a `name`"), None);
            None
        }
    };
    let description =
        fields.get("description").and_then(|node| checker.text(node, "description")).map(str::to_owned);
    let kind = fields.get("type").map_or(Some("string"), |node| checker.text(node, "type"));
    let at = fields.get("type").map_or(node.at, |node| node.at);
    let kind = kind.and_then(|kind| read_kind(kind, at, (node.at, fields.get("values")), checker));
    let limits = kind.as_ref().map(|kind| read_limits(fields, kind, checker)).unwrap_or_default();
    // One of which something cannot be read is declared all the same, so that its uses are no further problems.
    let default = fields.get("default").map(|node| {
        let kind = kind.as_ref();
        let read = kind.and_then(|kind| read_default(node, kind, &limits, before, checker));
        read.unwrap_or_else(|| Templated::literal(Value::Null))
    });
    Some(Param { name: name?, kind: kind.unwrap_or(ParamKind::Json), limits, default, description })
}

/// Reads what values must be beyond their kind.
fn read_limits(fields: Fields<'_>, kind: &ParamKind, checker: &mut Checker) -> Limits {
    let has_order = matches!(kind, ParamKind::Int | ParamKind::Float | ParamKind::Date);
    let mut bound = |field: &str| {
        let (key, node) = fields.entry(field)?;
        if !has_order {
            let message = format!("`{field}` goes with the types int, float and date only");
            checker.problem(key.at, "bad-field", message, None);
            return None;
        }
        let value = from_text(kind, checker.text(node, field)?);
        value.map_err(|error| checker.problem(node.at, "bad-value", format!("`{field}`: {error}"), None)).ok()
    };
    let (min, max) = (bound("min"), bound("max"));
    if let (Some(min), Some(max), Some((key, _))) = (&min, &max, fields.entry("max"))
        && compare(min, max) == Ordering::Greater
    {
        checker.problem(key.at, "bad-value", "`max` is below `min`: no value is between them", None);
    }
    let pattern = fields.entry("pattern").and_then(|(key, node)| {
        if !matches!(kind, ParamKind::String | ParamKind::Path) {
            let message = "`pattern` goes with the types string and path only";
            checker.problem(key.at, "bad-field", message, None);
            return None;
        }
        let pattern = Pattern::parse(checker.text(node, "pattern")?);
        let told = |error| checker.problem(node.at, "bad-value", format!("`pattern`: {error}"), None);
        pattern.map_err(told).ok()
    });
    Limits { min, max, pattern }
}

/// Reads the default of a param. It is checked now, unless an expression will make it.
fn read_default(
    node: &Node,
    kind: &ParamKind,
    limits: &Limits,
    before: &[Param],
    checker: &mut Checker,
) -> Option<Templated> {
    if *kind == ParamKind::Json {
        json::check_numbers(node, checker);
    }
    let names = Names { params: before, place: Place::Default };
    let templated = read_templated(node, names, &mut Vec::new(), checker)?;
    if !templated.is_literal() {
        return Some(templated);
    }
    if matches!(node.content, Content::Scalar { .. }) && node.is_nothing() {
        checker.wrong_type(node, "default", "a value", None);
        return None;
    }
    let value = value_of(node, kind);
    let value = value.and_then(|value| limits.check(&value).map(|()| value));
    match value {
        Ok(value) => Some(Templated::literal(value)),
        Err(error) => {
            checker.problem(node.at, "bad-default", format!("`default`: {error}"), None);
            None
        }
    }
}

/// The value of a tree that is to be of this kind.
///
/// # Errors
/// What was expected instead.
pub(super) fn value_of(node: &Node, kind: &ParamKind) -> Result<Value, String> {
    match (&node.content, kind) {
        (
            Content::Scalar { text, .. },
            ParamKind::String | ParamKind::Date | ParamKind::Path | ParamKind::Enum(_),
        ) => from_text(kind, text),
        (Content::Scalar { text, plain: true }, ParamKind::Int | ParamKind::Float | ParamKind::Bool) => {
            from_text(kind, text)
        }
        _ => {
            let value: Value = json::of_node(node);
            check_kind(kind, &value).map(|()| value)
        }
    }
}
