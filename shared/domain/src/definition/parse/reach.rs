//! Whether the outputs that a step uses can be there: each must come from a step that it waits for, directly or
//! not; and those of which the outputs of a run are made. Only steps that use outputs cost anything.

use std::collections::{BTreeSet, HashMap};

use super::super::checker::Checker;
use super::super::outputs::list_keys;
use super::expression::OutputUse;
use super::step::ParsedStep;
use crate::graph::Graph;
use crate::{Hook, StepIndex};

/// The greatest number of edges that are walked in all. Past it, a use must name its step in `depends_on`.
const MAX_EDGES: usize = 20_000_000;

/// Reports every use of an output whose step comes too late, or never.
pub(super) fn check_outputs(
    parsed: &[ParsedStep],
    places: &HashMap<&str, StepIndex>,
    graph: &Graph,
    checker: &mut Checker,
) {
    let mut walk: Option<Walk<'_>> = None;
    for (index, step) in parsed.iter().enumerate() {
        refuse_keys(&step.outputs, parsed, places, checker);
        let own = step.name();
        let mut wanted: HashMap<StepIndex, usize> = HashMap::new();
        for (at, output) in step.outputs.iter().enumerate() {
            match place_of(output, parsed, places, checker) {
                None => {}
                // All steps have ended when the hooks of the run start.
                Some(place) if is_run_hook(step) && !is_run_hook(&parsed[place.at()]) => {}
                Some(place) => {
                    wanted.entry(place).or_insert(at);
                }
            }
        }
        if wanted.is_empty() {
            continue;
        }
        let walk = walk.get_or_insert_with(|| Walk::new(graph));
        walk.remove_reached(index.into(), &mut wanted);
        let mut late: Vec<usize> = wanted.into_values().collect();
        late.sort_unstable();
        for output in late.iter().map(|at| &step.outputs[*at]) {
            let step = &output.step;
            let (message, hint) = if step == own {
                (format!("step `{own}` cannot use its own outputs"), None)
            } else {
                let hint = format!("add `{step}` to depends_on of `{own}`");
                (format!("step `{own}` does not depend on `{step}`, whose outputs it uses"), Some(hint))
            };
            checker.problem(output.at, "not-a-dependency", message, hint);
        }
    }
}

/// The places of the steps whose outputs are used, in order, each once.
pub(super) fn places_of(outputs: &[OutputUse], places: &HashMap<&str, StepIndex>) -> Box<[StepIndex]> {
    let place = |output: &OutputUse| places.get(output.step.as_str()).copied();
    let inputs: BTreeSet<StepIndex> = outputs.iter().filter_map(place).collect();
    inputs.into_iter().collect()
}

/// The place of the step whose output is used; reported, where there is no such step.
fn place_of(
    output: &OutputUse,
    parsed: &[ParsedStep],
    places: &HashMap<&str, StepIndex>,
    checker: &mut Checker,
) -> Option<StepIndex> {
    let place = places.get(output.step.as_str()).copied();
    if place.is_none() {
        let hint = checker.did_you_mean(&output.step, parsed.iter().filter_map(|step| step.name.as_deref()));
        let message = format!("`outputs.{}`: there is no such step", output.step);
        checker.problem(output.at, "unknown-step", message, hint);
    }
    place
}

fn is_run_hook(step: &ParsedStep) -> bool {
    matches!(step.hook, Some(Hook::Run(_)))
}

/// Reports the uses of outputs that the outputs of a run cannot be made of: those of hooks of the run, which start when
/// all other steps have ended, come too late.
pub(super) fn check_run_outputs(
    used: &[OutputUse],
    parsed: &[ParsedStep],
    places: &HashMap<&str, StepIndex>,
    checker: &mut Checker,
) {
    refuse_keys(used, parsed, places, checker);
    for output in used {
        let place = place_of(output, parsed, places, checker);
        if place.is_some_and(|place| is_run_hook(&parsed[place.at()])) {
            let name = &output.step;
            let message =
                format!("`outputs.{name}`: `{name}` is a hook that starts when all steps have ended");
            let hint = Some("a run hands on what its steps give".to_owned());
            checker.problem(output.at, "not-a-dependency", message, hint);
        }
    }
}

/// Reports the uses of a key that cannot be there: one of a list, which the outputs of a step that fans out are, and one
/// that a step does not declare which declares its outputs.
fn refuse_keys(
    used: &[OutputUse],
    parsed: &[ParsedStep],
    places: &HashMap<&str, StepIndex>,
    checker: &mut Checker,
) {
    for output in used {
        let (name, Some(key)) = (&output.step, &output.key) else { continue };
        let Some(of) = places.get(name.as_str()).map(|place| &parsed[place.at()]) else { continue };
        if of.fans_out {
            let message =
                format!("`outputs.{name}` is a list, with the outputs of each item: it has no `{key}`");
            let hint = format!("write outputs.{name} | select | map(attribute='{key}')");
            checker.problem(output.at, "wrong-type", message, Some(hint));
        } else if !of.declared.is_empty() && of.declared.iter().all(|declared| declared.key != *key) {
            let message = format!(
                "`outputs.{name}.{key}`: step `{name}` does not declare it; its outputs: {}",
                list_keys(&of.declared)
            );
            let near = checker.did_you_mean(key, of.declared.iter().map(|declared| declared.key.as_str()));
            let hint = near.unwrap_or_else(|| format!("add `{key}` to outputs of `{name}`"));
            checker.problem(output.at, "unknown-output", message, Some(hint));
        }
    }
}

/// A walk backwards from steps, with what all walks share.
struct Walk<'g> {
    graph: &'g Graph,
    depths: Vec<u32>,
    /// The step from which each step was last reached.
    reached: Vec<Option<StepIndex>>,
    edges: usize,
}

impl<'g> Walk<'g> {
    fn new(graph: &'g Graph) -> Self {
        Self { graph, depths: graph.depths(), reached: vec![None; graph.len()], edges: 0 }
    }

    /// Takes out of `wanted` what `from` waits for. A step less deep than all that is wanted cannot lead to it.
    fn remove_reached(&mut self, from: StepIndex, wanted: &mut HashMap<StepIndex, usize>) {
        let shallowest = wanted.keys().map(|step| self.depths[step.at()]).min().unwrap_or(0);
        let mut open = vec![from];
        while let Some(step) = open.pop() {
            for &before in self.graph.dependencies(step) {
                self.edges += 1;
                if self.edges > MAX_EDGES && step != from {
                    return;
                }
                if self.reached[before.at()] == Some(from) {
                    continue;
                }
                self.reached[before.at()] = Some(from);
                wanted.remove(&before);
                if wanted.is_empty() {
                    return;
                }
                if self.depths[before.at()] > shallowest {
                    open.push(before);
                }
            }
        }
    }
}
