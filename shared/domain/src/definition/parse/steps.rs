//! `steps:` as a whole: names that are unique, dependencies that exist, and no cycle among them.

use std::collections::{HashMap, HashSet};

use super::super::checker::Checker;
use super::super::document::{Content, Node};
use super::super::problem::Position;
use super::super::{LockUse, RunOutputs, Step};
use super::expression::Names;
use super::never::warn_of_never;
use super::reach::{check_outputs, places_of};
use super::rule::ParsedDependency;
use super::run_outputs::read_run_outputs;
use super::step::{Defaults, ParsedStep, hooks_of, read_step};
use crate::graph::{Cycle, Dependency, Graph};
use crate::lock::size_in_words;
use crate::{Hook, StepIndex, When};

pub(in crate::definition) const MAX_STEPS: usize = 100_000;

/// The greatest number of steps of a cycle that a message names.
const MAX_NAMED: usize = 20;

/// The steps of a workflow, and what can be read only once all of them are known.
pub(super) struct ParsedSteps {
    pub(super) steps: Vec<Step>,
    pub(super) graph: Graph,
    pub(super) outputs: Option<RunOutputs>,
    /// The workflows that steps run, where these are no expressions.
    pub(super) calls: Vec<(Position, Box<str>)>,
}

/// Reads the steps of `node` and the hooks of all of them and of the workflow, who of them waits for whom, and what a run
/// hands on of what they give. Hooks come after the steps: those of steps, then those of the workflow.
pub(super) fn read_steps(
    node: Node,
    workflow: &Node,
    defaults: &Defaults,
    names: Names<'_>,
    checker: &mut Checker,
) -> Option<ParsedSteps> {
    let (at, count) = (node.at, checker.list(&node, "steps", "steps", None)?.len());
    if count == 0 || count > MAX_STEPS {
        let message = format!("{count} steps: expected 1 to {MAX_STEPS}");
        checker.problem(at, "out-of-range", message, None);
        return None;
    }
    let Content::List(items) = node.content else { return None };
    let (mut parsed, mut steps) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut hooks = Vec::new();
    for mut item in items {
        let Some((one, step)) = read_step(&item, defaults, names, checker) else { continue };
        let own = When::ALL.into_iter().filter_map(|when| Some((when, item.take(when.as_str())?)));
        hooks.extend(own.map(|(when, node)| (parsed.len(), when, node)));
        parsed.push(one);
        steps.extend(step);
    }
    read_hooks(&hooks, workflow, (&mut parsed, &mut steps), defaults, names, checker);
    if parsed.len() > MAX_STEPS {
        let message = format!("{} steps with their hooks: expected at most {MAX_STEPS}", parsed.len());
        checker.problem(at, "out-of-range", message, None);
        return None;
    }
    refuse_rules_over_none(&parsed, checker);
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
    let outputs =
        workflow.get("outputs").and_then(|node| read_run_outputs(node, &parsed, &places, names, checker));
    warn_of_never(&parsed, &graph, checker);
    if steps.len() < parsed.len() {
        return None;
    }
    refuse_conflicts(&parsed, &steps, checker);
    steps.iter_mut().zip(&parsed).for_each(|(step, parsed)| complete(step, parsed, &places));
    let calls = parsed.into_iter().filter_map(|step| step.calls).collect();
    Some(ParsedSteps { steps, graph, outputs, calls })
}

/// Reads the hooks of the steps, by their places, which are steps that depend on theirs; and those of the workflow.
fn read_hooks(
    of_steps: &[(usize, When, Node)],
    workflow: &Node,
    (parsed, steps): (&mut Vec<ParsedStep>, &mut Vec<Step>),
    defaults: &Defaults,
    names: Names<'_>,
    checker: &mut Checker,
) {
    let of_steps = of_steps.iter().map(|(place, when, node)| (*when, Some(*place), node));
    let of_workflow = hooks_of(workflow).into_iter().map(|(when, node)| (when, None, node));
    for (when, of, node) in of_steps.chain(of_workflow) {
        let hint = Some(format!("write {when}: [{{name: tell, run: ./tell.sh}}]"));
        for item in checker.list(node, when.as_str(), "steps", hint).unwrap_or_default() {
            let Some((mut hook, step)) = read_step(item, defaults, names, checker) else { continue };
            if let Some((when, node)) = hooks_of(item).first() {
                let message = format!("a hook has no hooks of its own: `{when}` goes with a step");
                checker.problem(node.at, "bad-field", message, Some("remove it".to_owned()));
            }
            hook.hook = Some(match of {
                Some(place) => Hook::Step(when, place.into()),
                None => Hook::Run(when),
            });
            if let Some(name) = of.and_then(|place| parsed[place].name.clone()) {
                hook.depends_on.insert(0, ParsedDependency { name, at: hook.at, status: when.status() });
            }
            parsed.push(hook);
            steps.extend(step);
        }
    }
}

