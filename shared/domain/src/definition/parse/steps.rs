//! `steps:` as a whole: names that are unique, dependencies that exist, and no cycle among them.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::super::Step;
use super::super::checker::Checker;
use super::super::document::Node;
use super::expression::{Names, OutputUse};
use super::never::warn_of_never;
use super::reach::check_outputs;
use super::rule::ParsedDependency;
use super::step::{Defaults, ParsedStep, read_step};
use crate::StepIndex;
use crate::graph::{Cycle, Dependency, Graph};

const MAX_STEPS: usize = 100_000;

/// The greatest number of steps of a cycle that a message names.
const MAX_NAMED: usize = 20;

/// Reads the steps of `node`, and who of them waits for whom.
pub(super) fn read_steps(
    node: &Node,
    defaults: &Defaults,
    names: Names<'_>,
    checker: &mut Checker,
) -> Option<(Vec<Step>, Graph)> {
    let items = checker.list(node, "steps", "steps", None)?;
    if items.is_empty() || items.len() > MAX_STEPS {
        let message = format!("{} steps: expected 1 to {MAX_STEPS}", items.len());
        checker.problem(node.at, "out-of-range", message, None);
        return None;
    }
    let parsed: Vec<ParsedStep<'_>> =
        items.iter().filter_map(|item| read_step(item, defaults, names, checker)).collect();
    let places = places(&parsed, checker);
    let dependencies = dependencies(&parsed, &places, checker);
    let graph = match Graph::build(&dependencies) {
        Ok(graph) => graph,
        Err(cycle) => {
            report_cycle(&cycle, &parsed, checker);
            return None;
        }
    };
    check_outputs(&parsed, &places, &graph, checker);
    warn_of_never(&parsed, &graph, checker);
    let steps: Option<Vec<Step>> = parsed.into_iter().map(|parsed| with_inputs(parsed, &places)).collect();
    Some((steps?, graph))
}

/// The step, with the places of the steps whose outputs it uses.
fn with_inputs(parsed: ParsedStep<'_>, places: &HashMap<&str, StepIndex>) -> Option<Step> {
    let inputs = |outputs: &[OutputUse]| -> Box<[StepIndex]> {
        let place = |output: &OutputUse| places.get(output.step.as_str()).copied();
        let inputs: BTreeSet<StepIndex> = outputs.iter().filter_map(place).collect();
        inputs.into_iter().collect()
    };
    let (all, of_tasks) = (inputs(&parsed.outputs), inputs(&parsed.outputs[parsed.of_start..]));
    Some(Step { inputs: all, task_inputs: of_tasks, ..parsed.step? })
}

/// The place of each name: where it is first given to a step.
fn places<'t>(parsed: &[ParsedStep<'t>], checker: &mut Checker) -> HashMap<&'t str, StepIndex> {
    let mut places = HashMap::with_capacity(parsed.len());
    for (index, step) in parsed.iter().enumerate() {
        let Some(name) = step.name else { continue };
        if let Some(first) = places.get(name) {
            let line = parsed.get(StepIndex::at(*first)).map_or(0, |first| first.at.line);
            let message = format!("step `{name}` is defined twice: it is in line {line} too");
            checker.problem(step.at, "duplicate-step", message, None);
        } else {
            places.insert(name, StepIndex::from(index));
        }
    }
    places
}

fn dependencies(
    parsed: &[ParsedStep<'_>],
    places: &HashMap<&str, StepIndex>,
    checker: &mut Checker,
) -> Vec<Vec<Dependency>> {
    let mut seen = HashSet::new();
    let mut all = Vec::with_capacity(parsed.len());
    for step in parsed {
        let own = step.name.unwrap_or_default();
        seen.clear();
        let mut indexes = Vec::with_capacity(step.depends_on.len());
        for &ParsedDependency { name, at, status } in &step.depends_on {
            if !seen.insert(name) {
                let message = format!("step `{own}` depends on `{name}` twice");
                checker.problem(at, "duplicate-dependency", message, Some("remove one of them".to_owned()));
            } else if name == own {
                let message = format!("step `{own}` depends on itself");
                checker.problem(at, "self-dependency", message, None);
            } else if let Some(index) = places.get(name) {
                indexes.push(Dependency { on: *index, status });
            } else {
                let others = parsed.iter().filter_map(|step| step.name).filter(|other| *other != own);
                let hint = checker.did_you_mean(name, others);
                let shown: String = name.chars().take(64).collect();
                let message = format!("step `{own}` depends on `{shown}`, which does not exist");
                checker.problem(at, "unknown-dependency", message, hint);
            }
        }
        all.push(indexes);
    }
    all
}

fn report_cycle(cycle: &Cycle, parsed: &[ParsedStep<'_>], checker: &mut Checker) {
    let name = |index: &StepIndex| parsed.get(index.at()).and_then(|step| step.name).unwrap_or("?");
    let mut names: Vec<&str> = cycle.steps.iter().take(MAX_NAMED).map(name).collect();
    if cycle.steps.len() > MAX_NAMED {
        names.push("…");
    }
    names.extend(cycle.steps.first().map(name));
    let Some(first) = cycle.steps.first().and_then(|index| parsed.get(index.at())) else { return };
    let at = first.depends_on.first().map_or(first.at, |dependency| dependency.at);
    let message = format!("steps wait for each other: {}", names.join(" -> "));
    let hint = "each depends on the next; remove one of these dependencies".to_owned();
    checker.problem(at, "dependency-cycle", message, Some(hint));
}
