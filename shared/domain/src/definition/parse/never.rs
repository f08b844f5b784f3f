//! Steps that can never start, whatever happens: they are warned of. Only workflows with rules or statuses cost anything.

use super::super::checker::Checker;
use super::step::ParsedStep;
use crate::StepIndex;
use crate::TriggerRule;
use crate::graph::Graph;
use crate::rule::{Ending, Judgement, Status};

/// The ways in which a step can end, as those that wait for it see it.
type Endings = Vec<Ending>;

/// Warns of each step whose rule can never hold.
pub(super) fn warn_of_never(parsed: &[ParsedStep], graph: &Graph, checker: &mut Checker) {
    let has_rule = |step: &ParsedStep| {
        step.rule != TriggerRule::default()
            || step.depends_on.iter().any(|dependency| dependency.status != Status::default())
    };
    if checker.was_accepted || !parsed.iter().any(has_rule) {
        return;
    }
    let depths = graph.depths();
    let mut order: Vec<StepIndex> = (0..graph.len()).map(StepIndex::from).collect();
    order.sort_by_key(|step| depths[step.at()]);
    let mut endings: Vec<Endings> = vec![Endings::new(); graph.len()];
    for index in order {
        let step = &parsed[index.at()];
        let judgements: Vec<Vec<Judgement>> = graph
            .dependency_edges(index)
            .map(|(on, status)| endings[on.at()].iter().map(|ending| status.judge(*ending)).collect())
            .collect();
        let holds = can_hold(step.rule, &judgements);
        if let Err(culprit) = holds {
            let on = graph.dependencies(index).get(culprit).and_then(|on| parsed.get(on.at()));
            warn(step, culprit, on, checker);
        }
        let fails = if step.continue_on_error { Ending::Succeeded } else { Ending::Failed };
        let mut possible = if holds.is_ok() { vec![Ending::Succeeded, fails] } else { Endings::new() };
        if !judgements.is_empty() || step.is_conditional {
            possible.push(Ending::Skipped);
        }
        if judgements.iter().flatten().any(|judgement| *judgement == Judgement::Failed) {
            possible.push(Ending::SkippedAfterFailure);
        }
        endings[index.at()] = possible;
    }
}

/// Whether a rule can hold when each dependency can be judged so; otherwise the place of the first that is why.
fn can_hold(rule: TriggerRule, judgements: &[Vec<Judgement>]) -> Result<(), usize> {
    use Judgement::{Failed, Met, PassedOver};
    let can = |judgements: &[Judgement], wanted: &[Judgement]| judgements.iter().any(|j| wanted.contains(j));
    let all = |wanted: &[Judgement]| match judgements.iter().position(|one| !can(one, wanted)) {
        None => Ok(()),
        Some(culprit) => Err(culprit),
    };
    let any = |wanted: &[Judgement]| judgements.iter().any(|one| can(one, wanted)).then_some(()).ok_or(0);
    match rule {
        TriggerRule::AllFinished => Ok(()),
        TriggerRule::AllSuccess => all(&[Met]),
        TriggerRule::OneSuccess => any(&[Met]),
        TriggerRule::OneFailed => any(&[Failed]),
        TriggerRule::NoneFailed => all(&[Met, PassedOver]),
        TriggerRule::AllFailed => all(&[Failed]),
        TriggerRule::NoneSkipped => all(&[Met, Failed]),
    }
}

/// Warns of a step, by the dependency that is why: its place among those of the step, and the step that it is.
fn warn(step: &ParsedStep, culprit: usize, on: Option<&ParsedStep>, checker: &mut Checker) {
    let own = step.name();
    let (at, wants) =
        step.depends_on.get(culprit).map_or((step.at, Status::default()), |one| (one.at, one.status));
    let name = on.and_then(|on| on.name.as_deref()).unwrap_or("it");
    let is_excused = on.is_some_and(|on| on.continue_on_error);
    let hint = match is_excused && (wants == Status::Failed || step.rule != TriggerRule::default()) {
        true => format!("`{name}` has continue_on_error: to those that wait for it, it never fails"),
        false => format!("`{name}` can never end so"),
    };
    let message = format!("step `{own}` can never start: its rule, `{}`, can never hold", step.rule);
    checker.warning(at, "rule-never-holds", message, Some(hint));
}
