//! The reference interpreter against sentences of `docs/definitions.md` about items, repetitions, hooks and runs within runs, worked
//! out by hand.

use std::collections::BTreeMap;

use millrace_domain::Outcome;
use serde_json::json;

use crate::reference::{
    Attempt, Child, Dependency, End, Fan, Hook, Items, Name, Params, Repeat, Rule, Said, Status, Step, Task,
    Tolerance, Until, When, Work, Workflow, given_by, interpret, outcome_of_run, wanted_by_hook,
};

const SUCCEEDS: Attempt = Attempt { outcome: Outcome::Succeeded, output: None };
const FAILS: Attempt = Attempt { outcome: Outcome::Failed, output: None };
const IS_LOST: Attempt = Attempt { outcome: Outcome::Lost, output: None };

fn gives(v: i64) -> Attempt {
    Attempt { output: Some(v), ..SUCCEEDS }
}

fn step(work: Task) -> Step {
    Step {
        hook: None,
        depends_on: Vec::new(),
        trigger_rule: Rule::AllSuccess,
        condition: None,
        continue_on_error: false,
        not_before: None,
        work: Work::Task(work),
    }
}

/// A step over the list that comes with `v`.
fn over(v: i64, tolerate: Tolerance) -> Fan {
    Fan { items: Items::Literal(v), max_parallel: None, tolerate, fail_fast: false, reads_item: false }
}

fn fanned(fan: Fan, attempts: &[Attempt]) -> End {
    ends(&[(step(Task { fan: Some(fan), ..Task::default() }), attempts)], None).remove(0)
}

fn ends(steps: &[(Step, &[Attempt])], outcome: Option<Outcome>) -> Vec<End> {
    let workflow =
        Workflow { steps: steps.iter().map(|(step, _)| step.clone()).collect(), ..Workflow::default() };
    let attempts: Vec<Vec<Attempt>> = steps.iter().map(|(_, attempts)| attempts.to_vec()).collect();
    interpret(&workflow, &attempts, &BTreeMap::new(), &Said::default(), outcome)
}

#[test]
fn a_step_succeeds_when_no_more_items_have_failed_than_are_tolerated() {
    let none = Tolerance::Number(0);
    assert_eq!(fanned(over(0, none), &[FAILS]).outcome, Outcome::Succeeded);
    assert_eq!(fanned(over(4, none), &[SUCCEEDS]).outcome, Outcome::Succeeded);
    // Of four items, those at an even place do the first, and the others begin with the second.
    let half = |tolerate| fanned(over(4, tolerate), &[FAILS, SUCCEEDS]).outcome;
    assert_eq!(half(Tolerance::Number(2)), Outcome::Succeeded);
    assert_eq!(half(Tolerance::Number(1)), Outcome::Failed);
    assert_eq!(half(Tolerance::Share(500)), Outcome::Succeeded);
    assert_eq!(half(Tolerance::Share(499)), Outcome::Failed);
}

#[test]
fn what_the_items_gave_is_in_order_with_null_for_one_that_did_not_succeed() {
    let end = fanned(over(4, Tolerance::Number(4)), &[gives(1), FAILS, SUCCEEDS]);
    let one = json!({"v": 1, "list": [{"v": 0}]});
    assert_eq!(given_by(&end), Some(vec![one.clone(), json!(null), json!({}), one]));
}

#[test]
fn what_an_item_needs_and_cannot_be_rendered_fails_that_item_alone() {
    // The list that comes with four is without a `v` at its first place.
    let end = fanned(Fan { reads_item: true, ..over(4, Tolerance::Number(1)) }, &[SUCCEEDS]);
    let attempts: Vec<u32> = end.items.iter().flatten().flatten().map(|item| item.attempts).collect();
    assert_eq!((end.outcome, attempts), (Outcome::Succeeded, vec![0, 1, 1, 1]));
}

#[test]
fn each_time_has_retries_and_losses_of_its_own_and_the_last_is_final() {
    let of = |until, attempts: &[Attempt]| {
        let (retried, repeat) = (vec![Outcome::Failed], Some(Repeat { until, max: 3 }));
        let end =
            &ends(&[(step(Task { retries: 1, retried, repeat, ..Task::default() }), attempts)], None)[0];
        (end.outcome, end.attempts, end.output)
    };
    let once = [FAILS, gives(1), FAILS, gives(2), FAILS, gives(7)];
    assert_eq!(of(Until::AtLeastFive, &once), (Outcome::Succeeded, 6, Some(7)));
    assert_eq!(of(Until::AtLeastFive, &[FAILS, gives(1), FAILS]), (Outcome::Failed, 4, None));
    let lost = [IS_LOST, IS_LOST, IS_LOST, gives(1), IS_LOST, IS_LOST, IS_LOST, gives(6)];
    assert_eq!(of(Until::AtLeastFive, &lost), (Outcome::Succeeded, 8, Some(6)));
    assert_eq!(of(Until::AtLeastFive, &[gives(1)]), (Outcome::Failed, 3, Some(1)));
    assert_eq!(of(Until::AtLeastFive, &[gives(1), SUCCEEDS]), (Outcome::Failed, 2, None));
    assert_eq!(of(Until::IsDefined, &[SUCCEEDS, gives(0)]), (Outcome::Succeeded, 2, Some(0)));
}

