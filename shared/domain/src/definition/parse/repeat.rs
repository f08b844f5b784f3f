//! `repeat:` of a step.

use std::time::Duration;

use super::super::checker::Checker;
use super::super::document::Node;
use super::expression::{Names, OutputUse, told};
use super::fields::Schema;
use super::synonyms::Synonyms;
use crate::expression::Condition;
use crate::repeat::Repeat;

/// The wait between two times, unless the definition says otherwise.
pub(in crate::definition) const DELAY: Duration = Duration::from_secs(30);

/// The greatest number of times.
pub(in crate::definition) const MAX_TIMES: u32 = 1_000_000;

pub(in crate::definition) const REPEAT: Schema =
    Schema { what: "a repetition", known: &["until", "max", "delay"], later: &[], synonyms: OF_REPEAT };

/// The synonyms of the fields of `repeat`.
const OF_REPEAT: Synonyms = &[
    (&["while"], "write until: with the condition that ends it"),
    (&["interval", "every", "pollinterval", "pokeinterval", "wait", "sleep"], "write delay: 30s"),
    (&["times", "limit", "count", "maxattempts", "attempts", "maxiterations"], "write max: 60"),
    (&["condition", "if", "success", "done"], "write until: outputs.check.ready == 'yes'"),
];

/// Reads the repetition of the step called `own`, whose condition may use the outputs of the step itself.
pub(super) fn read_repeat(
    node: &Node,
    own: &str,
    names: Names<'_>,
    outputs: &mut Vec<OutputUse>,
    checker: &mut Checker,
) -> Option<Repeat> {
    let fields = REPEAT.read(node, checker)?;
    let missing = |field: &str, checker: &mut Checker| {
        let hint =
            Some("write repeat: {until: \"outputs.check.ready == 'yes'\", max: 60, delay: 30s}".to_owned());
        checker.problem(node.at, "missing-field", format!("`repeat` needs `{field}`"), hint);
    };
    let mut used = Vec::new();
    let until = match fields.get("until") {
        Some(until) => checker.text(until, "until").and_then(|text| {
            let condition = told(Condition::parse(text), until.at, checker)?;
            names.check(until.at, condition.uses(), &mut used, checker);
            Some(condition)
        }),
        None => {
            missing("until", checker);
            None
        }
    };
    outputs.extend(used.into_iter().filter(|output| output.step != own));
    let max = match fields.get("max") {
        Some(max) => checker.integer(max, "max", 1..=MAX_TIMES),
        None => {
            missing("max", checker);
            None
        }
    };
    let delay = match fields.get("delay") {
        Some(delay) => checker.duration(delay, "delay"),
        None => Some(DELAY),
    };
    Some(Repeat { until: until?, max: max?, delay: delay? })
}
