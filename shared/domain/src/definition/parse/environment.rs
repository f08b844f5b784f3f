//! `env:` of a workflow, of `defaults` and of a step.

use super::super::checker::Checker;
use super::super::document::Node;
use super::expression::{Names, OutputUse, read_template};
use crate::environment;
use crate::expression::Template;

/// The greatest number of variables that one map may set.
pub(in crate::definition) const MAX_VARIABLES: usize = 1000;

/// Reads the variables of `node`, in the order of the file.
pub(super) fn read_env(
    node: &Node,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Vec<(String, Template)> {
    let entries = checker.map(node, "env", "names and values").unwrap_or_default();
    if entries.len() > MAX_VARIABLES {
        let message = format!("`env` has {} names: expected at most {MAX_VARIABLES}", entries.len());
        checker.problem(node.at, "out-of-range", message, None);
        return Vec::new();
    }
    let mut env = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        if let Err(error) = environment::check_name(&key.text) {
            checker.problem(key.at, "bad-env", error.to_string(), None);
            continue;
        }
        if value.is_nothing() {
            let hint = Some("write \"\" for an empty value".to_owned());
            checker.wrong_type(value, &key.text, "a text", hint);
            continue;
        }
        let Some(template) = read_template(value, &key.text, names, outputs, checker) else { continue };
        if let (Some(text), true) = (checker.text(value, &key.text), template.is_literal())
            && let Err(error) = environment::check_value(&key.text, text)
        {
            checker.problem(value.at, "bad-env", error.to_string(), None);
            continue;
        }
        env.push((key.text.to_string(), template));
    }
    env
}