/// Completes a step: what it is the hook of, the places of the steps whose outputs it uses, the outputs that it declares.
fn complete(step: &mut Step, parsed: &ParsedStep, places: &HashMap<&str, StepIndex>) {
    step.inputs = places_of(&parsed.outputs, places);
    step.task_inputs = places_of(&parsed.outputs[parsed.of_start..], places);
    step.hook = parsed.hook;
    step.outputs.clone_from(&parsed.declared);
}

/// Reports the rules that want something of dependencies, where there are none. A hook of a step depends on it.
fn refuse_rules_over_none(parsed: &[ParsedStep], checker: &mut Checker) {
    for step in parsed.iter().filter(|step| step.depends_on.is_empty()) {
        if let (rule, Some(at)) = (step.rule, step.rule_at)
            && rule.needs_dependencies()
        {
            let message = format!("`trigger_rule: {rule}` never holds for a step that depends on none");
            checker.problem(at, "bad-value", message, Some("give it `depends_on`".to_owned()));
        }
    }
}

/// Reports the locks that steps of one workflow declare with different numbers of slots.
fn refuse_conflicts(parsed: &[ParsedStep], steps: &[Step], checker: &mut Checker) {
    let words = |lock: &LockUse| size_in_words(lock.shared, lock.slots);
    let mut declared: HashMap<&str, (&LockUse, &str)> = HashMap::new();
    for (parsed, step) in parsed.iter().zip(steps) {
        for lock in &step.locks {
            let Some(name) = lock.name.as_literal() else { continue };
            let (other, first) = *declared.entry(name).or_insert((lock, step.name.as_str()));
            if other.slots != lock.slots {
                let message = format!(
                    "lock `{name}` {} as step `{}` says, and {} as step `{first}` does",
                    words(lock),
                    step.name,
                    words(other)
                );
                let hint = match lock.shared || other.shared {
                    true => "a lock that is shared has one slot: write another name for one of them",
                    false => "write the same `slots` in both",
                };
                let hint = Some(hint.to_owned());
                checker.problem(parsed.at, "lock-conflict", message, hint);
            }
        }
    }
}

/// The place of each name: where it is first given to a step.
fn places<'p>(parsed: &'p [ParsedStep], checker: &mut Checker) -> HashMap<&'p str, StepIndex> {
    let mut places = HashMap::with_capacity(parsed.len());
    for (index, step) in parsed.iter().enumerate() {
        let Some(name) = step.name.as_deref() else { continue };
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
    parsed: &[ParsedStep],
    places: &HashMap<&str, StepIndex>,
    checker: &mut Checker,
) -> Vec<Vec<Dependency>> {
    let mut seen = HashSet::new();
    let mut all = Vec::with_capacity(parsed.len());
    for step in parsed {
        let own = step.name();
        seen.clear();
        let mut indexes = Vec::with_capacity(step.depends_on.len());
        for ParsedDependency { name, at, status } in &step.depends_on {
            let (name, at, status) = (&**name, *at, *status);
            if !seen.insert(name) {
                let message = format!("step `{own}` depends on `{name}` twice");
                checker.problem(at, "duplicate-dependency", message, Some("remove one of them".to_owned()));
            } else if name == own {
                let message = format!("step `{own}` depends on itself");
                checker.problem(at, "self-dependency", message, None);
            } else if let Some(index) = places.get(name) {
                check_hooks(step, &parsed[index.at()], at, checker);
                indexes.push(Dependency { on: *index, status });
            } else {
                let others =
                    parsed.iter().filter_map(|step| step.name.as_deref()).filter(|other| *other != own);
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

/// Hooks of the run start when all else has ended: nothing else waits for one, and they wait for hooks like them only.
fn check_hooks(step: &ParsedStep, on: &ParsedStep, at: Position, checker: &mut Checker) {
    let is_run_hook = |step: &ParsedStep| matches!(step.hook, Some(Hook::Run(_)));
    let (own, name) = (step.name(), on.name());
    let message = match (step.hook, on.hook) {
        (Some(Hook::Run(one)), Some(Hook::Run(other))) if one == other => return,
        (Some(Hook::Run(one)), Some(Hook::Run(other))) => {
            format!("hook `{own}` of {one} cannot depend on `{name}`, which is one of {other}")
        }
        (Some(Hook::Run(_)), _) => {
            format!(
                "hook `{own}` of the workflow starts when all steps have ended: it cannot depend on `{name}`"
            )
        }
        _ if is_run_hook(on) => {
            format!("step `{own}` cannot depend on `{name}`, a hook that starts when all steps have ended")
        }
        _ => return,
    };
    checker.problem(at, "bad-dependency", message, Some("remove it".to_owned()));
}

fn report_cycle(cycle: &Cycle, parsed: &[ParsedStep], checker: &mut Checker) {
    let name =
        |index: &StepIndex| parsed.get(index.at()).and_then(|step| step.name.as_deref()).unwrap_or("?");
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