#[test]
fn a_run_that_is_a_step_may_be_skipped_is_tried_again_as_any_and_gives_what_it_declares() {
    const IS_SKIPPED: Attempt = Attempt { outcome: Outcome::Skipped, output: None };
    let child = Child { name: Name::Literal, params: Params::Map, waits: true, is_too_deep: false };
    let of = |child, attempts: &[Attempt]| {
        let (retried, declares) = (vec![Outcome::Failed], true);
        let run = Task { retries: 2, retried, declares, child: Some(child), ..Task::default() };
        let after = Step {
            depends_on: vec![Dependency { step: 0, wants: Status::Success }],
            ..step(Task::default())
        };
        let ends = ends(&[(step(run), attempts), (after, &[SUCCEEDS])], None);
        assert!(!ends[1].after_failure || ends[0].outcome == Outcome::Failed);
        (ends[0].outcome, ends[0].attempts, ends[1].outcome)
    };
    use Outcome::{Failed, Skipped, Succeeded};
    assert_eq!(of(child, &[FAILS, IS_SKIPPED]), (Skipped, 2, Skipped));
    assert_eq!(of(child, &[FAILS, SUCCEEDS, gives(1)]), (Succeeded, 3, Succeeded));
    assert_eq!(of(child, &[SUCCEEDS]), (Failed, 3, Skipped));
    assert_eq!(of(Child { name: Name::TwoWords, ..child }, &[gives(1)]), (Failed, 0, Skipped));
}

/// How the hooks of a step end that does `attempt`: `on_success`, `on_failure`, `on_finish`.
fn hooks_of(before: Option<Attempt>, attempt: Attempt) -> Vec<Outcome> {
    let first = step(Task::default());
    let on = |wants| Dependency { step: 0, wants };
    let second = Step { depends_on: vec![on(wanted_by_hook(When::Success))], ..first.clone() };
    let of = |when| Step {
        hook: Some(Hook::OfStep(when, 1)),
        depends_on: vec![Dependency { step: 1, wants: wanted_by_hook(when) }],
        ..first.clone()
    };
    let all = [When::Success, When::Failure, When::Finish].map(|when| (of(when), &[SUCCEEDS][..]));
    let (before, attempt) = ([before.unwrap_or(SUCCEEDS)], [attempt]);
    let mut steps = vec![(first.clone(), &before[..]), (second, &attempt[..])];
    steps.extend(all);
    ends(&steps, None)[2..].iter().map(|end| end.outcome).collect()
}

#[test]
fn a_hook_of_a_step_starts_when_it_ended_so_and_none_when_it_was_skipped() {
    use Outcome::{Skipped, Succeeded};
    assert_eq!(hooks_of(None, SUCCEEDS), [Succeeded, Skipped, Succeeded]);
    assert_eq!(hooks_of(None, FAILS), [Skipped, Succeeded, Succeeded]);
    assert_eq!(hooks_of(Some(FAILS), SUCCEEDS), [Skipped, Skipped, Skipped]);
}

#[test]
fn a_hook_of_the_workflow_has_its_turn_by_how_the_steps_ended() {
    use Outcome::{Cancelled, Failed, Skipped, Succeeded, TimedOut};
    let of = |outcome| {
        let hook = |when| Step { hook: Some(Hook::OfWorkflow(when)), ..step(Task::default()) };
        let all = [When::Success, When::Failure, When::Finish].map(|when| (hook(when), &[SUCCEEDS][..]));
        ends(&all, Some(outcome)).iter().map(|end| end.outcome).collect::<Vec<_>>()
    };
    assert_eq!(of(Succeeded), [Succeeded, Skipped, Succeeded]);
    assert_eq!(of(Failed), [Skipped, Succeeded, Succeeded]);
    assert_eq!(of(TimedOut), [Skipped, Succeeded, Succeeded]);
    assert_eq!(of(Cancelled), [Skipped, Skipped, Succeeded]);
}

#[test]
fn a_hook_that_fails_lets_a_run_fail_that_would_have_succeeded() {
    let hook = Step { hook: Some(Hook::OfWorkflow(When::Success)), ..step(Task::default()) };
    let of = |continue_on_error| {
        let steps = [
            (step(Task::default()), &[SUCCEEDS][..]),
            (Step { continue_on_error, ..hook.clone() }, &[FAILS][..]),
        ];
        let ends = ends(&steps, Some(Outcome::Succeeded));
        let workflow =
            Workflow { steps: steps.iter().map(|(step, _)| step.clone()).collect(), ..Workflow::default() };
        outcome_of_run(&workflow, &ends, &[0, 1])
    };
    assert_eq!((of(false), of(true)), (Outcome::Failed, Outcome::Succeeded));
}
