//! `outputs:` of a step: what each attempt that succeeds must give.

use super::super::checker::Checker;
use super::super::document::{Content, Key, Node};
use super::super::outputs::is_output_key;
use super::super::{DeclaredOutput, ParamKind};
use super::fields::{Fields, Schema};
use super::kind::read_kind;
use super::synonyms;

pub(in crate::definition) const MAX_OUTPUTS: usize = 200;

pub(in crate::definition) const OUTPUT: Schema = Schema {
    what: "an output",
    known: &["type", "values", "description"],
    later: &[],
    synonyms: synonyms::OF_OUTPUT,
};

/// Reads the outputs that a step declares. One whose kind cannot be read is declared all the same, so that its uses are not
/// told of too.
pub(super) fn read_outputs(node: &Node, checker: &mut Checker) -> Box<[DeclaredOutput]> {
    let Content::Map(entries) = &node.content else {
        let hint = Some("write outputs: {rows: int, day: date}".to_owned());
        checker.wrong_type(node, "outputs", "a map of keys and types", hint);
        return Box::default();
    };
    if entries.len() > MAX_OUTPUTS {
        let message = format!("{} outputs: expected at most {MAX_OUTPUTS}", entries.len());
        checker.problem(node.at, "out-of-range", message, Some("give a map in one of type json".to_owned()));
        return Box::default();
    }
    let sound = |(key, node): &(Key, Node)| is_sound(key, checker).then(|| read(key, node, checker));
    entries.iter().filter_map(sound).collect()
}

/// Reports the outputs that are declared and that what the step uses never gives: each attempt would fail.
pub(super) fn refuse_never_given(uses: &str, given: &[&str], fields: Fields<'_>, checker: &mut Checker) {
    let Some(Node { content: Content::Map(declared), .. }) = fields.get("outputs") else { return };
    for (key, _) in declared.iter().filter(|(key, _)| !given.contains(&&*key.text)) {
        let there = if given.is_empty() { "none".to_owned() } else { given.join(", ") };
        let message = format!("`uses: {uses}` never gives the output `{}`; its outputs: {there}", key.text);
        let hint = checker.did_you_mean(&key.text, given.iter().copied());
        checker.problem(key.at, "unknown-output", message, hint.or(Some("remove it".to_owned())));
    }
}

/// Whether this may be the key of an output; reported, where it may not.
pub(super) fn is_sound(key: &Key, checker: &mut Checker) -> bool {
    if is_output_key(&key.text) {
        return true;
    }
    // An empty one was told of when the tree was read.
    if !key.text.is_empty() {
        let shown: String = key.text.chars().take(64).collect();
        let message = format!("output `{shown}` must match [a-z][a-z0-9_]*");
        let hint = key.text.to_ascii_lowercase().replace(['-', ' ', '.'], "_");
        let hint =
            is_output_key(&hint).then(|| format!("write {}", hint.chars().take(64).collect::<String>()));
        checker.problem(key.at, "bad-name", message, hint);
    }
    false
}

fn read(key: &Key, node: &Node, checker: &mut Checker) -> DeclaredOutput {
    let (kind, description) = match &node.content {
        Content::Map(_) => read_long(node, checker),
        Content::Scalar { .. } if !node.is_nothing() => {
            let word = checker.text(node, &key.text);
            (word.and_then(|word| read_kind(word, node.at, (node.at, None), checker)), None)
        }
        _ => {
            let hint = Some(format!("write {}: int, or {}: {{type: int}}", key.text, key.text));
            checker.wrong_type(node, &key.text, "a type, such as int", hint);
            (None, None)
        }
    };
    DeclaredOutput { key: key.text.to_string(), kind: kind.unwrap_or(ParamKind::Json), description }
}

/// Reads `{type: int, description: ...}`.
fn read_long(node: &Node, checker: &mut Checker) -> (Option<ParamKind>, Option<String>) {
    let Some(fields) = OUTPUT.read(node, checker) else { return (None, None) };
    let description =
        fields.get("description").and_then(|node| checker.text(node, "description")).map(str::to_owned);
    let Some(kind) = fields.get("type") else {
        let hint = Some("write {type: int}".to_owned());
        checker.problem(node.at, "missing-field", "an output needs a `type`", hint);
        return (None, description);
    };
    let word = checker.text(kind, "type");
    (word.and_then(|word| read_kind(word, kind.at, (node.at, fields.get("values")), checker)), description)
}
