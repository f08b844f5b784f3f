//! `outputs:` of a workflow: what a run hands on as a whole.

use std::collections::HashMap;

use super::super::RunOutputs;
use super::super::checker::Checker;
use super::super::document::{Content, Node};
use super::expression::{Names, read_templated};
use super::outputs::{MAX_OUTPUTS, is_sound};
use super::reach::{check_run_outputs, places_of};
use super::step::ParsedStep;
use crate::StepIndex;

/// Reads the outputs of a run. Unlike a step, which waits for some others, they may use the outputs of all steps.
pub(super) fn read_run_outputs(
    node: &Node,
    parsed: &[ParsedStep],
    places: &HashMap<&str, StepIndex>,
    names: Names<'_>,
    checker: &mut Checker,
) -> Option<RunOutputs> {
    let Content::Map(entries) = &node.content else {
        let hint = Some("write outputs: {rows: \"${{ outputs.load.rows }}\"}".to_owned());
        checker.wrong_type(node, "outputs", "a map of keys and values", hint);
        return None;
    };
    if entries.len() > MAX_OUTPUTS {
        let message = format!("{} outputs: expected at most {MAX_OUTPUTS}", entries.len());
        checker.problem(node.at, "out-of-range", message, Some("give a map in one of them".to_owned()));
        return None;
    }
    let (mut values, mut used) = (Vec::with_capacity(entries.len()), Vec::new());
    for (key, value) in entries {
        let is_sound = is_sound(key, checker);
        let value = read_templated(value, names, &mut used, checker);
        values.extend(value.filter(|_| is_sound).map(|value| (Box::from(&*key.text), value)));
    }
    check_run_outputs(&used, parsed, places, checker);
    let inputs = places_of(&used, places);
    (!values.is_empty()).then(|| RunOutputs { values: values.into(), inputs })
}
