//! The kind of a value that is declared: of a param, or of an output.

use super::super::ParamKind;
use super::super::checker::Checker;
use super::super::document::Node;
use super::super::problem::Position;

pub(in crate::definition) const MAX_CHOICES: usize = 1000;

pub(in crate::definition) const KINDS: [&str; 8] =
    ["string", "int", "float", "bool", "date", "path", "enum", "json"];

/// The words that others use for a kind.
const ALIASES: [(&str, &str); 9] = [
    ("integer", "int"),
    ("long", "int"),
    ("number", "float"),
    ("double", "float"),
    ("boolean", "bool"),
    ("str", "string"),
    ("text", "string"),
    ("object", "json"),
    ("list", "json"),
];

/// Reads the kind that is called `word`, which stands at `at`. An enum has its `values` in a field, whose map begins at the
/// place beside it.
pub(super) fn read_kind(
    word: &str,
    at: Position,
    (owner, values): (Position, Option<&Node>),
    checker: &mut Checker,
) -> Option<ParamKind> {
    if let (Some(values), false) = (values, word == "enum") {
        checker.problem(values.at, "bad-field", "`values` goes with `type: enum` only", None);
    }
    Some(match word {
        "string" => ParamKind::String,
        "int" => ParamKind::Int,
        "float" => ParamKind::Float,
        "bool" => ParamKind::Bool,
        "date" => ParamKind::Date,
        "path" => ParamKind::Path,
        "json" => ParamKind::Json,
        "enum" => {
            let Some(values) = values else {
                let hint = Some("write {type: enum, values: [a, b]}".to_owned());
                checker.problem(owner, "missing-field", "the type enum needs `values`", hint);
                return None;
            };
            let items = checker.list(values, "values", "texts", None)?;
            if items.is_empty() || items.len() > MAX_CHOICES {
                let message = format!("`values` has {} entries: expected 1 to {MAX_CHOICES}", items.len());
                checker.problem(values.at, "out-of-range", message, None);
            }
            ParamKind::Enum(
                items.iter().filter_map(|item| checker.text(item, "values")).map(str::to_owned).collect(),
            )
        }
        _ => {
            let alias = ALIASES.iter().find(|(other, _)| *other == word);
            let alias = alias.map(|(_, kind)| format!("write {kind}"));
            let hint = alias.or_else(|| checker.did_you_mean(word, KINDS));
            let shown: String = word.chars().take(64).collect();
            let message = format!("unknown type `{shown}`: expected one of {}", KINDS.join(", "));
            checker.problem(at, "bad-value", message, hint);
            return None;
        }
    })
}
