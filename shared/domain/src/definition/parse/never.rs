//! Steps that can never start, whatever happens: they are warned of. Only workflows with rules or statuses cost anything.

use super::super::checker::Checker;
use super::step::ParsedStep;
use crate::TriggerRule;
use crate::graph::Graph;
use crate::rule::{Ending, Judgement, Status};
use crate::{StepIndex, StepName};

/// The ways in which a step can end, as those that wait for it see it.
type Endings = Vec<Ending>;

/// Warns of each step whose rule can never hold.
pub(super) fn warn_of_never(parsed: &[ParsedStep<'_>], graph: &Graph, checker: &mut Checker) {
    let has_rule = |step: &ParsedStep<'_>| {
        step.step.as_ref().is_some_and(|step| step.rule != TriggerRule::default())
            || step.depends_on.iter().any(|dependency| dependency.status != Status::default())
    };
    if !parsed.iter().any(has_rule) {
        return;
    }
    let depths = graph.depths();
    let mut order: Vec<StepIndex> = (0..graph.len()).map(StepIndex::from).collect();
    order.sort_by_key(|step| depths[step.at()]);
    let mut endings: Vec<Endings> = vec![Endings::new(); graph.len()];
    for index in order {
        let Some(step) = parsed.get(index.at()).and_then(|parsed| parsed.step.as_ref()) else { continue };
        let judgements: Vec<Vec<Judgement>> = graph
            .dependency_edges(index)
            .map(|(on, status)| endings[on.at()].iter().map(|ending| status.judge(*ending)).collect())
            .collect();
        let can_hold = can_hold(step.rule, &judgements);
        if !can_hold {
            warn(parsed, index, &step.name, step.rule, checker);
        }
        let fails = if step.continue_on_error { Ending::Succeeded } else { Ending::Failed };
        let mut possible = if can_hold { vec![Ending::Succeeded, fails] } else { Endings::new() };
        if !judgements.is_empty() || step.condition.is_some() {
            possible.push(Ending::Skipped);
        }
        if judgements.iter().flatten().any(|judgement| *judgement == Judgement::Failed) {
            possible.push(Ending::SkippedAfterFailure);
        }
        endings[index.at()] = possible;
    }
}

/// Whether a rule can hold when each dependency can be judged so.
fn can_hold(rule: TriggerRule, judgements: &[Vec<Judgement>]) -> bool {
    use Judgement::{Failed, Met, PassedOver};
    let can =
        |judgements: &Vec<Judgement>, wanted: &[Judgement]| judgements.iter().any(|j| wanted.contains(j));
    let all = |wanted: &[Judgement]| judgements.iter().all(|one| can(one, wanted));
    let any = |wanted: &[Judgement]| judgements.iter().any(|one| can(one, wanted));
    match rule {
        TriggerRule::AllFinished => true,
        TriggerRule::AllSuccess => all(&[Met]),
        TriggerRule::OneSuccess => any(&[Met]),
        TriggerRule::OneFailed => any(&[Failed]),
        TriggerRule::NoneFailed => all(&[Met, PassedOver]),
        TriggerRule::AllFailed => all(&[Failed]),
        TriggerRule::NoneSkipped => all(&[Met, Failed]),
    }
}

fn warn(
    parsed: &[ParsedStep<'_>],
    index: StepIndex,
    name: &StepName,
    rule: TriggerRule,
    checker: &mut Checker,
) {
    let step = &parsed[index.at()];
    let is_excused = |wanted: &str| {
        let mut steps = parsed.iter().filter_map(|parsed| parsed.step.as_ref());
        steps.any(|step| step.name.as_str() == wanted && step.continue_on_error)
    };
    let excused = step.depends_on.iter().find(|dependency| is_excused(dependency.name));
    let (at, hint) = match excused {
        Some(on) => {
            let name = on.name;
            (on.at, format!("`{name}` has continue_on_error: to those that wait for it, it never fails"))
        }
        None => (step.at, "it waits for an end that what it waits for cannot have".to_owned()),
    };
    let message = format!("step `{name}` can never start: its rule, `{rule}`, can never hold");
    checker.warning(at, "rule-never-holds", message, Some(hint));
}
