//! Expressions in a definition: read where they stand, and held against what there is at that place.

use serde_json::Value;

use super::super::Param;
use super::super::checker::Checker;
use super::super::document::{Content, Node};
use super::super::problem::Position;
use super::json;
use crate::expression::{ExpressionError, Template, Templated, Use};

/// The greatest number of params that a message lists.
const MAX_LISTED: usize = 20;

/// The names that expressions may use at some place.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    /// The params that are declared before that place.
    pub(super) params: &'a [Param],
    pub(super) place: Place,
}

/// The place of an expression in a definition.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The default of a param: there is no run yet.
    Default,
    /// The environment of all steps: no step has outputs for all of them.
    Workflow,
    /// A field of a step as a whole.
    Step,
    /// A field of a step that fans out, for each of its items.
    Item,
}

/// The use of an output by a step; whether the step waits for it is checked once all steps are known.
pub(super) struct OutputUse {
    pub(super) at: Position,
    pub(super) step: String,
    /// The key of the output; without one, all of them.
    pub(super) key: Option<String>,
}

/// Reads a text that may hold expressions.
pub(super) fn read_template(
    node: &Node,
    field: &str,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<Template> {
    let text = checker.text(node, field)?;
    if !text.contains("${{") {
        return Some(Template::literal(text.to_owned()));
    }
    let template = told(Template::parse(text), node.at, checker)?;
    names.check(node.at, template.uses(), outputs, checker);
    Some(template)
}

/// Reads JSON whose texts may hold expressions.
pub(super) fn read_templated(
    node: &Node,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<Templated> {
    let mut sound = true;
    check_texts(node, names, outputs, checker, &mut sound);
    if !sound {
        return None;
    }
    told(Templated::parse(json::of_node(node)), node.at, checker)
}

/// Checks every text of a tree where it stands.
fn check_texts(
    node: &Node,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
    sound: &mut bool,
) {
    match &node.content {
        Content::Scalar { text, .. } if text.contains("${{") => {
            match told(Template::parse(text), node.at, checker) {
                Some(template) => names.check(node.at, template.uses(), outputs, checker),
                None => *sound = false,
            }
        }
        Content::List(items) => {
            items.iter().for_each(|item| check_texts(item, names, outputs, checker, sound));
        }
        Content::Map(entries) => {
            entries.iter().for_each(|(_, value)| check_texts(value, names, outputs, checker, sound));
        }
        Content::Scalar { .. } | Content::Refused => {}
    }
}

/// Reads a template that was put together here from `value`, which the user wrote at `at`.
pub(super) fn templated_of(value: Value, at: Position, checker: &mut Checker) -> Option<Templated> {
    told(Templated::parse(value), at, checker)
}

/// The result, or its error as a problem of the text at `at`.
pub(super) fn told<T>(result: Result<T, ExpressionError>, at: Position, checker: &mut Checker) -> Option<T> {
    result.map_err(|error| checker.problem(at, error.code, error.message, None)).ok()
}

impl Names<'_> {
    /// Reports the names among `uses` that cannot be used here, and notes those that are outputs.
    pub(super) fn check<'u>(
        self,
        at: Position,
        uses: impl Iterator<Item = &'u Use>,
        outputs: &mut Vec<OutputUse>,
        checker: &mut Checker,
    ) {
        for name in uses {
            match name {
                Use::Param(param) => self.check_param(at, param, checker),
                Use::Output { step, key } if matches!(self.place, Place::Step | Place::Item) => {
                    outputs.push(OutputUse { at, step: step.clone(), key: key.clone() });
                }
                Use::Output { step, .. } => {
                    let message = format!("`outputs.{step}` cannot be used here: there are no outputs yet");
                    checker.problem(
                        at,
                        "unknown-name",
                        message,
                        Some("use it in the `env` of a step".to_owned()),
                    );
                }
                Use::Run if self.place == Place::Default => {
                    let message =
                        "`run` cannot be used in a default: expected params declared before, or fire";
                    checker.problem(at, "unknown-name", message, None);
                }
                Use::Item | Use::ItemIndex if self.place != Place::Item => {
                    let word = if *name == Use::Item { "item" } else { "item_index" };
                    let message = format!("`{word}` cannot be used here: there is no item");
                    let hint = "an item is known to `env`, `with`, `locks`, `rate` and `repeat.until` of a step with foreach, matrix or shards"
                        .to_owned();
                    checker.problem(at, "unknown-name", message, Some(hint));
                }
                Use::Run | Use::Params | Use::Fire | Use::Item | Use::ItemIndex => {}
            }
        }
    }

    fn check_param(self, at: Position, param: &str, checker: &mut Checker) {
        if self.params.iter().any(|declared| declared.name.as_str() == param) {
            return;
        }
        let declared = || self.params.iter().map(|declared| declared.name.as_str());
        let there = match (self.params, self.place) {
            ([], Place::Default) => "no params are declared before this one".to_owned(),
            ([], _) => "no params are declared".to_owned(),
            (all, _) => {
                let shown = declared().take(MAX_LISTED).collect::<Vec<_>>().join(", ");
                format!("params: {shown}{}", if all.len() > MAX_LISTED { ", …" } else { "" })
            }
        };
        let hint = checker.did_you_mean(param, declared());
        checker.problem(at, "undeclared-param", format!("`params.{param}` is not declared; {there}"), hint);
    }
}
